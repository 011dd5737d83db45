"""Do those that read get a thread whoever writes?"""

import threading
from types import SimpleNamespace

import pytest

from app.serving.workers import PATIENCE_SECONDS, WRITERS, Workers

SECONDS = 10


class Channel:
    """One request, served when it is let go on."""

    def __init__(self, command, may_end):
        self.requests = [SimpleNamespace(command=command) if command else SimpleNamespace()]
        self.may_end, self.begun, self.ended = may_end, threading.Event(), threading.Event()

    def service(self):
        self.begun.set()
        self.may_end.wait(SECONDS)
        self.ended.set()

    def cancel(self):
        pass


@pytest.fixture
def go():
    return threading.Event()


@pytest.fixture
def workers(go):
    workers = Workers(readers=2)
    yield workers
    go.set()
    workers.shutdown()


def served(workers, go, *commands):
    channels = [Channel(command, go) for command in commands]
    for channel in channels:
        workers.add_task(channel)
    return channels


def test_any_number_of_writers_leaves_the_readers_their_threads(workers, go):
    written = served(workers, go, *["POST", "PATCH", "DELETE"] * WRITERS)
    now = threading.Event()
    now.set()
    for command in ("GET", "HEAD", "OPTIONS", None):
        (read,) = served(workers, now, command)
        assert read.ended.wait(SECONDS), command
    assert sum(channel.begun.is_set() for channel in written) <= WRITERS
    assert not any(channel.ended.is_set() for channel in written)
    go.set()
    assert all(channel.ended.wait(SECONDS) for channel in written)


def test_any_number_of_readers_leaves_the_writers_their_threads(workers, go):
    read = served(workers, go, *["GET"] * 9)
    now = threading.Event()
    now.set()
    (written,) = served(workers, now, "POST")
    assert written.ended.wait(SECONDS)
    assert sum(channel.begun.is_set() for channel in read) <= 2


def test_one_reader_is_awake_while_it_gets_on_and_more_are_woken_when_it_does_not(workers, go):
    """Those that are awake all want the interpreter's lock; those that wait for a disk do not."""
    first, second, third = served(workers, go, "GET", "GET", "GET")
    assert first.begun.wait(SECONDS)
    assert not second.begun.wait(4 * PATIENCE_SECONDS)
    workers.help()
    assert not second.begun.wait(4 * PATIENCE_SECONDS)
    workers.help()
    assert second.begun.wait(SECONDS)
    assert not third.begun.is_set()
    go.set()
    assert third.ended.wait(SECONDS)


def test_a_reader_that_is_done_takes_the_next_request_by_itself(workers, go):
    go.set()
    for channel in served(workers, go, *["GET"] * 50):
        assert channel.ended.wait(SECONDS)
    assert not workers.waiting
