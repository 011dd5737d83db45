"""How long do others wait while a camera with a million detections is deleted?"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measurement import Measurement
from benchmarks.service import Service, request
from benchmarks.stock import OTHER, OWNER

WRITERS = 4
PICTURE = b"\xff\xd8\xff" + b"\0" * 200 * 1024 + b"\xff\xd9"
PAUSE_SECONDS = 0.005
CALM_SECONDS = 5
CAMERA = f"/api/cameras/{OTHER}"


@dataclass
class Notes:
    """Waits in seconds, memory in MiB."""

    # Reads before the deletion; reads and writes during it.
    before: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    took: float = 0.0


def delete(service: Service) -> Notes:
    """Delete the camera that owns nearly all rows, while others read and write."""
    folder = service.base / "camera_1"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(PICTURE)
    notes, over = Notes(), threading.Event()
    reading = [CAMERA, f"{CAMERA}/snapshot"]
    _while(
        [lambda path=path: _read(service, path, notes.before, notes, over) for path in reading],
        lambda: time.sleep(CALM_SECONDS),
        over,
    )
    over.clear()
    jobs = [lambda path=path: _read(service, path, notes.reads, notes, over) for path in reading]
    jobs += [lambda: _write(service, notes, over)] * WRITERS
    _while(jobs, lambda: _delete(service, notes), over)
    return notes


def _while(
    jobs: list[Callable[[], None]], work: Callable[[], None], over: threading.Event
) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    work()
    over.set()
    for thread in threads:
        thread.join()


def _delete(service: Service, notes: Notes) -> None:
    with service.client() as client:
        before = time.perf_counter()
        status, _, body = client.ask(request("DELETE", f"/api/cameras/{OWNER}"))
        notes.took = time.perf_counter() - before
    assert status == 204, body


def _read(
    service: Service, path: str, reads: list[float], notes: Notes, over: threading.Event
) -> None:
    with service.client() as client:
        while not over.is_set():
            before = time.perf_counter()
            status, _, body = client.ask(request("GET", path))
            reads.append(time.perf_counter() - before)
            notes.memory.append(service.resident_mib())
            assert status == 200, body
            time.sleep(PAUSE_SECONDS)


def _write(service: Service, notes: Notes, over: threading.Event) -> None:
    with service.client() as client:
        while not over.is_set():
            body = json.dumps({"name": f"Camera of {time.time()}"}).encode()
            before = time.perf_counter()
            status, head, answer = client.ask(request("PATCH", CAMERA, body))
            notes.writes.append(time.perf_counter() - before)
            assert status == 200 or (status == 503 and b"\r\nRetry-After: " in head), answer
            time.sleep(PAUSE_SECONDS)


class _Once:
    """All rows are measured in one deletion, because it deletes all the data."""

    notes: Notes

    def first(self, on: Any) -> float:
        self.notes = delete(on.service)
        return max(self.notes.reads) * 1000

    def then(self, value: Callable[[Notes], float]) -> Callable[[Any], float]:
        return lambda _: value(self.notes)


_once = _Once()
MEASUREMENTS = (
    Measurement("slowest read while all of that is deleted", "ms", 100, _once.first),
    Measurement(
        "slowest read in the calm before",
        "ms",
        None,
        _once.then(lambda notes: max(notes.before) * 1000),
    ),
    Measurement(
        "slowest write meanwhile, or its 503",
        "s",
        5.5,
        _once.then(lambda notes: max(notes.writes)),
    ),
    Measurement(
        "memory that the service grows by meanwhile",
        "MiB RSS",
        50,
        _once.then(lambda notes: max(notes.memory) - notes.memory[0]),
    ),
    Measurement("the deletion itself", "s", None, _once.then(lambda notes: notes.took)),
)
