"""Are exactly the pinned packages installed, byte for byte?"""

import json
import re
import runpy
import tomllib
from configparser import ConfigParser

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from app.layout import PROJECT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-rivals.lock")
PIN = re.compile(
    r"^([a-z0-9-]+)(?:\[([a-z0-9,-]+)\])?==(\S+)(?: ; .+?)?(?: \\)?"
    r"((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)*)$",
    re.M,
)
verdict = runpy.run_path(str(PROJECT / ".ci/audit"))["verdict"]


def asked(group=None):
    """The requirements of setup.cfg: of the service, or of a group beside it."""
    config = ConfigParser()
    config.read(PROJECT / "setup.cfg")
    section = config["options.extras_require"] if group else config["options"]
    lines = section[group or "install_requires"].splitlines()
    return [Requirement(line) for line in lines if line]


def pins(lock):
    """Package → the versions that the lock allows; several where they depend on the Python."""
    versions = {}
    for name, _, version, _ in PIN.findall((PROJECT / lock).read_text()):
        versions.setdefault(name, set()).add(Version(version))
    return versions


@pytest.mark.parametrize(
    ("lock", "group"),
    [(lock, None) for lock in LOCKS]
    + [(LOCKS[1], "dev"), (LOCKS[2], "dev"), (LOCKS[2], "rivals")],
)
def test_the_lock_pins_all_that_setup_cfg_asks_for(lock, group):
    """If this fails, run make lock."""
    pinned = pins(lock)
    for requirement in asked(group):
        versions = pinned[re.sub(r"[._-]+", "-", requirement.name.lower())]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_a_pin_has_the_extras_that_are_asked_for():
    """Without them pip finds no pin as soon as there is a newer version, and installs nothing."""
    text = (PROJECT / LOCKS[2]).read_text()
    extras = {name: set(extras.split(",")) for name, extras, *_ in PIN.findall(text)}
    assert extras["uvicorn"] == {"standard"}
    assert extras["coverage"] == {"toml"}, "asked for by pytest-cov"


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_what_runs_is_what_is_tested(lock):
    runtime, tested = pins(LOCKS[0]), pins(lock)
    assert {name: tested[name] for name in runtime} == runtime


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_files_by_their_hashes_and_no_place_to_get_them(lock):
    text = (PROJECT / lock).read_text()
    pinned = PIN.findall(text)
    assert all(hashes for *_, hashes in pinned)
    rest = PIN.sub("", text).splitlines()
    assert [line for line in rest if line and line[0] != "#"] == []
    assert "://" not in text


def test_the_docs_give_a_reason_for_each_package_that_runs():
    page = (PROJECT / "docs" / "architecture.md").read_text()
    listed = re.search(r"^## Dependencies\n(.*?)(?=^## |\Z)", page, re.S | re.M)
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \|$", listed[1], re.M)
    assert [name for name, _ in rows] == [requirement.name for requirement in asked()]
    assert all(len(reason) > 10 for _, reason in rows)


# The modules that start a program (ffmpeg, and the service's own script for Apprise) leave out the
# checks of that: no client chooses any part of the commands.
STARTING = ("clip_frame.py", "apprise_sender.py")
LEFT_OUT = {
    (name, rule) for name in STARTING for rule in ("# nosec B404", "# nosec B603", "# noqa: S603")
}


def test_no_security_check_is_left_out_but_for_the_start_of_programs():
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]
    assert "bandit" not in tools
    assert "S" in tools["ruff"]["lint"]["select"]
    code = [*PROJECT.glob("app/**/*.py"), *PROJECT.glob("migrations/*.py")]
    found = [
        (file.name, re.findall("# nosec[^#\n]*|# noqa: S[^#\n]*", file.read_text()))
        for file in code
    ]
    assert {(name, rule.strip()) for name, rules in found for rule in rules} == LEFT_OUT


def report(*packages):
    return json.dumps({"dependencies": list(packages), "fixes": []})


GOOD = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "flask", "version": "0.1", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "waitress", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        ("", 0, "NOTHING was looked up"),
        (report(SKIPPED), 0, "NOTHING was looked up"),
        (report(GOOD), 0, "audit: 1 packages looked up"),
        (report(GOOD, SKIPPED), 1, "waitress: could not be looked up"),
        (report(GOOD, BAD), 1, "flask 0.1: PYSEC-1"),
    ],
    ids=["failed", "unreachable", "good", "in part", "vulnerable"],
)
def test_the_package_audit_reports_findings_and_what_it_could_not_look_up(said, code, text):
    assert verdict(said)[0] == code
    assert text in verdict(said)[1]
