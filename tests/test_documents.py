"""Do the README and the pages of docs/ name everything that exists, and is what they say true?"""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from app.config import SETTINGS
from app.diagnostics import advice, folder_access
from app.layout import PROJECT
from app.models import CameraSettings
from app.problems import PROBLEMS
from app.schemas.settings import BoxSettingsUpdateSchema, CameraSettingsUpdateSchema
from app.schemas.system import ChecksSchema
from app.services.settings import NAMES
from app.web import DayPageQuerySchema, WallQuerySchema
from benchmarks.design import private_names
from tests.test_layers import ROOMS

DOCUMENTS = {
    str(path.relative_to(PROJECT)): path.read_text()
    for path in [PROJECT / "README.md", *sorted(PROJECT.glob("docs/*.md"))]
}
README, EVERYTHING = DOCUMENTS["README.md"], "\n".join(DOCUMENTS.values())
MAKEFILE = (PROJECT / "Makefile").read_text()
README_BYTES = 12_000
# `[text](target)` and `![text](target)`.
LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def page(name):
    return DOCUMENTS[f"docs/{name}.md"]


def anchors(text):
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short():
    assert len(README.encode()) <= README_BYTES


def test_every_page_is_linked():
    linked = {Path(target.partition("#")[0]).name for target in LINK.findall(EVERYTHING)}
    assert {path.name for path in PROJECT.glob("docs/*.md")} <= linked


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_leads_somewhere(document):
    for target in LINK.findall(DOCUMENTS[document]):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            path = (PROJECT / document).parent / name if name else PROJECT / document
            assert path.is_file(), target
            assert not anchor or anchor in anchors(path.read_text()), target


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_in_the_table(setting):
    shown = f"`{setting.default}`" if setting.default else "empty"
    assert f"| `{setting.name}` | {shown} | {setting.help} |" in page("settings")


def test_the_table_of_settings_names_no_other():
    named = re.findall(r"^\| `(NVR_\w+)`", page("settings"), re.MULTILINE)
    assert set(named) == {setting.name for setting in SETTINGS}


def test_every_setting_that_can_be_changed_while_the_service_runs_is_named():
    assert [name for name in NAMES if f"`{name}`" not in page("settings")] == []
    assert list(BoxSettingsUpdateSchema().fields) == list(NAMES)


def test_every_setting_of_a_camera_is_in_the_table():
    assert table("settings", "Settings of a camera") == list(CameraSettings.defaults)
    assert list(CameraSettingsUpdateSchema().fields) == list(CameraSettings.defaults)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_every_error_code_is_in_the_table(problem):
    assert f"| `{problem.code}` | {problem.status} | {problem.detail} |" in page("api")


def test_the_table_of_errors_names_no_other():
    named = re.findall(r"^\| `(\w+)` \| [45]\d\d \|", page("api"), re.MULTILINE)
    assert named == sorted(named, key=lambda code: PROBLEMS[code].status)
    assert set(named) == set(PROBLEMS)


def endpoints(app):
    """Every method and path of the API, as the table of docs/api.md writes them."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api/", "/health", "/metrics")):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            yield from (f"{m} {path}" for m in rule.methods - {"HEAD", "OPTIONS"})


def test_every_endpoint_is_in_the_table(app):
    named = re.findall(r"^\| `([A-Z]+ /[^`]*)`", page("api"), re.MULTILINE)
    assert sorted(named) == sorted(endpoints(app))


def table(name, heading):
    """The first cells of the table below a heading, as they are written between backquotes."""
    section = page(name).partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_check_of_health_is_in_the_table():
    assert table("operating", "Health") == list(ChecksSchema().fields)


def test_every_code_of_a_diagnosis_is_in_the_table():
    named = table("operating", "When a camera is silent")
    assert set(named) == {*folder_access.ADVICE, *(code for code, _ in advice.CHECKS)}


def test_every_parameter_of_the_wall_is_in_the_table():
    assert table("wall", "Parameters of the address") == list(WallQuerySchema().fields)


def test_every_parameter_of_a_camera_s_day_is_in_the_table():
    assert table("wall", "A day of one camera") == list(DayPageQuerySchema().fields)


def commands(group, path=""):
    """What can be typed: ``prune``, ``cameras list``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name


def test_every_own_command_is_in_the_table(app):
    ours = set(commands(app.cli)) - {"openapi write", "openapi list-config-prefixes"}
    named = re.findall(r"^\| `flask --app wsgi ([a-z ]+[a-z])", page("operating"), re.MULTILINE)
    assert set(named) == ours


def test_every_own_metric_is_in_the_table(app):
    scraped = parse(app.test_client().get("/metrics").text)
    ours = {f"{f.name}_total" if f.type == "counter" else f.name for f in scraped}
    named = set(re.findall(r"^\| `(nvr_\w+)`", page("operating"), re.MULTILINE))
    assert {name for name in ours if name.startswith("nvr_")} == named


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:`| {4})make (?:-C \S+ )?([a-z-]+)", EVERYTHING))
    assert {"run", "test", "demo", "bench", "help"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_is_named_exists(document):
    for file, test in TEST.findall(DOCUMENTS[document]):
        assert f"\ndef {test}(" in (PROJECT / file).read_text(), test


@pytest.mark.parametrize("name", ["reliability", "security"])
def test_every_promise_names_the_tests_that_prove_it(name):
    promises = re.findall(r"^\| (.+) \| ([^|]*tests/[^|]*) \|$", page(name), re.MULTILINE)
    rows = re.findall(r"^\| (?!Promise |---).+\|$", page(name), re.MULTILINE)
    assert len(promises) == len(rows) > 10


def test_every_picture_is_there_and_small():
    named = set(re.findall(r"([\w-]+\.webp)\)", EVERYTHING))
    assert named == {path.name for path in PROJECT.glob("docs/*.webp")}
    for name in named:
        assert 1000 < (PROJECT / "docs" / name).stat().st_size < 60_000


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_is_named_exists(document):
    named = r"`((?:app|benchmarks|deploy|docs|migrations|tests)/[\w./-]*)`"
    for name in re.findall(named, DOCUMENTS[document]):
        path = PROJECT / name
        assert path.is_dir() if name.endswith("/") else path.is_file(), name


def test_every_private_name_of_a_library_has_its_reason():
    used = [line.partition(":")[0] for line in private_names().counted]
    assert [name for name in used if f"`{name}`" not in page("upstream")] == []


def test_the_table_of_rooms_is_in_the_order_of_their_imports():
    rooms = [room for room in ROOMS if (PROJECT / "app" / room / "__init__.py").exists()]
    assert re.findall(r"^\| `app/(\w+)/`", page("architecture"), re.MULTILINE) == rooms
