"""Does any sequence of bytes make the service fail, hang, leak or grow?"""

import random
import re
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e import process, wire
from tests.e2e.forked import ForkedServer
from tests.e2e.mutations import CAMERA, RULE, mutate, valid_requests
from tests.pictures import picture, put

NUMBERS = (
    pytest.param(10_000, marks=pytest.mark.slow),
    pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.slowest]),
)
BATCH = 500
# These make the pools and caches that stay.
WARM_UP = 2_000
MOMENT = "2025-12-23T12:00:00Z"
CLIENTS = 4
SEED = 20251223
MOST_GROWTH_MIB = 20
# Each of its threads opens the database, that is a file and a log, when it gets its first request.
WORKERS = 12
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [A-Z][^\r\n]*\r\n")
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")


def statuses(received):
    """The status of each answer in a row of them."""
    found = []
    while received:
        line = STATUS.match(received)
        assert line, received[:200]
        found.append(int(line[1]))
        head, _, rest = received.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n")
        if not length and found[-1] not in (100, 204, 304):
            return found  # its end is that of its chunks, or of the connection
        # An answer to HEAD says how long a body would be.
        has_body = length and not rest.startswith(b"HTTP/1.")
        received = rest[int(length[1]) :] if has_body else rest
    return found


def send(url, sent):
    """The statuses of the answers to bytes after which the client says that it is done."""
    try:
        with wire.connect(url) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return statuses(wire.read_all(connection))
    except TimeoutError:
        pytest.fail(f"no answer to {sent!r}")
    except OSError:
        return []  # closed before all of it was sent


@pytest.fixture
def asked(tmp_path):
    """A server, and a function that makes a camera and asks in every way for what it has."""
    with ForkedServer(tmp_path) as server:
        put(server.base / "front/a.jpg", picture())
        description = requests.get(f"{server.url}/openapi.json").json()

        def post(path, **fields):
            return str(requests.post(server.url + path, json=fields).json()["id"])

        def requests_of_a_new_camera():
            camera = post("/api/cameras", **CAMERA)
            seen = {"object_type": "cat", "confidence": 1, "file_path": "a.jpg"}
            ids = {
                "camera_id": camera,
                "detection_id": post("/api/detections", camera_id=camera, **seen),
                "event_id": post("/api/events", camera_id=camera, started_at=MOMENT),
                "notification_id": post("/api/notifications", **RULE),
            }
            pictures = requests.get(f"{server.url}/api/cameras/{camera}/pictures").json()
            ids["picture_id"] = pictures["pictures"][0]["id"]
            return valid_requests(description, ids)

        yield server, requests_of_a_new_camera


def prune(server):
    """Delete all cameras, also those that mutants have made, so that lists do not grow."""
    for camera in requests.get(f"{server.url}/api/cameras").json()["cameras"]:
        requests.delete(f"{server.url}/api/cameras/{camera['id']}")


def test_each_request_is_valid_before_it_is_mutated(asked):
    server, requests_of_a_new_camera = asked
    for one in requests_of_a_new_camera():
        expected = {416} if b"bytes=999" in one else {200, 201, 206, 304}
        assert {*send(server.url, one)} <= expected, one


@pytest.mark.parametrize("number", NUMBERS)
def test_mutated_requests_neither_fail_nor_hang_nor_leak(asked, number):
    server, requests_of_a_new_camera = asked
    chance, pid, seen, before = random.Random(SEED), server.process.pid, Counter(), None
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in range(0, number, BATCH):
            # A mutant may have deleted the camera: each batch has one of its own.
            valid = requests_of_a_new_camera()
            batch = [mutate(chance, valid) for _ in range(BATCH)]
            answers = pool.map(lambda sent: send(server.url, sent), batch)
            for sent, found in zip(batch, answers, strict=True):
                assert all(status < 500 for status in found), (found, sent)
                seen.update(found)
            prune(server)
            if done == WARM_UP:
                before = process.descriptors(pid), process.resident_mib(pid)
    time.sleep(2)
    after = process.descriptors(pid), process.resident_mib(pid)
    print(dict(sorted(seen.items())), before, after)
    assert after[0] - before[0] <= WORKERS * 2
    assert after[1] - before[1] < MOST_GROWTH_MIB
    assert "Traceback" not in server.log()
    assert {200, 201, 206, 304, 400, 404, 405, 413, 414, 415, 416, 422, 431} <= seen.keys()
