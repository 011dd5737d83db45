"""How much CPU do cameras and snapshots cost, and what does the idle service need?"""

import json
import os
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.measurement import Group, Measurement
from benchmarks.service import Service, request, running

CAMERAS = 1000
PICTURES = 20
PICTURE_BYTES = 200 * 1024
LEAST_CPU_SECONDS = 1.2
WARM_UP = 100
RUNS = 3
STARTS = 5
SETTLE_SECONDS = 1
LIST = request("GET", "/api/cameras")


@dataclass(frozen=True, slots=True)
class Stage:
    """The running service with its data; ``camera`` is the URL of one with pictures."""

    service: Service
    camera: str


@contextmanager
def stage() -> Iterator[Stage]:
    """A service with `CAMERAS` cameras, one of which has `PICTURES` pictures."""
    with running() as service, service.client() as client:
        for number in range(CAMERAS):
            fields = {"name": f"Camera {number}", "folder_path": f"site/camera_{number}"}
            status, _, body = client.ask(
                request("POST", "/api/cameras", json.dumps(fields).encode())
            )
            assert status == 201, body
        _fill(service, fields["folder_path"])
        yield Stage(service, f"/api/cameras/{json.loads(body)['id']}")


def list_of_cameras(on: Stage) -> float:
    """All cameras."""
    return _cpu_ms(on.service, LIST, 200, CAMERAS * 100)


def one_camera(on: Stage) -> float:
    """One of them by its id."""
    return _cpu_ms(on.service, request("GET", on.camera), 200, 100)


def snapshot(on: Stage) -> float:
    """The newest picture of a folder."""
    return _cpu_ms(on.service, request("GET", f"{on.camera}/snapshot"), 200, PICTURE_BYTES)


def snapshot_known(on: Stage) -> float:
    """The same with the ETag of an earlier response."""
    with on.service.client() as client:
        _, head, _ = client.ask(request("GET", f"{on.camera}/snapshot"))
    etag = re.search(rb"(?i)\r\nETag: (\S+)", head)[1].decode()
    asked = request("GET", f"{on.camera}/snapshot", If_None_Match=etag)
    return _cpu_ms(on.service, asked, 304, 0)


def idle_memory(_: Stage) -> float:
    """Of a service that has just started and answered once."""
    with running() as service, service.client() as client:
        client.ask(LIST)
        time.sleep(SETTLE_SECONDS)
        return service.resident_mib()


def start(_: Stage) -> float:
    """From nothing, a new database included, to the first answer; the median of `STARTS`."""
    return statistics.median(_start() for _ in range(STARTS))


METHOD = (
    "The service runs as a process of its own, and one client sends requests over one keep-alive "
    f"connection until the service has used {LEAST_CPU_SECONDS} s of CPU (utime + stime of "
    f"/proc/PID/stat); the median of {RUNS} such runs counts. Memory is VmRSS one second after "
    f"the first answer. The start is the median of {STARTS} starts with a new database."
)
MEASUREMENTS = (
    Measurement("list of 1,000 cameras", "ms CPU per request", 3, list_of_cameras),
    Measurement("one camera", "ms CPU per request", 0.5, one_camera),
    Measurement("200 KiB snapshot, folder of 20", "ms CPU per request", 0.6, snapshot),
    Measurement("the same as a 304", "ms CPU per request", None, snapshot_known),
    Measurement("idle", "MiB RSS", 60, idle_memory),
    Measurement("start to first answer", "s", 1, start),
)
GROUP = Group(stage, MEASUREMENTS, METHOD)


def _start() -> float:
    before = time.perf_counter()
    with running() as service, service.client() as client:
        assert client.ask(LIST)[0] == 200
        return time.perf_counter() - before


def _cpu_ms(service: Service, asked: bytes, status: int, least_bytes: int) -> float:
    """CPU milliseconds of the service per request, the median of `RUNS` runs.

    Each response must have ``status`` and a body of at least ``least_bytes``.
    """
    with service.client() as client:

        def ask(times: int) -> None:
            for _ in range(times):
                answered, _, body = client.ask(asked)
                assert answered == status, (answered, body[:200])
                assert len(body) >= least_bytes, len(body)

        def run() -> float:
            count, before, used = 0, service.cpu_seconds(), 0.0
            while used < LEAST_CPU_SECONDS:
                ask(WARM_UP)
                count += WARM_UP
                used = service.cpu_seconds() - before
            return used / count * 1000

        ask(WARM_UP)
        return statistics.median(run() for _ in range(RUNS))


def _fill(service: Service, folder_path: str) -> None:
    """Write files of `PICTURE_BYTES` that begin and end like JPEG, a minute apart."""
    folder = service.base / folder_path
    folder.mkdir(parents=True)
    for number in range(1, PICTURES + 1):
        file = folder / f"snap_{number:02}.jpg"
        file.write_bytes(b"\xff\xd8\xff\0" + os.urandom(PICTURE_BYTES - 6) + b"\xff\xd9")
        moment = time.time() - 60 * number
        os.utime(file, (moment, moment))
