"""Are changes that wait committed together, and is no caller answered too soon?"""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from unittest.mock import patch

import peewee
import pytest

from app import db
from app.db import database, writer
from app.layout import PROJECT
from app.models import Camera, ConflictError
from tests import effort
from tests.rows import add_camera, add_detection

pytestmark = pytest.mark.usefixtures("app")

# Another process that holds the database until its stdin ends.
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.close()
"""
# A process that reads and writes and ends without closing the database.
USE = """
import sys, threading
from app import create_app, db
from app.models import Camera
app = create_app({"NVR_DATABASE_URL": sys.argv[1]})
with app.app_context():
    db.migrate()
    Camera.listing()
    db.writer.run(Camera.listing)
thread = threading.Thread(target=Camera.listing)
thread.start()
thread.join()
"""


@pytest.fixture
def commits():
    """How often something was committed so far."""
    with effort.traced() as statements:
        yield lambda: statements.count("COMMIT")


@pytest.fixture
def held():
    """Another process holds the database until the yielded function is called."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, database.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        yield holder.communicate


def names():
    return sorted(camera["name"] for camera in Camera.listing())


def outcome(change, **options):
    """The outcome of ``change``: None, or the exception that it raised."""
    try:
        writer.run(change, **options)
    except BaseException as error:
        return error
    return None


@contextmanager
def busy(pool):
    """In the block the writer thread is busy with a change of its own."""
    has_begun, may_end = threading.Event(), threading.Event()

    def wait():
        has_begun.set()
        may_end.wait(30)

    first = pool.submit(outcome, wait)
    assert has_begun.wait(30)
    try:
        yield
    finally:
        may_end.set()
        first.result()


@contextmanager
def queued(count):
    """At the end of the block this many changes that begin in it are waiting."""
    waiting, wait = threading.Semaphore(0), writer.Write.wait

    def note(write, patience):
        waiting.release()
        return wait(write, patience)

    with patch.object(writer.Write, "wait", note):
        yield
        assert all(waiting.acquire(timeout=30) for _ in range(count))


def together(*changes):
    """The outcomes of changes that all wait while another one is made."""
    with ThreadPoolExecutor(len(changes) + 1) as pool:
        with busy(pool), queued(len(changes)):
            waiting = [pool.submit(outcome, change) for change in changes]
        return [future.result() for future in waiting]


def named(name):
    return lambda: add_camera(name)


def fail():
    add_camera("refused")
    raise ConflictError({"name": ["No."]})


def test_changes_that_wait_are_committed_together(commits):
    assert together(*map(named, "abcdef")) == [None] * 6
    assert names() == [*"abcdef"]
    assert commits() == 2


def test_a_change_is_committed_at_once_where_none_waits(commits):
    assert outcome(named("a")) is None
    assert commits() == 1


def test_the_caller_gets_the_value_of_the_change():
    assert writer.run(lambda: 7) == 7


def test_a_failed_change_leaves_the_others_of_its_batch():
    errors = together(named("a"), fail, named("b"), fail, named("c"), fail)
    assert [type(error) for error in errors] == [type(None), ConflictError] * 3
    assert names() == ["a", "b", "c"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, TimeoutError])
def test_an_exception_undoes_the_change_and_is_raised_by_its_caller(error):
    def change():
        add_detection(add_camera())
        raise error

    assert type(outcome(change)) is error
    assert names() == []
    assert outcome(named("next")) is None


def test_a_statement_that_fails_undoes_the_change():
    assert isinstance(outcome(lambda: add_detection(add_camera(), event=1)), peewee.IntegrityError)
    assert names() == []


def test_a_change_is_visible_to_others_only_when_it_is_committed():
    def change():
        add_camera()
        with closing(sqlite3.connect(database.path)) as other:
            return other.execute("SELECT count(*) FROM camera").fetchone()

    assert writer.run(change) == (0,)
    assert len(Camera.listing()) == 1


def test_a_change_keeps_other_processes_out_from_its_first_moment():
    def change():
        other = sqlite3.connect(database.path, timeout=0)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    assert outcome(change) is None


def test_a_failed_commit_fails_all_of_its_changes(monkeypatch):
    def full():
        raise peewee.OperationalError("database or disk is full")

    monkeypatch.setattr(database, "commit", full)
    assert {str(error) for error in together(*map(named, "abc"))} == {"database or disk is full"}
    monkeypatch.undo()
    assert names() == []
    assert outcome(named("d")) is None


def test_all_changes_fail_where_sqlite_undoes_their_transaction():
    """As on a full disk: sqlite.org/lang_transaction.html, section 3."""

    def lose():
        database.execute_sql("ROLLBACK")
        raise peewee.OperationalError("disk I/O error")

    errors = together(named("a"), lose, named("b"))
    assert {str(error) for error in errors} == {"disk I/O error"}
    assert names() == []
    assert str(outcome(lose)) == "disk I/O error"
    assert outcome(named("c")) is None


def test_a_long_change_has_a_transaction_of_its_own(commits):
    with ThreadPoolExecutor(3) as pool:
        with busy(pool), queued(2):
            short = pool.submit(outcome, named("a"))
            long = pool.submit(outcome, named("b"), alone=True)
        assert (short.result(), long.result()) == (None, None)
    assert commits() == 3


def test_a_change_that_could_not_begin_in_time_is_busy_and_never_made():
    with ThreadPoolExecutor(1) as pool, busy(pool):
        assert isinstance(outcome(named("late"), patience=0.05), db.DatabaseBusy)
    assert outcome(named("next")) is None
    assert names() == ["next"]


def test_the_change_of_an_interrupted_caller_is_undone(monkeypatch):
    """As a command that a person ends with Ctrl-C."""
    is_interrupted, writes = threading.Event(), []

    class Write(writer.Write):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            writes.append(self)

    def interrupt(_signal, _frame):
        if not is_interrupted.is_set():
            is_interrupted.set()
            raise KeyboardInterrupt

    def change():
        add_camera("half")
        # Python misses a signal that arrives just before the main thread waits for a lock: again.
        while not is_interrupted.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            is_interrupted.wait(0.1)
        until = time.monotonic() + 30
        while not writes[0].is_abandoned and time.monotonic() < until:
            time.sleep(0.01)

    monkeypatch.setattr(writer, "Write", Write)
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            writer.run(change)
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome(named("next")) is None
    assert names() == ["next"]


def test_a_change_that_has_begun_is_waited_for():
    def slow():
        time.sleep(1.2)
        add_camera("slow")

    assert outcome(slow, patience=1) is None
    assert names() == ["slow"]


def test_a_change_does_not_wait_for_ever_for_another_process(held):
    began = time.monotonic()
    assert isinstance(outcome(named("late"), patience=0.2), db.DatabaseBusy)
    assert time.monotonic() - began < db.connection.BUSY_SECONDS
    assert names() == []
    held()
    assert outcome(named("next")) is None
    assert names() == ["next"]


def test_a_change_begins_as_soon_as_the_other_process_is_done(held):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, named("a"))
        time.sleep(1)
        held()
        assert waiting.result(30) is None


def test_closing_does_not_wait_long_for_another_process(held):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, named("late"), patience=2)
        time.sleep(0.1)
        began = time.monotonic()
        db.close_all()
        assert time.monotonic() - began < db.connection.BUSY_SECONDS
        assert isinstance(waiting.result(30), db.DatabaseBusy)


def test_a_change_that_runs_another_change_raises_at_once():
    assert isinstance(outcome(lambda: writer.run(lambda: 1)), RuntimeError)


def test_readers_do_not_wait_for_a_writer():
    has_begun, may_end = threading.Event(), threading.Event()

    def change():
        add_camera("b")
        has_begun.set()
        may_end.wait(30)

    add_camera("a")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(outcome, change)
        assert has_begun.wait(30)
        assert names() == ["a"]
        may_end.set()
        assert writing.result() is None
    assert names() == ["a", "b"]


def test_a_process_that_ends_leaves_no_connection_open(tmp_path):
    """From Python 3.13 on a connection that nobody closed is a ResourceWarning."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE, f"sqlite:///{tmp_path}/other.db"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (tmp_path / "other.db-wal").exists(), "the last connection removes the log"
