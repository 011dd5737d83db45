"""Does the real process send large clips in little memory while they are read and changed?"""

import hashlib
import os
import random
import signal
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import requests

from app.config import MIB
from tests.e2e import process
from tests.e2e.forked import ForkedServer

pytestmark = pytest.mark.slow
PATIENCE = 2
SIZE = 300 * MIB
DEADLINE_SECONDS = 30
WITH_CLIPS = """
import app
from tests import clips
app.PARTS = (*app.PARTS, clips)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The service with the view of `tests.clips`; a client may stand still for two seconds."""
    folder = tmp_path_factory.mktemp("clips")
    with ForkedServer(folder, WITH_CLIPS, NVR_CLIENT_SECONDS=str(PATIENCE)) as server:
        yield server


@pytest.fixture
def clip(server):
    """The file of a clip of 300 MiB with different bytes here and there, else sparse."""
    path = server.base / "a.mp4"
    with path.open("wb") as file:
        file.truncate(SIZE)
        dice = random.Random(1)
        for position in (0, MIB, 3 * MIB, 200 * MIB, SIZE - 1000):
            file.seek(position)
            file.write(dice.randbytes(1000))
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def crowd():
    """Connections that are closed when the test is over."""
    with ExitStack() as stack:
        yield stack


def ask(crowd, server, headers=b""):
    """A connection that has asked for the clip and read nothing."""
    connection = crowd.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    connection.settimeout(DEADLINE_SECONDS)
    connection.sendall(b"GET /clips/a.mp4 HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n")
    return connection


def begin_to_read(connection):
    """Read the head of the response and some bytes of the clip."""
    received = b""
    while not received.partition(b"\r\n\r\n")[2]:
        piece = connection.recv(1000)
        assert piece
        received += piece


def test_a_clip_of_300_mib_arrives_whole_in_little_memory(server, clip):
    url = server.url + "/clips/a.mp4"
    requests.get(url, headers={"Range": "bytes=0-9"}, timeout=DEADLINE_SECONDS)
    before = process.peak_mib(server.process.pid)
    began, digest = time.monotonic(), hashlib.sha256()
    with requests.get(url, stream=True, timeout=DEADLINE_SECONDS) as answer:
        for piece in answer.iter_content(MIB):
            digest.update(piece)
    with clip.open("rb") as file:
        assert digest.digest() == hashlib.file_digest(file, "sha256").digest()
    print(f"{SIZE / MIB / (time.monotonic() - began):.0f} MiB/s")
    assert process.peak_mib(server.process.pid) - before < 4


def test_a_player_that_seeks_gets_each_range_on_one_connection(server, clip):
    with requests.Session() as session, clip.open("rb") as file:
        for start in (SIZE - 1000, 0, 200 * MIB, 3 * MIB - 10, 1):
            given = {"Range": f"bytes={start}-{start + 2 * MIB}"}
            answer = session.get(server.url + "/clips/a.mp4", headers=given, timeout=20)
            file.seek(start)
            assert (answer.status_code, answer.content) == (206, file.read(2 * MIB + 1))


def test_8_clients_that_never_read_hold_little_memory_and_are_cut_off(server, clip, crowd):
    requests.get(server.url + "/clips/a.mp4", headers={"Range": "bytes=0-9"}, timeout=20)
    pid = server.process.pid
    before, sockets = process.resident_mib(pid), process.sockets(pid)
    for _ in range(8):
        ask(crowd, server)
    # A connection of the test before may have been counted, and be closed meanwhile.
    accepted_by = time.monotonic() + 5
    while process.sockets(pid) < sockets + 8 and time.monotonic() < accepted_by:
        time.sleep(0.01)
    for _ in range(20):
        assert requests.get(server.url + "/api/cameras", timeout=20).status_code == 200
    grown = process.resident_mib(pid) - before
    print(f"8 clients hold {grown:.1f} MiB")
    assert grown < 6
    deadline = time.monotonic() + DEADLINE_SECONDS
    while process.sockets(pid) > sockets:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_slow_but_steady_client_is_not_cut_off(server, clip, crowd):
    connection = ask(crowd, server, b"Range: bytes=0-3000000\r\nConnection: close\r\n")
    count, began = 0, time.monotonic()
    while piece := connection.recv(32 * 1024):
        count += len(piece)
        time.sleep(0.05)
    assert count > 3_000_000
    assert time.monotonic() - began > PATIENCE


@pytest.mark.parametrize("change", ["cut short", "rewritten", "replaced", "deleted"])
def test_a_clip_that_changes_while_it_is_sent_ends_its_connection_alone(
    server, clip, crowd, change
):
    changing, other = ask(crowd, server), requests.Session()
    begin_to_read(changing)
    if change == "cut short":
        os.truncate(clip, 1000)
    elif change == "rewritten":
        with clip.open("r+b") as file:
            file.write(b"new")
    elif change == "replaced":
        clip.with_name("b.mp4").write_bytes(b"new")
        clip.with_name("b.mp4").rename(clip)
    else:
        clip.unlink()
    count = 0
    while piece := changing.recv(MIB):
        count += len(piece)
    assert count < SIZE - MIB
    assert other.get(server.url + "/health", timeout=20).status_code == 200
    other.close()


def test_a_client_that_goes_away_leaves_nothing_open(server, clip):
    files = process.descriptors(server.process.pid)
    for _ in range(10):
        with ExitStack() as crowd:
            begin_to_read(ask(crowd, server))
    deadline = time.monotonic() + DEADLINE_SECONDS
    while process.descriptors(server.process.pid) > files:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_requests_in_a_row_on_one_connection_are_answered_in_order(server, clip, crowd):
    second = b"\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n"
    connection = ask(crowd, server, b"Range: bytes=0-999999\r\n" + second)
    received = b""
    while b"alive" not in received:
        piece = connection.recv(MIB)
        assert piece
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    assert b"HTTP/1.1 206 " in head
    with clip.open("rb") as file:
        assert rest[:1_000_000] == file.read(1_000_000)
    assert rest[1_000_000:].startswith(b"HTTP/1.1 200 OK")


def test_no_version_is_mixed_with_another_while_a_clip_is_rewritten_all_the_time(server, clip):
    versions = [bytes([number]) * (2 * MIB) for number in range(2)]
    is_over, mixed, whole = threading.Event(), [], 0

    def rewrite():
        number = 0
        while not is_over.is_set():
            clip.write_bytes(versions[number % 2])
            number += 1
            time.sleep(random.random() / 5)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(100):
            try:
                answer = requests.get(server.url + "/clips/a.mp4", timeout=20)
            except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError):
                continue
            whole += len(answer.content) == len(versions[0])
            if answer.ok and len(set(answer.content)) > 1:
                mixed.append(len(answer.content))
    finally:
        is_over.set()
        writer.join()
    print(f"{whole} whole answers")
    assert mixed == []


def test_the_service_stops_in_time_while_clips_are_sent(tmp_path, crowd):
    with ForkedServer(tmp_path, WITH_CLIPS) as server:
        with (server.base / "a.mp4").open("wb") as file:
            file.truncate(SIZE)
        for _ in range(3):
            begin_to_read(ask(crowd, server))
        assert server.stop(signal.SIGTERM) == 0
