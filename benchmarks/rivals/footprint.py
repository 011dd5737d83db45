"""What do they cost before, between and beside requests? Less is better."""

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

from benchmarks.rivals import contenders
from benchmarks.rivals.contenders import Contender
from benchmarks.rivals.contests import FASTAPI, Arena

STARTS = 5
SETTLE_SECONDS = 1
WRITES = 60
DETECTIONS_A_SECOND = 200
WATCHED_SECONDS = 8
STARTERS = {"service": contenders.service, FASTAPI: contenders.fastapi}


@dataclass(frozen=True, slots=True)
class Cost:
    """A row: ours divided by theirs is at most ``goal``, ours at most ``limit`` by itself."""

    name: str
    unit: str
    goal: float
    measure: Callable[[str], float]
    limit: float | None = None


def idle_memory(who: str) -> float:
    """MiB of a server that has just started and answered once."""
    with _fresh(who) as contender:
        requests.get(contender.url + "/api/cameras").raise_for_status()
        time.sleep(SETTLE_SECONDS)
        return contender.resident_mib()


def start(who: str) -> float:
    """Seconds from nothing, a new database included, to the first answer."""

    def once() -> float:
        before = time.perf_counter()
        with _fresh(who) as contender:
            requests.get(contender.url + "/api/cameras").raise_for_status()
            return time.perf_counter() - before

    return statistics.median(once() for _ in range(STARTS))


COSTS = (
    Cost("idle", "MiB RSS", 0.55, idle_memory, limit=45),
    Cost("start to first answer", "s", 0.4, start),
)


def list_after_write(here: Arena, who: str) -> float:
    """Median milliseconds of a list that follows a change of one camera."""
    contender, taken = here.running[who], []
    with requests.Session() as session:
        for number in range(WRITES):
            fields = {"name": f"Camera {number}"}
            session.patch(contender.url + here.camera(who, "c9"), json=fields).raise_for_status()
            before = time.perf_counter()
            session.get(contender.url + "/api/cameras").raise_for_status()
            taken.append(time.perf_counter() - before)
    return statistics.median(taken) * 1000


def slowest_reads(here: Arena, path: str, detections: bool) -> float:
    """99th percentile in ms of reads, idle or while a detector posts `DETECTIONS_A_SECOND`."""
    contender = here.running["service"]
    stop, camera = threading.Event(), next(iter(here.ids.values()))
    poster = threading.Thread(target=_post_detections, args=(contender, camera, stop))
    if detections:
        poster.start()
    try:
        return _p99(contender.url, path)
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


def _post_detections(contender: Contender, camera: str, stop: threading.Event) -> None:
    """One POST a detection, evenly spaced; late ones are made up for."""
    seen = {"camera_id": camera, "object_type": "person", "confidence": 0.9}
    due = time.monotonic()
    with requests.Session() as session:
        while not stop.is_set():
            answer = session.post(
                f"{contender.url}/api/detections",
                data=json.dumps(seen),
                headers={"Content-Type": "application/json"},
            )
            answer.raise_for_status()
            due += 1 / DETECTIONS_A_SECOND
            time.sleep(max(0, due - time.monotonic()))


@contextmanager
def _fresh(who: str) -> Iterator[Contender]:
    with TemporaryDirectory() as folder:
        base = Path(folder, "base")
        base.mkdir()
        with STARTERS[who](Path(folder), base) as contender:
            yield contender
