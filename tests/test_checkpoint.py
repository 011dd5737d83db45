"""Is the log copied into the database at a quiet moment, and only then?"""

import os
import time

import pytest

from app.db import connection, database, writer
from app.db.connection import checkpoint
from tests.rows import add_camera


@pytest.fixture
def log(app):
    """The log of a database with one camera more than is in its file."""
    writer.run(add_camera)
    return f"{database.path}-wal"


def waiting():
    """How many pages of the log are not copied to the database yet; copies none."""
    return os.stat(f"{database.path}-wal").st_size // 4120


def in_the_file():
    with open(database.path, "rb") as file:
        return b"front door" in file.read()


def age(log, seconds):
    moment = time.time() - seconds
    os.utime(log, (moment, moment))


def test_a_small_log_is_not_copied(log):
    age(log, 60)
    assert not checkpoint()
    assert not in_the_file()


def test_a_medium_log_is_copied_after_a_quiet_second(log, monkeypatch):
    monkeypatch.setattr(connection, "CHECKPOINT_BYTES", 1)
    assert not checkpoint()
    assert not in_the_file()
    age(log, 2)
    assert checkpoint()
    assert in_the_file()


def test_a_clock_that_was_set_back_does_not_keep_the_log(log, monkeypatch):
    monkeypatch.setattr(connection, "CHECKPOINT_BYTES", 1)
    age(log, -3600)
    assert checkpoint()


def test_a_large_log_is_copied_without_a_quiet_second(log, monkeypatch):
    monkeypatch.setattr(connection, "CHECKPOINT_BYTES", 1)
    monkeypatch.setattr(connection, "LARGE_LOG_BYTES", 1)
    assert checkpoint()
    assert in_the_file()


def test_the_writer_thread_copies_the_log_by_itself(log, monkeypatch):
    monkeypatch.setattr(connection, "CHECKPOINT_BYTES", 1)
    monkeypatch.setattr(connection, "LARGE_LOG_BYTES", 1)
    deadline = time.monotonic() + 30
    while not in_the_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert in_the_file()


def test_the_log_is_cut_after_it_is_copied(log, monkeypatch):
    monkeypatch.setattr(connection, "CHECKPOINT_BYTES", 1)
    monkeypatch.setattr(connection, "LARGE_LOG_BYTES", 1)
    for number in range(5):
        writer.run(lambda number=number: add_camera(f"Door {number}"))
    before = waiting()
    assert checkpoint()
    writer.run(lambda: add_camera("Garden"))
    assert 0 < waiting() < before


def test_without_a_database_no_checkpoint_is_due(environ, app):
    database.close()
    database.init("/nowhere/nvr.db")
    assert not checkpoint()
