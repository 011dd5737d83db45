"""Do the tests pass with releases of the libraries that are newer than the locked ones?"""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from app.layout import PROJECT

LIBRARIES = ("flask", "werkzeug", "flask-smorest", "waitress", "marshmallow", "peewee")
# The tests that meet every one of the libraries.
TESTS = ("tests/api", "tests/e2e/test_service.py", "tests/e2e/test_smoke.py", "tests/test_db.py")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, run with output as text in the project's folder."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("NVR_")}
    return subprocess.run(command, cwd=PROJECT, env=inherited, capture_output=True, text=True)


def newest(library: str) -> Version | None:
    """The newest release that the registry has, pre-releases included; None without an answer."""
    listed = run(sys.executable, "-m", "pip", "index", "versions", "--pre", library)
    found = re.match(r"\S+ \((\S+)\)", listed.stdout)
    return Version(found[1]) if found else None


@pytest.mark.slow
def test_the_newest_prereleases_pass_the_tests(tmp_path):
    releases = {library: newest(library) for library in LIBRARIES}
    if None in releases.values():
        pytest.skip("the registry cannot be asked for releases")
    newer = [name for name, found in releases.items() if found > Version(version(name))]
    if not newer:
        pytest.skip(f"the registry has no release newer than the locked ones of {LIBRARIES}")
    python = tmp_path / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet")
    assert run(sys.executable, "-m", "venv", tmp_path / "venv").returncode == 0
    for step in (("--requirement", "requirements-dev.lock"), ("--pre", "--upgrade", *newer)):
        installed = run(*pip, *step)
        assert installed.returncode == 0, installed.stderr
    tested = run(python, "-m", "pytest", "--quiet", *TESTS)
    assert tested.returncode == 0, tested.stdout[-5000:]
