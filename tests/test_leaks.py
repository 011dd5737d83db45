"""Is a descriptor that a test leaves open reported once, for that test?"""

import os
import re
import subprocess
import sys

import pytest

from app.layout import PROJECT

CONFTEST = """
from tests import conftest
from tests.conftest import no_leaked_descriptors, pytest_runtest_makereport

conftest.CLOSING_SECONDS = 0
"""
TESTS = """
import os, socket

kept = []

def test_fails_with_an_open_socket():
    s = socket.socket()
    assert s is None

def test_after_a_failure():
    pass

def test_leaks_a_socket():
    kept.append(socket.socket())

def test_after_a_leak():
    pass

def test_leaks_a_descriptor():
    os.dup(1)

def test_after_another_leak():
    pass

def test_closes_a_socket():
    socket.socket().close()
"""


# Other plugins take most of the time of a start.
ENVIRON = {"PYTHONPATH": str(PROJECT), "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """The outcome of the tests above: FAILED for the test, ERROR for its teardown."""
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_leaking.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=folder,
        env=os.environ | ENVIRON,
        capture_output=True,
        text=True,
    )
    return re.findall(r"^(FAILED|ERROR) test_leaking.py::(\w+) - (.*)$", done.stdout, re.MULTILINE)


def test_each_fault_is_reported_once_for_its_own_test(reported):
    assert [(how, test) for how, test, _ in reported] == [
        ("FAILED", "test_fails_with_an_open_socket"),
        ("ERROR", "test_leaks_a_socket"),
        ("ERROR", "test_leaks_a_descriptor"),
    ]


def test_a_leak_says_what_was_left_open(reported):
    assert reported[2][2].startswith("AssertionError: left open: ")
