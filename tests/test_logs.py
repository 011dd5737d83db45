"""Is an event one line, whatever a client puts into it?"""

import logging
import sys

import pytest

from app import logs


@pytest.fixture
def log(monkeypatch):
    """A logger below a root that is nobody else's."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    monkeypatch.setattr(logging.getLogger("waitress.queue"), "level", logging.NOTSET)
    return logging.getLogger("app.tests")


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("GET /x", "GET /x"),
        ("Tür 門 \U0001f4f7", "Tür 門 \U0001f4f7"),
        ("a\nERROR forged", "a\\nERROR forged"),
        ("a\r\n\tb", "a\\r\\n\\tb"),
        ("\x1b[2J\x07\x9b", "\\x1b[2J\\x07\\x9b"),
        ("a\u2028b\u202ec\u200b", "a\\u2028b\\u202ec\\u200b"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_client_says_stays_in_its_line(log, capsys, said, written):
    logs.configure("INFO")
    log.info("%s", said)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"INFO app.tests: {written}")


def test_a_token_is_hidden_in_a_message_and_in_a_traceback(log, capsys):
    logs.configure("DEBUG")
    secret = "nvr_" + "x" * 43
    log.debug("GET /api?token=%s", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert written.count("nvr_(hidden)") == 2
    assert secret not in written


def test_a_traceback_is_one_line(log, capsys):
    logs.configure("INFO")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback" in line
    assert line.endswith("ValueError: first\\nsecond")


def test_only_the_wanted_level_is_written_and_only_to_stderr(log, capsys):
    logs.configure("WARNING")
    log.info("quiet")
    log.warning("loud")
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == ["loud"]


def test_to_configure_again_does_not_write_twice(log, capsys):
    logs.configure("INFO")
    logs.configure("INFO")
    log.info("once")
    assert capsys.readouterr().err.count("once") == 1
    assert [handler.stream for handler in logging.root.handlers] == [sys.stderr]


def test_waiting_for_a_thread_is_not_worth_a_line(log, capsys):
    logs.configure("INFO")
    logging.getLogger("waitress.queue").warning("Task queue depth is 1")
    assert capsys.readouterr().err == ""
