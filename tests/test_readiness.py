"""Is each socket told of once, and again as soon as anybody asks?"""

import os
import socket
import threading
import time

import pytest
from waitress import wasyncore

from app.server.poller import Readiness

SECONDS = 10


class Client(wasyncore.dispatcher):
    """Notes what it is told of; waits for what it is told to wait for."""

    def __init__(self, end, sockets):
        super().__init__(end, map=sockets)
        self.connected, self.reads, self.writes, self.told = True, True, False, []

    def readable(self):
        return self.reads

    def writable(self):
        return self.writes

    def handle_read(self):
        self.told.append("read")

    def handle_write(self):
        self.told.append("write")


@pytest.fixture
def sockets():
    return {}


@pytest.fixture
def readiness(sockets):
    readiness = Readiness(sockets)
    yield readiness
    readiness.close()


@pytest.fixture
def pair(sockets):
    near, far = socket.socketpair()
    client = Client(near, sockets)
    yield client, far
    client.close()
    far.close()


def test_nobody_is_told_of_before_asking(readiness, pair):
    client, far = pair
    far.send(b"x")
    readiness.turn(0)
    assert client.told == []
    readiness.ask(client)
    readiness.turn(0)
    assert client.told == ["read"]


def test_who_still_waits_is_told_again_and_who_does_not_is_not(readiness, pair):
    client, far = pair
    far.send(b"x")
    readiness.ask(client)
    readiness.turn(0)
    readiness.turn(0)
    assert client.told == ["read"] * 2
    client.reads = False
    readiness.ask(client)
    readiness.turn(0)
    assert client.told == ["read"] * 2
    client.reads = client.writes = True
    readiness.ask(client)
    readiness.turn(0)
    assert client.told == ["read"] * 2 + ["read", "write"]


def test_who_asks_in_another_thread_is_told_of_by_the_turn_that_waits(readiness, pair):
    client, far = pair
    client.reads = False
    readiness.ask(client)
    far.send(b"x")

    def ask():
        time.sleep(0.05)
        client.reads = True
        readiness.ask(client)

    thread, began = threading.Thread(target=ask), time.monotonic()
    thread.start()
    readiness.turn(SECONDS)
    thread.join()
    assert client.told == ["read"]
    assert time.monotonic() - began < SECONDS / 2


def test_what_does_not_change_is_not_asked_for_again(readiness, pair, monkeypatch):
    client, _ = pair
    readiness.ask(client)
    monkeypatch.setattr(readiness, "_epoll", None)
    for _ in range(3):
        readiness.ask(client)


def test_a_number_that_is_used_again_is_another_socket(readiness, sockets):
    for _ in range(3):
        near, far = socket.socketpair()
        client = Client(near, sockets)
        readiness.ask(client)
        far.send(b"x")
        readiness.turn(0)
        assert client.told == ["read"]
        other = os.dup(near.fileno())
        readiness.forget(client)
        client.close()
        readiness.ask(client)
        readiness.turn(0)
        assert client.told == ["read"]
        far.close()
        os.close(other)
