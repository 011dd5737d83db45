"""Do those that read get a thread whoever writes?"""

import threading
import time
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.server.pools import WRITERS, Workers
from app.server.readers import PATIENCE_SECONDS

SECONDS = 10


class Channel:
    """One request, served when it is let go on."""

    def __init__(self, command, may_end):
        self.requests = [SimpleNamespace(command=command) if command else SimpleNamespace()]
        self.was_cancelled = False
        self.may_end, self.begun, self.ended = may_end, threading.Event(), threading.Event()

    def service(self):
        self.thread = threading.current_thread().name
        self.begun.set()
        self.may_end.wait(SECONDS)
        self.ended.set()

    def cancel(self):
        self.was_cancelled = True


@pytest.fixture
def go():
    return threading.Event()


@pytest.fixture
def turns():
    """What is let go on is a turn of the loop that reads nothing."""
    return threading.Semaphore(0)


@pytest.fixture
def workers(go, turns):
    workers = Workers(2, lambda: turns.acquire(timeout=SECONDS), turns.release)
    yield workers
    go.set()
    workers.step_down()
    workers.shutdown()


@pytest.fixture
def led(workers):
    """One of the two readers leads."""
    workers.start()
    assert eventually(lambda: workers.wait(0))
    return workers


def served(workers, go, *commands):
    channels = [Channel(command, go) for command in commands]
    for channel in channels:
        workers.add_task(channel)
    return channels


def read(workers, turns, go, *commands):
    """What the one that leads has read in a turn."""
    channels = served(workers, go, *commands)
    turns.release()
    return channels


def eventually(holds):
    deadline = time.monotonic() + SECONDS
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return held


def test_any_number_of_writers_leaves_the_readers_their_threads(led, turns, go):
    written = served(led, go, *["POST", "PATCH", "DELETE"] * WRITERS)
    now = threading.Event()
    now.set()
    for command in ("GET", "HEAD", "OPTIONS", None):
        (channel,) = read(led, turns, now, command)
        assert channel.ended.wait(SECONDS), command
    assert sum(channel.begun.is_set() for channel in written) <= WRITERS
    assert not any(channel.ended.is_set() for channel in written)
    go.set()
    assert all(channel.ended.wait(SECONDS) for channel in written)


def test_any_number_of_readers_leaves_the_writers_their_threads(led, turns, go):
    channels = read(led, turns, go, *["GET"] * 9)
    now = threading.Event()
    now.set()
    (written,) = served(led, now, "POST")
    assert written.ended.wait(SECONDS)
    assert sum(channel.begun.is_set() for channel in channels) <= 2


def test_the_one_that_has_read_requests_answers_them_one_after_the_other(led, turns, go):
    """Those that are awake all want the interpreter's lock."""
    names = set()
    go.set()
    for _ in range(9):
        for channel in read(led, turns, go, *["GET"] * 3):
            assert channel.ended.wait(SECONDS)
            names.add(channel.thread)
    assert len(names) == 1
    assert not led.waiting


def test_another_one_leads_and_answers_when_an_answer_takes_long(led, turns, go):
    """Those that wait for a disk do not want the interpreter's lock."""
    first, second, third = read(led, turns, go, "GET", "GET", "GET")
    assert first.begun.wait(SECONDS)
    assert not second.begun.wait(4 * PATIENCE_SECONDS)
    led.help()
    assert second.begun.wait(SECONDS)
    assert second.thread != first.thread
    assert not third.begun.is_set()
    go.set()
    assert third.ended.wait(SECONDS)


def test_somebody_looks_after_an_answer_that_others_came_before(led, turns, go):
    """Nobody says a second time that it was asked for."""
    now = threading.Event()
    now.set()
    quick, slow = Channel("GET", now), Channel("GET", go)
    for channel in (quick, slow):
        led.add_task(channel)
    assert led.wait(0), "so that what was asked is forgotten"
    turns.release()
    assert slow.begun.wait(SECONDS)
    began = time.monotonic()
    assert led.wait(SECONDS)
    assert time.monotonic() - began < SECONDS / 2
    go.set()


def test_what_takes_no_time_leaves_the_lead_where_it_is(led, turns, go):
    (channel,) = read(led, turns, go, "GET")
    assert channel.begun.wait(SECONDS)
    led.help()
    assert led.wait(0)
    go.set()


def test_the_main_thread_leads_while_all_of_them_are_at_something(led, turns, go):
    first, second, third = read(led, turns, go, "GET", "GET", "GET")
    for channel in (first, second):
        assert channel.begun.wait(SECONDS)
        time.sleep(PATIENCE_SECONDS)
        led.help()
    assert not led.wait(SECONDS)
    assert led.read_waits
    turns.acquire(blocking=False)
    go.set()
    assert third.ended.wait(SECONDS)
    assert eventually(lambda: led.wait(0)), "one that is done leads again"


def test_who_leads_again_ends_the_waiting_of_the_main_thread(go, turns):
    wake = Mock(side_effect=turns.release)
    workers = Workers(1, lambda: turns.acquire(timeout=SECONDS), wake)
    workers.start()
    assert eventually(lambda: workers.wait(0))
    (channel,) = read(workers, turns, go, "GET")
    assert channel.begun.wait(SECONDS)
    time.sleep(PATIENCE_SECONDS)
    workers.help()
    assert not workers.wait(0)
    wake.reset_mock()
    go.set()
    assert eventually(lambda: wake.called)
    workers.shutdown()


def test_who_leads_is_woken_for_a_request_that_another_thread_has_found(go, turns):
    """The next one of a connection whose last one was answered by a writer, say."""
    woken = threading.Event()

    def wake():
        woken.set()
        turns.release()

    workers = Workers(2, lambda: turns.acquire(timeout=SECONDS), wake)
    workers.start()
    assert eventually(lambda: workers.wait(0))
    go.set()
    woken.clear()
    (channel,) = served(workers, go, "GET")
    assert channel.ended.wait(SECONDS / 2)
    assert woken.is_set()
    workers.shutdown()


def test_looking_ends_the_wait(led):
    started = time.monotonic()
    threading.Timer(0.05, led.look).start()
    assert led.wait(SECONDS)
    assert time.monotonic() - started < SECONDS / 2


def test_somebody_looks_after_what_was_asked(led, turns, go):
    go.set()
    started = time.monotonic()
    read(led, turns, go, "GET")
    assert led.wait(SECONDS)
    assert led.wait(0)
    assert time.monotonic() - started < SECONDS


def test_after_they_step_down_they_answer_what_the_main_thread_reads(led, go):
    led.step_down()
    assert not led.wait(SECONDS)
    go.set()
    for channel in served(led, go, *["GET"] * 9):
        assert channel.ended.wait(SECONDS)
    led.shutdown()
    assert not led.wait(SECONDS)


def test_an_answer_that_fails_leaves_the_thread_to_the_next(led, turns, go, caplog):
    go.set()
    broken, channel = Channel("GET", go), Channel("GET", go)
    broken.service = Mock(side_effect=RuntimeError("broken"))
    for each in (broken, channel):
        led.add_task(each)
    turns.release()
    assert channel.ended.wait(SECONDS)
    assert "a request was not answered" in caplog.text


def test_what_waits_at_the_end_is_cancelled(workers, go):
    channels = served(workers, go, *["GET"] * 3)
    assert eventually(lambda: sum(channel.begun.is_set() for channel in channels) == 2)
    workers.shutdown(timeout=0.1)
    assert [channel.was_cancelled for channel in channels] == [False, False, True]
