"""Do those slow tests run that a change can break?"""

import re
import runpy
import subprocess
import sys

import pytest

from app.layout import PROJECT

SCRIPT = PROJECT / ".ci" / "slow-tests"
choice = runpy.run_path(str(SCRIPT))
GUARDS = choice["GUARDS"]


def test_every_file_with_slow_tests_is_in_the_table():
    slow = re.compile(r"pytest\.mark\.slow\b")
    files = {
        str(path.relative_to(PROJECT))
        for path in PROJECT.glob("tests/**/test_*.py")
        if slow.search(path.read_text())
    } - {"tests/test_slow_tests.py"}
    assert {file for file in files if not file.startswith(tuple(GUARDS))} == set()
    assert {
        guard for guard in GUARDS if not any(file.startswith(guard) for file in files)
    } == set()


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guarded_path_exists(guard):
    assert all((PROJECT / path).exists() for path in GUARDS[guard])


@pytest.mark.parametrize(
    ("changed", "files"),
    [
        ([], set()),
        ([".gitignore", "tests/test_config.py"], set()),
        (["docs/api.md"], {"tests/e2e/test_documented_commands.py"}),
        (
            ["app/templates/wall.html"],
            {"tests/e2e/pages/", "tests/e2e/test_wheel.py", "tests/test_instructions.py"},
        ),
        (["tests/e2e/test_race.py"], {"tests/e2e/test_race.py"}),
        (["app/config.py"], None),
        (["docs/api.md", "setup.cfg"], None),
        (["tests/e2e/server.py"], None),
    ],
)
def test_a_change_runs_what_guards_it_and_everything_where_nothing_does(changed, files):
    assert choice["chosen"](changed) == files


def test_a_change_of_the_server_runs_the_bad_clients():
    assert "tests/e2e/test_bad_clients.py" in choice["chosen"](["app/server/main.py"])


@pytest.mark.parametrize("path", ["app/pictures/listing.py", "app/notify/rules.py"])
def test_a_change_of_what_pages_show_runs_the_tests_of_the_pages(path):
    assert "tests/e2e/pages/" in choice["chosen"]([path])


@pytest.mark.parametrize("commit", [[], ["0" * 40]])
def test_all_tests_run_where_the_change_is_unknown(commit):
    done = subprocess.run(
        [sys.executable, SCRIPT, *commit], cwd=PROJECT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
