"""Is systemd notified that the service has started, that it answers, and that it stops?"""

import socket
import time
from contextlib import ExitStack, closing

import pytest
import requests

from app.server import event_loop, main
from tests.e2e import wire
from tests.e2e.forked import ForkedServer
from tests.e2e.server import PROJECT

# systemd is notified often, and soon no longer.
FAST_WATCHDOG = """
from app.server import event_loop, main
main.WATCHDOG_SECONDS = 0.1
main.TURN_SECONDS = 0.1
event_loop.STUCK_SECONDS = 1.0
"""
# An app that never answers /hang.
HANG = """
import time
from app.server import main
serve = main.main
def serve_with_hanging_path(app):
    inner = app.wsgi_app
    def answer(environ, start_response):
        if environ["PATH_INFO"] == "/hang":
            time.sleep(1000)
        return inner(environ, start_response)
    app.wsgi_app = answer
    serve(app)
main.main = serve_with_hanging_path
"""


@pytest.fixture(params=["path", "abstract"])
def manager(tmp_path, request, monkeypatch):
    """The socket that the service notifies; the server inherits its address."""
    path = str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as there:
        there.bind(path if request.param == "path" else f"\0{path}")
        there.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", path if request.param == "path" else f"@{path}")
        yield there


def is_silent(manager, seconds):
    """Whether no notification arrives for ``seconds``, at some time within 20 seconds."""
    manager.settimeout(seconds)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            manager.recv(100)
        except TimeoutError:
            return True
    return False


def test_the_manager_is_notified_of_the_start_of_answers_and_of_the_stop(manager, tmp_path):
    with ForkedServer(tmp_path) as running:
        assert manager.recv(100) == b"READY=1"
        assert requests.get(running.url + "/health").status_code == 200
        assert manager.recv(100) == b"WATCHDOG=1"
        running.stop()
    assert manager.recv(100) == b"STOPPING=1"


def test_notifying_a_missing_manager_raises_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    main.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    main.notify("READY=1")


def test_the_watchdog_is_notified_often_enough():
    unit = (PROJECT / "deploy/nvr-cameras.service").read_text()
    seconds = int(unit.split("WatchdogSec=")[1].split()[0])
    assert seconds > 2 * main.WATCHDOG_SECONDS + event_loop.STUCK_SECONDS


@pytest.mark.parametrize("method", ["POST", pytest.param("GET", marks=pytest.mark.slow)])
@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_the_watchdog_is_not_notified_while_a_request_waits_in_vain(manager, tmp_path, method):
    with (
        ForkedServer(tmp_path, FAST_WATCHDOG + HANG, NVR_THREADS="1") as running,
        ExitStack() as clients,
    ):
        assert [manager.recv(100) for _ in range(3)] == [b"READY=1", *[b"WATCHDOG=1"] * 2]
        hang = f"{method} /hang HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for _ in range(9):  # one more than there are worker threads for changes
            clients.enter_context(wire.connect(running.url)).sendall(hang)
        assert is_silent(manager, 2)


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_the_watchdog_is_not_notified_while_the_loop_fails(manager, tmp_path):
    fault = """
from app.server import limits
def fail(self):
    raise RuntimeError("every time")
limits.ConnectionLimits.apply = fail
"""
    with ForkedServer(tmp_path, FAST_WATCHDOG + fault):
        assert manager.recv(100) == b"READY=1"
        assert is_silent(manager, 2)


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_the_watchdog_is_notified_while_no_request_comes(manager, tmp_path):
    with ForkedServer(tmp_path, FAST_WATCHDOG):
        assert manager.recv(100) == b"READY=1"
        for _ in range(20):
            assert manager.recv(100) == b"WATCHDOG=1"
