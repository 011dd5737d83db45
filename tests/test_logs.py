"""Is an event one line, whatever a client sends, and is the log bounded and free of tokens?"""

import logging
import sys

import pytest

from app import logs

SECRET = "nvr_" + "aB3-_9" * 7 + "x"


@pytest.fixture
def log(monkeypatch):
    """A logger below a root without other handlers."""
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
def test_data_of_a_client_stays_within_one_log_line(log, capsys, said, written):
    logs.configure("INFO")
    log.info("%s", said)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"INFO app.tests: {written}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SECRET, "nvr_(hidden)"),
        (f"GET /x?token={SECRET}&y=1", "GET /x?token=nvr_(hidden)&y=1"),
        (f"{SECRET} {SECRET}", "nvr_(hidden) nvr_(hidden)"),
        (f"{SECRET}AAAA", "nvr_(hidden)"),
        (SECRET.replace("-", "%2d").replace("_", "%5F"), "nvr_(hidden)"),
        (SECRET[:-1], SECRET[:-1]),
        ("nvr_database /var/lib/nvr_cameras/nvr.db NVR_HOST", None),
        ("", None),
    ],
)
def test_tokens_are_hidden_and_nothing_else(text, shown):
    assert logs.without_tokens(text) == (text if shown is None else shown)


def test_a_token_is_hidden_in_a_message_and_in_a_traceback(log, capsys):
    logs.configure("DEBUG")
    log.debug("GET /api?token=%s", SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert written.count("nvr_(hidden)") == 2
    assert SECRET not in written


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


def test_configuring_again_does_not_write_twice(log, capsys):
    logs.configure("INFO")
    logs.configure("INFO")
    log.info("once")
    assert capsys.readouterr().err.count("once") == 1
    assert [handler.stream for handler in logging.root.handlers] == [sys.stderr]


def test_a_request_that_waits_for_a_thread_is_not_logged(log, capsys):
    logs.configure("INFO")
    logging.getLogger("waitress.queue").warning("Task queue depth is 1")
    assert capsys.readouterr().err == ""


def test_a_statement_that_logs_too_often_is_cut_short_and_says_so_later(log, capsys, monkeypatch):
    logs.configure("INFO")

    def say(number):
        log.warning("broken off: %s", number)

    for number in range(1000):
        say(number)
    log.warning("something else")
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        *map(str, range(logs.LINES_PER_PERIOD)),
        "something else",
    ]
    monkeypatch.setattr(logs, "PERIOD_SECONDS", 0)
    say("again")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("broken off: again (990 more like this were left out)")


def test_debug_records_are_not_cut_short(log, capsys):
    logs.configure("DEBUG")
    for number in range(1000):
        log.debug("%s", number)
    assert len(capsys.readouterr().err.splitlines()) == 1000
