"""Does the service manager learn that the service is up, answers, and stops?"""

import socket
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
import requests

from app.server import limits, main, process
from tests.e2e.server import PROJECT, Server


@pytest.fixture(params=["path", "abstract"])
def manager(tmp_path, request, monkeypatch):
    """What the service tells; the server inherits where."""
    path = str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as there:
        there.bind(path if request.param == "path" else f"\0{path}")
        there.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", path if request.param == "path" else f"@{path}")
        yield there


def test_it_tells_when_it_listens_answers_and_stops(manager, tmp_path):
    with Server(tmp_path) as running:
        assert manager.recv(100) == b"READY=1"
        assert requests.get(running.url + "/health").status_code == 200
        assert manager.recv(100) == b"WATCHDOG=1"
        running.stop()
    assert manager.recv(100) == b"STOPPING=1"


def test_it_starts_without_a_manager_and_with_one_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    process.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    process.notify("READY=1")


def test_the_watchdog_is_told_often_enough():
    unit = (PROJECT / "deploy/nvr-cameras.service").read_text()
    seconds = int(unit.split("WatchdogSec=")[1].split()[0])
    assert seconds > 2 * main.WATCHDOG_SECONDS + limits.STUCK_SECONDS


def test_the_watchdog_is_not_told_while_a_request_waits_in_vain(monkeypatch):
    workers = SimpleNamespace(read_waits=True)
    fair = limits.Fairness({}, workers, 10, 1)
    fair.apply()
    assert fair.answers()
    monkeypatch.setattr(limits, "STUCK_SECONDS", 0)
    assert not fair.answers()
    monkeypatch.setattr(limits, "STUCK_SECONDS", 5)
    fair.note_answer()
    assert fair.answers()


def test_the_watchdog_is_told_while_nobody_asks(monkeypatch):
    fair = limits.Fairness({}, SimpleNamespace(read_waits=False), 10, 1)
    monkeypatch.setattr(limits, "STUCK_SECONDS", 0.01)
    time.sleep(0.02)
    fair.apply()
    assert fair.answers()
