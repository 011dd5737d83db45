"""How long do other requests wait while retention deletes 100,000 pictures?"""

import json
import time
from functools import cache
from typing import Any, NamedTuple

from benchmarks import tree
from benchmarks.measurement import Measurement
from benchmarks.service import Service, request, running
from benchmarks.waiting import PICTURE, waiting

# Files older than `KEEP_DAYS` go: 100,000 of those that this many runs of uploads make.
RUNS, KEEP_DAYS = 324, 1
CALM_SECONDS, INDEX_SECONDS = 20, 1800


class Found(NamedTuple):
    """``files``: how many were deleted, in so many ``seconds``; ``calm`` and ``busy``: the 99th
    percentile of other requests before and meanwhile, in ms; ``grown``: MiB at the most.
    """

    files: int
    seconds: float
    calm: float
    busy: float
    grown: float


@cache
def prune() -> Found:
    """What was found in one run of retention."""
    with running() as service:
        (service.base / "other").mkdir()
        (service.base / "other" / "a.jpg").write_bytes(PICTURE)
        other = tree.register(service, "other")
        cameras = [tree.register(service, tree.folder(n)) for n in range(tree.CAMERAS)]
        tree.fill(service.base, time.time(), RUNS)
        _wait_for_index(service, cameras)
        _ask(service, "PATCH", "/api/settings", {"keep_days": KEEP_DAYS})
        with waiting(service, other) as calm:
            time.sleep(CALM_SECONDS)
        memory, begun = service.resident_mib(), time.monotonic()
        with waiting(service, other) as busy:
            report = _ask(service, "POST", "/api/system/retention", None)
        seconds = time.monotonic() - begun
        files = report["pictures"] + report["clips"]
        waits = calm.percentile(99), busy.percentile(99)
        return Found(files, seconds, *waits, busy.most_mib - memory)


def measurement(name: str, unit: str, goal: float | None, value: Any) -> Measurement:
    """One of the findings of `prune`."""
    return Measurement(name, unit, goal, lambda _: float(value(prune())))


MEASUREMENTS = (
    measurement(
        "retention of 100,000 files", "files a second", None, lambda f: f.files / f.seconds
    ),
    measurement("99th percentile of other requests before", "ms", None, lambda f: f.calm),
    measurement("99th percentile of other requests meanwhile", "ms", None, lambda f: f.busy),
    measurement("the same, against before", "times", 2, lambda f: f.busy / f.calm),
    measurement("memory that the service grows by meanwhile", "MiB RSS", 20, lambda f: f.grown),
)


def _wait_for_index(service: Service, cameras: list[str]) -> None:
    """Wait until all files are in the index."""
    deadline = time.monotonic() + INDEX_SECONDS
    for camera in cameras:
        while _ask(service, "GET", f"{camera}/pictures?limit=1", None)["count"] < RUNS * tree.RUN:
            assert time.monotonic() < deadline, camera


def _ask(service: Service, method: str, path: str, fields: dict[str, Any] | None) -> Any:
    body = b"" if fields is None else json.dumps(fields).encode()
    with service.client() as client:
        status, _, answer = client.ask(request(method, path, body))
    assert status == 200, answer
    return json.loads(answer)
