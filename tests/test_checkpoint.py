"""Does the log move into the database at a quiet moment, and only then?"""

import os
import threading
import time

import pytest

from app.db import checkpoint as module
from app.db import database, transaction, turn
from app.db.checkpoint import checkpoint
from tests.rows import add_camera


@pytest.fixture
def log(app):
    """The log of a database with one camera more than is in its file."""
    with transaction():
        add_camera()
    return f"{database.database}-wal"


def waiting():
    """How many pages of the log are not in the database yet; asking moves none of them."""
    return os.stat(f"{database.database}-wal").st_size // 4120


def in_the_file():
    with open(database.database, "rb") as file:
        return b"front door" in file.read()


def age(log, seconds):
    moment = time.time() - seconds
    os.utime(log, (moment, moment))


def test_a_small_log_is_left_alone(log):
    age(log, 60)
    assert not checkpoint()
    assert not in_the_file()


def test_a_log_that_grew_waits_for_a_quiet_second(log, monkeypatch):
    monkeypatch.setattr(module, "LEAST_BYTES", 1)
    assert not checkpoint()
    assert not in_the_file()
    age(log, 2)
    assert checkpoint()
    assert in_the_file()


def test_a_log_that_grew_large_does_not_wait(log, monkeypatch):
    monkeypatch.setattr(module, "LEAST_BYTES", 1)
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    assert checkpoint()
    assert in_the_file()


def test_a_writer_is_not_waited_for(log, monkeypatch):
    monkeypatch.setattr(module, "LEAST_BYTES", 1)
    age(log, 2)
    with turn():
        thread = threading.Thread(target=lambda: done.append(checkpoint()))
        done = []
        thread.start()
        thread.join()
    assert done == [False]
    assert not in_the_file()


def test_the_log_is_cut_once_it_has_moved(log, monkeypatch):
    monkeypatch.setattr(module, "LEAST_BYTES", 1)
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    for number in range(5):
        with transaction():
            add_camera(f"Door {number}")
    before = waiting()
    assert checkpoint()
    with transaction():
        add_camera("Garden")
    assert 0 < waiting() < before


def test_without_a_database_nothing_is_due(environ, app):
    database.close()
    database.init("/nowhere/nvr.db")
    assert not checkpoint()
