"""Are changes that are asked for at the same time kept together, and is nobody told too soon?"""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from peewee import OperationalError

from app.db import database, transaction, transactions
from app.db.group_commit import PATIENCE_SECONDS, coming
from app.models import Camera, Refused
from tests import effort
from tests.rows import add_camera

MANY = 6


@pytest.fixture(autouse=True)
def limit(app):
    """So many are dealt with at a time, as in the service."""
    coming.limit(MANY)
    yield
    coming.limit(0)


@pytest.fixture
def commits():
    """How often something was committed so far."""
    statements = []
    effort.connections()[1].set_trace_callback(statements.append)
    yield lambda: statements.count("COMMIT")
    effort.connections()[1].set_trace_callback(None)


def change(work=add_camera, *, joins=True):
    """What a request does; the work's exception where it fails."""
    try:
        with transaction(joins=joins):
            work()
    except Exception as error:
        return error
    finally:
        coming.less()
        database.close()
    return None


def together(*works):
    """The results of requests of which each has been asked for before the first is answered."""
    for _ in works:
        coming.more()
    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(change, works))


def names():
    return sorted(camera["name"] for camera in Camera.listing())


def named(name):
    return lambda: add_camera(name=name)


def test_what_is_asked_for_at_once_is_committed_at_once(commits):
    assert together(*map(named, "abcdef")) == [None] * MANY
    assert names() == [*"abcdef"]
    assert commits() < MANY


def test_one_alone_is_committed_without_waiting(commits, monkeypatch):
    monkeypatch.setattr("app.db.group_commit.PATIENCE_SECONDS", 60)
    coming.more()
    assert change() is None
    assert commits() == 1


def test_nobody_is_told_before_it_is_on_the_disk(environ):
    """Another connection sees it as soon as one is told."""
    seen = []

    def ask(name):
        error = change(named(name))
        with sqlite3.connect(environ["NVR_DATABASE_URL"].removeprefix("sqlite:///")) as other:
            seen.append((name,) in other.execute("SELECT name FROM camera").fetchall())
        other.close()
        return error

    for _ in range(MANY):
        coming.more()
    with ThreadPoolExecutor(MANY) as pool:
        assert list(pool.map(ask, "abcdef")) == [None] * MANY
    assert seen == [True] * MANY


def test_what_is_refused_takes_nothing_of_the_others_with_it():
    def refuse():
        add_camera(name="refused")
        raise Refused({"name": ["No."]})

    errors = together(named("a"), refuse, named("b"), refuse, named("c"), refuse)
    assert [type(error) for error in errors] == [type(None), Refused] * 3
    assert names() == ["a", "b", "c"]


def test_a_commit_that_fails_is_everybody_s_failure(monkeypatch):
    def fail():
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(database, "commit", fail)
    errors = together(*map(named, "abc"))
    assert [str(error) for error in errors] == ["database or disk is full"] * 3
    monkeypatch.undo()
    assert names() == []
    coming.more()
    assert change() is None, "the next one begins anew"


def test_what_sqlite_itself_undoes_is_lost_for_everybody():
    """As on a full disk: sqlite.org/lang_transaction.html, section 3."""
    others_are_in = threading.Barrier(2)

    def lose():
        if transactions._group.members:
            database.execute_sql("ROLLBACK")
            raise OperationalError("disk I/O error")

    def first():
        add_camera(name="first")
        others_are_in.wait(5)

    coming.more()
    coming.more()
    with ThreadPoolExecutor(2) as pool:
        told = pool.submit(change, first)
        others_are_in.wait(5)
        lost = pool.submit(change, lose)
        assert str(lost.result()) == "disk I/O error"
        assert str(told.result()) == "disk I/O error"
    assert names() == []


def test_nobody_waits_for_long_for_one_that_never_comes(commits):
    coming.more()
    coming.more()
    began = time.monotonic()
    assert change() is None
    assert PATIENCE_SECONDS <= time.monotonic() - began < 1
    coming.less()
    assert commits() == 1


def test_who_is_done_is_not_told_busy_while_another_one_takes_its_time():
    """It may be on the disk by then, or be so with what the other one does."""
    is_in, may_end = threading.Event(), threading.Event()

    def slow():
        is_in.set()
        may_end.wait(5)

    for _ in range(3):
        coming.more()
    with ThreadPoolExecutor(2) as pool:
        done = pool.submit(change)
        is_slow = pool.submit(change, slow)
        assert is_in.wait(5)
        time.sleep(4 * PATIENCE_SECONDS)
        may_end.set()
        assert (done.result(5), is_slow.result(5)) == (None, None)
    coming.less()


def test_what_takes_long_does_not_keep_those_that_are_done():
    """What begins a transaction of its own commits theirs first."""
    is_in, may_end = threading.Event(), threading.Event()

    def long():
        is_in.set()
        may_end.wait(5)

    for _ in range(3):
        coming.more()
    with ThreadPoolExecutor(2) as pool:
        done = pool.submit(change)
        taking_long = pool.submit(change, long, joins=False)
        assert is_in.wait(5)
        assert done.result(1) is None
        assert not taking_long.done()
        may_end.set()
        assert taking_long.result() is None
    coming.less()
