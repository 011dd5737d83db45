"""How long do other requests wait while retention deletes 100,000 pictures?"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks import tree
from benchmarks.measurement import Group, Measurement
from benchmarks.service import Service, request, running
from benchmarks.waiting import PICTURE, Waits, waiting

# So many runs of uploads of each camera make a little more than 100,000 files.
RUNS = 324
CALM_SECONDS, SETTLE_SECONDS, INDEX_SECONDS = 5, 1, 1800
METHOD = (
    f"Pruning: {tree.CAMERAS * RUNS * tree.RUN:,} files of the same kind. `keep_days` is lowered "
    "by a day at a time, and each time one run of retention deletes the files of that day. A "
    "client asks for another camera and its snapshot of 200 KiB in turn, with pauses of 5 ms, "
    f"during each run and for {CALM_SECONDS} s before it, so that other load on the machine "
    "raises both figures. The percentiles are those of all runs together."
)


class Found(NamedTuple):
    """``files``: how many were deleted, in so many ``seconds``; ``calm`` and ``busy``: the waits
    of other requests before each run and meanwhile; ``memory``: MiB before the first run.
    """

    files: int
    seconds: float
    calm: Waits
    busy: Waits
    memory: float


@contextmanager
def stage() -> Iterator[Found]:
    """What was found while all files but those of the last day were deleted."""
    with running() as service:
        (service.base / "other").mkdir()
        (service.base / "other" / "a.jpg").write_bytes(PICTURE)
        other = tree.register(service, "other")
        cameras = [tree.register(service, tree.folder(n)) for n in range(tree.CAMERAS)]
        tree.fill(service.base, time.time(), RUNS)
        _wait_for_index(service, cameras)
        yield _prune(service, other)


def _prune(service: Service, other: str) -> Found:
    files, seconds, calm, busy = 0, 0.0, Waits(), Waits()
    memory = service.resident_mib()
    for days in range(tree.DAYS - 1, 0, -1):
        _ask(service, "PATCH", "/api/settings", {"keep_days": days})
        time.sleep(SETTLE_SECONDS)
        with waiting(service, other, calm):
            time.sleep(CALM_SECONDS)
        begun = time.monotonic()
        with waiting(service, other, busy):
            report = _ask(service, "POST", "/api/system/retention", None)
        seconds += time.monotonic() - begun
        files += report["pictures"] + report["clips"]
    return Found(files, seconds, calm, busy, memory)


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


GROUP = Group(
    stage,
    (
        Measurement(
            "retention of 100,000 files",
            *("files a second", None, lambda found: found.files / found.seconds),
        ),
        Measurement(
            "99th percentile of other requests before each run",
            *("ms", None, lambda found: found.calm.percentile(99)),
        ),
        Measurement(
            "99th percentile of other requests meanwhile",
            *("ms", None, lambda found: found.busy.percentile(99)),
        ),
        Measurement(
            "the same, against before",
            *("times", 2, lambda found: found.busy.percentile(99) / found.calm.percentile(99)),
        ),
        Measurement(
            "memory that the service grows by meanwhile",
            *("MiB RSS", 20, lambda found: found.busy.most_mib - found.memory),
        ),
    ),
    METHOD,
)
