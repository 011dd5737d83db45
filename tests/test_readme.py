"""Does the README name everything that there is, and is what it shows true?"""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from app.config import PROJECT, SETTINGS
from app.problems import PROBLEMS

README = (PROJECT / "README.md").read_text()
MAKEFILE = (PROJECT / "Makefile").read_text()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_stands_in_the_table(setting):
    default = setting.default.replace(f"{PROJECT}/", "")
    shown = f"`{default}`" if default else "empty"
    assert f"| `{setting.name}` | {shown} | {setting.help} |" in README


def test_the_table_names_no_other_setting():
    assert set(re.findall(r"^\| `(NVR_\w+)`", README, re.MULTILINE)) == {s.name for s in SETTINGS}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_every_error_code_stands_in_the_table(problem):
    assert f"| `{problem.code}` | {problem.status} | {problem.detail} |" in README


def commands(group, path=""):
    """What can be typed: ``prune``, ``cameras list``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name


def test_every_command_of_ours_is_named(app):
    ours = set(commands(app.cli)) - {"openapi write", "openapi list-config-prefixes"}
    named = re.findall(r"^\| `flask --app wsgi ([a-z ]+[a-z])", README, re.MULTILINE)
    assert set(named) == ours


def test_every_metric_of_ours_stands_in_the_table(app):
    scraped = parse(app.test_client().get("/metrics").text)
    ours = {f"{f.name}_total" if f.type == "counter" else f.name for f in scraped}
    named = set(re.findall(r"^\| `(nvr_\w+)`", README, re.MULTILINE))
    assert {name for name in ours if name.startswith("nvr_")} == named


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:`| {4})make (?:-C \S+ )?([a-z-]+)", README))
    assert {"run", "test", "demo", "bench", "help"} <= named <= targets


def test_the_transcript_of_the_demo_is_the_demos(subtests):
    """Command by command: the ids, ports and times of a run differ, what is typed does not."""
    demo = (PROJECT / "tests" / "demo.py").read_text()
    for words in ("front_door", "Garden", "the last upload", "curl -s -OJ"):
        with subtests.test(words):
            assert words in README
            assert words in demo


def test_every_promise_names_a_test_that_there_is():
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", README)
    assert len(named) > 10
    for file, test in named:
        assert f"def {test}(" in (PROJECT / file).read_text(), test


def test_every_picture_is_there_and_small():
    named = re.findall(r"\((docs/[\w-]+\.webp)\)", README)
    assert len(named) >= 5
    assert {PROJECT / name for name in named} == set((PROJECT / "docs").iterdir())
    for name in named:
        assert 1000 < (PROJECT / name).stat().st_size < 60_000


def test_every_file_that_is_named_is_there():
    for name in re.findall(r"`((?:app|deploy|tests)/[\w./-]+)`", README):
        path = PROJECT / name
        assert path.is_dir() if name.endswith("/") else path.is_file(), name


def test_every_test_that_proves_a_promise_is_there():
    promised = re.findall(r"^\| .+ \| `(tests/[\w/]+\.py)::(\w+)` \|$", README, re.MULTILINE)
    assert len(promised) > 10
    for file, name in promised:
        assert f"\ndef {name}(" in (PROJECT / file).read_text(), name


def test_every_room_of_the_house_is_named():
    rooms = {path.parent.name for path in PROJECT.glob("app/*/__init__.py")}
    assert {f"`app/{room}/`" for room in rooms} <= set(re.findall(r"`[^`\n]+`", README))
