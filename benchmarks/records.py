"""How fast is it with a million detections? Batches, pages, counts, and a deletion."""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import deletion
from benchmarks.filters import combinations
from benchmarks.measurement import Group, Measurement
from benchmarks.service import Client, Service, request, running
from benchmarks.stock import OTHER, fill

# Threads of the service that answer writes.
WRITERS = 8
BATCHES = 40
ROWS = 1000
# The slowest are measured again, so that an interruption by another program does not count.
AGAIN, TURNS = 25, 9
ROUNDS = 3
METHOD = (
    "Records: the database holds 1,000,000 detections, 100,000 events and 100,000 audit entries. "
    "All belong to one camera except the 20 oldest of each, which alone match the selective "
    "filters. A batch is the median of 40, the best of three times 40, its answer included. Every "
    "combination of filters is requested: each filter absent, with a value that nearly all rows "
    "have, with one that only the oldest few have, and with one that none has. The 25 slowest are "
    "repeated nine times, and the greatest median of the threads' CPU time (schedstat of "
    "/proc/PID/task) counts. While the camera with all of that is deleted, two clients read and "
    "four write all the time; the waits are theirs."
)


@dataclass(frozen=True, slots=True)
class Stage:
    """The running service with its full database, and a client of it."""

    service: Service
    client: Client

    def wait(self, path: str) -> float:
        """Milliseconds until the response was complete."""
        before = time.perf_counter()
        status, _, body = self.client.ask(request("GET", path))
        assert status == 200, body
        return (time.perf_counter() - before) * 1000

    def cost(self, path: str) -> float:
        """CPU milliseconds of the service for the request, the median of `TURNS` times."""
        return statistics.median(self._cost(path) for _ in range(TURNS))

    def _cost(self, path: str) -> float:
        before = self.service.running_ms()
        self.wait(path)
        return self.service.running_ms() - before


@contextmanager
def stage() -> Iterator[Stage]:
    """A service on a full database."""
    with tempfile.TemporaryDirectory() as folder:
        url = fill(Path(folder))
        with running(NVR_DATABASE_URL=url) as service, service.client() as client:
            yield Stage(service, client)


def batch(on: Stage) -> float:
    """Detections per second in batches of a thousand, all optional fields set."""
    return max(ROWS / _median_batch(on) for _ in range(ROUNDS))


def _median_batch(on: Stage) -> float:
    took = []
    for number in range(BATCHES):
        asked = request("POST", "/api/detections", _batch(OTHER, f"{time.time()}-{number}"))
        before = time.perf_counter()
        status, _, body = on.client.ask(asked)
        took.append(time.perf_counter() - before)
        assert status == 201, body
    return statistics.median(took)


def batch_cpu(on: Stage) -> float:
    """CPU milliseconds of the service per batch."""
    before = on.service.cpu_seconds()
    _median_batch(on)
    return (on.service.cpu_seconds() - before) / BATCHES * 1000


def syncs(_: Stage) -> float | None:
    """fsync and fdatasync calls per batch, after every thread has written once."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile() as trace:
        strace = ["strace", "-D", "-f", "-o", trace.name, "-e", "fsync,fdatasync"]
        if subprocess.run(["strace", "-D", "-o", "/dev/null", "true"]).returncode:
            return None
        with running(strace) as service, service.client() as client:
            camera = json.dumps({"name": "a", "folder_path": "a"}).encode()
            for _ in range(2 * WRITERS):
                _, _, body = client.ask(request("POST", "/api/cameras", camera))
            before = _syncs(trace.name)
            for number in range(10):
                posted = _batch(json.loads(body)["id"], str(number))
                assert client.ask(request("POST", "/api/detections", posted))[0] == 201
            return (_syncs(trace.name) - before) / 10


def pages(name: str) -> Measurement:
    """The slowest first page of any combination of filters."""
    paths = [f"{path}&count=false" for path in combinations(name)]
    what = f"first page of {name}, slowest of {len(paths):,} filters"
    return Measurement(what, "ms CPU", 20, lambda on: _slowest(on, paths))


def counts(name: str) -> Measurement:
    """The slowest count, of filters that nearly all rows match."""
    paths = [path.replace("limit=50", "limit=1") for path in combinations(name, most_values=1)]
    what = f"the same with `count`, slowest of {len(paths)} that match nearly all"
    return Measurement(what, "ms CPU", 150, lambda on: _slowest(on, paths))


def last_page(name: str, size: int) -> Measurement:
    """The last full page by cursor."""

    def walk(on: Stage) -> float:
        path, cursor, key = f"/api/{name}?count=false&limit={size}", "", ""
        while True:
            _, _, body = on.client.ask(request("GET", path + cursor))
            following = json.loads(body)["next_cursor"]
            if following is None:
                return on.cost(path + key)
            key, cursor = cursor, f"&cursor={following}"

    return Measurement(f"last page of {size:,} {name} by cursor", "ms CPU", 20, walk)


def first_page(name: str, size: int) -> Measurement:
    """The first page, to compare the last one with."""
    path = f"/api/{name}?count=false&limit={size}"
    return Measurement(
        f"first page of {size:,} {name}",
        "ms CPU",
        20,
        lambda on: on.cost(path),
    )


GROUP = Group(
    stage,
    (
        *(make(name) for name in ("detections", "events", "audit") for make in (pages, counts)),
        first_page("detections", ROWS),
        last_page("detections", ROWS),
        Measurement("1,000 detections in one POST", "rows per second", 20_000, batch, True),
        Measurement("the same", "ms CPU per batch", None, batch_cpu),
        Measurement("the same", "fsyncs per batch", 1, syncs),
        *deletion.MEASUREMENTS,
    ),
    METHOD,
)


def _batch(camera: str, name: str) -> bytes:
    seen = {
        "camera_id": camera,
        "detected_at": "2026-12-23T13:00:00.5+01:00",
        "object_type": "person",
        "confidence": 0.93,
        "bbox": {"x": 120, "y": 80, "width": 64, "height": 128},
        "file_path": "20251223/120000.jpg",
    }
    rows = [seen | {"external_id": f"{name}-{number}"} for number in range(ROWS)]
    return json.dumps({"detections": rows}).encode()


def _syncs(trace: str) -> int:
    return len(re.findall(r"f(?:data)?sync(?:\(| resumed).*= 0", Path(trace).read_text()))


def _slowest(on: Stage, paths: list[str]) -> float:
    once = sorted(((on.wait(path), path) for path in paths), reverse=True)[:AGAIN]
    value, path = max((on.cost(path), path) for _, path in once)
    print(f"  {value:.1f} ms {path}", file=sys.stderr)
    return value
