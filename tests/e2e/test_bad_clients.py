"""Does a slow or broken client delay or exclude the others?

Each test connects bad clients and meanwhile sends ordinary requests.
"""

import resource
import socket
import sqlite3
import statistics
import threading
import time
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

import pytest
import requests

from app.config import MIB
from tests.e2e import process, wire
from tests.e2e.forked import ForkedServer
from tests.pictures import picture, put
from tests.problems import assert_problem

PATIENCE = 1
# In seconds: other clients are answered within this time while bad clients are connected.
PROMPT = 2.0
DEADLINE_SECONDS = 30
# Longer than the service bears a client that sends a byte at a time.
CUT_OFF_SECONDS = 20
CAMERA = {"name": "Front", "folder_path": "front"}
LIST = b"GET /api/cameras HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server whose `NVR_CLIENT_SECONDS` is one second."""
    folder = tmp_path_factory.mktemp("hasty")
    with ForkedServer(folder, NVR_CLIENT_SECONDS=str(PATIENCE)) as server:
        yield server


@pytest.fixture
def crowd():
    """Connections that are closed when the test is over."""
    with ExitStack() as stack:
        yield stack


def others_are_served(server, seconds=0.0):
    """Assert that requests, each on a new connection, are answered in time for ``seconds``.

    More than half of them, for a busy machine delays a few.
    """
    until, took = time.monotonic() + seconds, []
    while len(took) < 5 or time.monotonic() < until:
        began = time.monotonic()
        answer = requests.get(server.url + "/api/cameras", timeout=DEADLINE_SECONDS)
        assert answer.status_code == 200
        took.append(time.monotonic() - began)
        time.sleep(0.05)
    assert statistics.median(took) < PROMPT


def is_closed(connection, within):
    """Whether the server closes the connection within ``seconds``."""
    connection.settimeout(within)
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def send_all(connection, data):
    """Send ``data``, or as much of it as the server takes before it closes the connection."""
    with suppress(OSError):
        connection.sendall(data)


def seconds_until_cut_off(connection, data, pause=0.5):
    """After how many seconds of repeated ``data`` the server closes the connection."""
    began = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() < began + CUT_OFF_SECONDS:
            connection.sendall(data)
            time.sleep(pause)
    return time.monotonic() - began


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing", marks=pytest.mark.slow),
        pytest.param(b"GET /api/cam", id="line", marks=pytest.mark.slow),
        pytest.param(LIST[:-2], id="header"),
    ],
)
def test_120_half_open_connections_are_closed_and_keep_nobody_waiting(hasty, crowd, sent):
    before = process.descriptors(hasty.process.pid)
    connections = [crowd.enter_context(wire.connect(hasty.url)) for _ in range(120)]
    for connection in connections:
        connection.sendall(sent)
    others_are_served(hasty, 1)
    assert all(is_closed(connection, DEADLINE_SECONDS) for connection in connections)
    # Each of the four threads may have opened the database meanwhile: its file, log and index.
    assert process.descriptors(hasty.process.pid) <= before + 4 * 3 + 1


def test_a_connection_above_the_limit_closes_the_one_that_was_idle_longest(shared_server, crowd):
    good = crowd.enter_context(wire.connect(shared_server.url))
    connections = [crowd.enter_context(wire.connect(shared_server.url)) for _ in range(600)]
    others_are_served(shared_server)
    good.sendall(LIST)
    for connection in connections:
        connection.close()
    others_are_served(shared_server)
    assert "too many connections" in shared_server.log()


def test_a_header_of_a_byte_at_a_time_is_cut_off(hasty, crowd):
    connection = crowd.enter_context(wire.connect(hasty.url))
    assert PATIENCE <= seconds_until_cut_off(connection, LIST[:1]) < CUT_OFF_SECONDS
    others_are_served(hasty)


@pytest.mark.slow
def test_a_body_of_a_byte_at_a_time_is_cut_off(hasty, crowd):
    connection = crowd.enter_context(wire.connect(hasty.url))
    connection.sendall(wire.post(b"x" * 1000)[:-900])
    assert PATIENCE <= seconds_until_cut_off(connection, b"x") < CUT_OFF_SECONDS


@pytest.mark.slow
def test_a_client_that_pauses_between_requests_keeps_its_connection(hasty, crowd):
    connection = crowd.enter_context(closing(HTTPConnection(hasty.url.removeprefix("http://"))))
    connection.connect()
    first = connection.sock
    for pause in (PATIENCE + 2, PATIENCE + 2, 0):
        connection.request("GET", "/api/cameras")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read()
        assert connection.sock is first
        time.sleep(pause)


@pytest.mark.slow
def test_a_slow_but_steady_client_gets_all_of_its_picture(hasty, crowd):
    data = picture().ljust(4 * MIB, b"\0") + picture()
    put(hasty.base / "steady" / "a.jpg", data)
    made = requests.post(hasty.url + "/api/cameras", json=CAMERA | {"folder_path": "steady"})
    connection = crowd.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.connect(("127.0.0.1", int(hasty.url.rpartition(":")[2])))
    path = made.headers["Location"] + "/snapshot"
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    received, began = b"", time.monotonic()
    while piece := connection.recv(32 * 1024):
        received += piece
        time.sleep(0.03)
    assert time.monotonic() - began > PATIENCE
    assert received.endswith(data)


def test_8_clients_that_never_read_a_large_picture_hold_bounded_memory(tmp_path, crowd):
    with ForkedServer(tmp_path, NVR_CLIENT_SECONDS=str(PATIENCE)) as server:
        put(server.base / "front" / "a.jpg", picture().ljust(16 * MIB - 1, b"\0"), age=60)
        location = requests.post(server.url + "/api/cameras", json=CAMERA).headers["Location"]
        before = process.sockets(server.process.pid)
        # Each client sends ten requests at once; eight more connect before the first are cut off.
        ask = f"GET {location}/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 10
        for _ in range(2):
            connections = [crowd.enter_context(wire.connect(server.url)) for _ in range(8)]
            for connection in connections:
                connection.sendall(ask)
            others_are_served(server, 1)
        peak = process.peak_mib(server.process.pid)
        print(f"peak {peak:.0f} MiB")
        assert peak < 300
        # All are cut off, four at a time, because four readers serve them.
        deadline = time.monotonic() + 80
        while process.sockets(server.process.pid) > before:
            assert time.monotonic() < deadline
            others_are_served(server)


@pytest.mark.slow
def test_exports_that_are_not_read_release_their_threads(tmp_path, crowd):
    # A client may stand still for longer than a busy machine takes to fill its buffer.
    with ForkedServer(tmp_path, NVR_CLIENT_SECONDS="600") as server:
        camera = requests.post(server.url + "/api/cameras", json=CAMERA).json()["id"]
        with closing(sqlite3.connect(server.database)) as database, database:
            database.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) "
                "INSERT INTO event (camera_id, started_at, summary, reasoning, reviewed) "
                "SELECT ?, '2026-01-01T00:00:00.000000Z', '', ?, 0 FROM n",
                (camera, "x" * 10000),
            )
        for _ in range(6):
            connection = crowd.enter_context(wire.connect(server.url))
            connection.sendall(b"GET /api/events/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1)
        # The requests of the 5th and the 6th client are served before those of others.
        requests.get(server.url + "/api/cameras", timeout=3 * DEADLINE_SECONDS)
        others_are_served(server, 1)
        assert "other requests for the thread" in server.log()
        assert process.peak_mib(server.process.pid) < 300


@pytest.mark.slow
def test_a_refused_client_that_never_stops_sending_is_cut_off(hasty, crowd):
    connection = crowd.enter_context(wire.connect(hasty.url))
    assert seconds_until_cut_off(connection, b"\x16\x03\r\n\r\n", pause=0.05) < CUT_OFF_SECONDS


@pytest.mark.slow
def test_half_sent_bodies_hold_bounded_memory(hasty, crowd):
    before = process.resident_mib(hasty.process.pid)
    half = wire.post(b"x" * MIB)[:-100]
    for _ in range(150):
        connection = crowd.enter_context(wire.connect(hasty.url))
        threading.Thread(target=send_all, args=(connection, half), daemon=True).start()
    others_are_served(hasty, 2)
    assert process.peak_mib(hasty.process.pid) - before < 160


def test_without_free_descriptors_the_service_logs_it_idles_and_recovers(tmp_path, crowd):
    with ForkedServer(tmp_path, NVR_THREADS="1") as server:
        put(server.base / "front" / "a.jpg", picture())
        location = requests.post(server.url + "/api/cameras", json=CAMERA).headers["Location"]
        connection = crowd.enter_context(requests.Session())
        # The one reader opens the database, and the connection stays open.
        assert connection.get(server.url + location + "/snapshot").status_code == 200
        pid, logged = server.process.pid, server.log().count("\n")
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        failed, until = None, time.monotonic() + DEADLINE_SECONDS
        # Another thread may close a descriptor just after the lowest free one was looked up.
        while (failed is None or failed.ok) and time.monotonic() < until:
            lowest = process.lowest_free_descriptor(pid)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest, limits[1]))
            failed = connection.get(server.url + location + "/snapshot", timeout=DEADLINE_SECONDS)
        assert_problem(failed, 503, "out_of_resources")
        assert failed.headers["Retry-After"] == "1"
        before = process.cpu_seconds(pid)
        for _ in range(40):
            crowd.enter_context(wire.connect(server.url))
        time.sleep(2)
        assert process.cpu_seconds(pid) - before < 0.5
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        crowd.close()
        others_are_served(server, 1)
        assert requests.get(server.url + location + "/snapshot").status_code == 200
        assert server.log().count("\n") < logged + 15
