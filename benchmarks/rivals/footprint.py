"""What do the servers cost at the start, when idle, and when reads and writes mix?"""

import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from benchmarks.rivals import servers
from benchmarks.rivals.comparisons import FASTAPI, Setup
from benchmarks.rivals.servers import Server

STARTS = 5
SETTLE_SECONDS = 1
WRITES = 60
DETECTIONS_A_SECOND = 200
WATCHED_SECONDS = 8
STARTERS = {"service": servers.service, FASTAPI: servers.fastapi}


@dataclass(frozen=True, slots=True)
class Cost:
    """A row: the most that the service may need, as a ratio to FastAPI or in the unit itself."""

    name: str
    unit: str
    measure: Callable[[str], float]
    most_ratio: float | None = None
    most: float | None = None


def idle_memory(who: str) -> float:
    """MiB of a server that has just started and answered once."""
    with _fresh(who) as server:
        requests.get(server.url + "/api/cameras").raise_for_status()
        time.sleep(SETTLE_SECONDS)
        return server.resident_mib()


def start(who: str) -> float:
    """Seconds from nothing, a new database included, to the first answer."""

    def once() -> float:
        before = time.perf_counter()
        with _fresh(who) as server:
            requests.get(server.url + "/api/cameras").raise_for_status()
            return time.perf_counter() - before

    return statistics.median(once() for _ in range(STARTS))


COSTS = (
    Cost("idle", "MiB RSS", idle_memory, most=50),
    Cost("start to first answer", "s", start, most_ratio=0.65),
)


def list_after_write(setup: Setup, who: str) -> float:
    """Median milliseconds of a list that follows a change of one camera."""
    server, taken = setup.running[who], []
    with requests.Session() as session:
        for number in range(WRITES):
            fields = {"name": f"Camera {number}"}
            session.patch(server.url + setup.camera(who, "c9"), json=fields).raise_for_status()
            before = time.perf_counter()
            session.get(server.url + "/api/cameras").raise_for_status()
            taken.append(time.perf_counter() - before)
    return statistics.median(taken) * 1000


def slowest_reads(setup: Setup, path: str, detections: bool) -> float:
    """99th percentile in ms of reads, idle or while a detector posts `DETECTIONS_A_SECOND`."""
    server = setup.running["service"]
    stop, camera = threading.Event(), next(iter(setup.ids.values()))
    poster = threading.Thread(target=_post_detections, args=(server, camera, stop))
    if detections:
        poster.start()
    try:
        return _p99(server.url, path)
    finally:
        stop.set()
        if detections:
            poster.join()


def _p99(url: str, path: str) -> float:
    host, port = url.removeprefix("http://").split(":")
    asked, taken = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), []
    ends = time.monotonic() + WATCHED_SECONDS
    with socket.create_connection((host, int(port))) as connection:
        while time.monotonic() < ends:
            before = time.perf_counter()
            connection.sendall(asked)
            _receive(connection)
            taken.append(time.perf_counter() - before)
            time.sleep(0.002)
    return statistics.quantiles(taken, n=100)[98] * 1000


def _receive(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1 << 20)
    head, _, body = head.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += connection.recv(1 << 20)


def _post_detections(server: Server, camera: str, stop: threading.Event) -> None:
    """POST detections one by one at even intervals; after a delay it catches up."""
    seen = {"camera_id": camera, "object_type": "person", "confidence": 0.9}
    due = time.monotonic()
    with requests.Session() as session:
        while not stop.is_set():
            answer = session.post(
                f"{server.url}/api/detections",
                data=json.dumps(seen),
                headers={"Content-Type": "application/json"},
            )
            answer.raise_for_status()
            due += 1 / DETECTIONS_A_SECOND
            time.sleep(max(0, due - time.monotonic()))


@contextmanager
def _fresh(who: str) -> Iterator[Server]:
    with TemporaryDirectory() as folder:
        base = Path(folder, "base")
        base.mkdir()
        with STARTERS[who](Path(folder), base) as server:
            yield server
