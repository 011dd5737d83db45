"""What does the index of a million pictures cost?"""

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import tree, uploads
from benchmarks.measurement import Group, Measurement
from benchmarks.service import Client, Service, request, running
from benchmarks.waiting import PICTURE, waiting

TURNS, PAGE = 21, 100
# As many pages as a camera has.
PAGES, SMALL_PAGE = 1000, 60
CALM_SECONDS, SETTLE_SECONDS = 20, 10
TOTAL = "SELECT coalesce(sum(pictures + clips), 0) FROM picture_camera"
# Follows all folders as a service does that was restarted, and prints how many files it checked.
RESTART = """
from app import create_app
from app.models import Camera

app = create_app()
monitor, pictures = app.extensions["monitor"], app.extensions["pictures"]
monitor.lead()
monitor.tick()
pictures.tick()
indexes = [pictures.of(camera) for camera in Camera.listing()]
while any(index.comparison.is_busy for index in indexes):
    pictures.tick()
print(sum(index.comparison.files for index in indexes))
pictures.close()
monitor.close()
"""
METHOD = (
    f"Pictures: {tree.FILES:,} files of 16 bytes of {tree.CAMERAS} cameras, a twentieth of "
    f"them clips, in a folder for each of {tree.DAYS} days, with {tree.RUN} uploads in a row, and "
    "a detection in every fourth row. A request is the median of the threads' CPU time (schedstat "
    f"of /proc/PID/task) of {TURNS}, its day in the middle of the period. While the files are "
    f"indexed for the first time, and for {CALM_SECONDS} s before, a client asks for another "
    "camera and its snapshot of 200 KiB in turn, with pauses of 5 ms. Idle memory is VmRSS "
    f"{SETTLE_SECONDS} s after a start with the full index against that with empty folders. For "
    f"the uploads files of 2 kB are written in turn into {tree.CAMERAS} cameras' folders; what "
    "the service writes is write_bytes of /proc/PID/io."
)


@dataclass
class Stage:
    """The service with its full index; ``seen``: what was found on the way."""

    service: Service
    client: Client
    cameras: list[str]
    start: str
    end: str
    seen: dict[str, float] = field(default_factory=dict)

    def get(self, path: str) -> dict[str, object]:
        """The body of a response."""
        status, _, body = self.client.ask(request("GET", path))
        assert status == 200, body
        return dict(json.loads(body))

    def cost(self, path: str) -> float:
        """CPU milliseconds of the service for a request."""
        return statistics.median(self._cost(path) for _ in range(TURNS))

    def _cost(self, path: str) -> float:
        before = self.service.running_ms()
        self.get(path)
        return self.service.running_ms() - before


@contextmanager
def stage() -> Iterator[Stage]:
    """A service that has indexed all files, and measured that."""
    with tempfile.TemporaryDirectory() as name:
        now, base = time.time(), Path(name, "base")
        (base / "other").mkdir(parents=True)
        (base / "other" / "a.jpg").write_bytes(PICTURE)
        settings = {
            "NVR_FOSCAM_BASE_PATH": str(base),
            "NVR_DATABASE_URL": f"sqlite:///{name}/full.db",
        }
        tree.fill(Path(name, "tree"), now)
        with running(**settings) as service:
            other = tree.register(service, "other")
            cameras = [tree.register(service, tree.folder(n)) for n in range(tree.CAMERAS)]
            tree.detect(service, cameras, now)
        idle = _idle_mib(settings)
        with running(**settings) as service:
            seen = _index(service, other, Path(name, "tree"), settings)
        seen |= {"idle": _idle_mib(settings) - idle, "again": _read_again(settings)}
        middle = now - tree.DAYS * tree.DAY_SECONDS / 2
        start, end = map(_text, (middle, middle + tree.DAY_SECONDS))
        with running(**settings) as service:
            time.sleep(SETTLE_SECONDS)
            with service.client() as client:
                yield Stage(service, client, cameras, start, end, seen)


def far_page(on: Stage) -> float:
    """Page number `PAGES` by cursors against page 1."""
    path = f"{on.cameras[0]}/pictures?limit={SMALL_PAGE}&count=false"
    key = ""
    for _ in range(PAGES - 1):
        key = f"&cursor={on.get(path + key)['next_cursor']}"
    on.seen["far page"] = on.cost(path + key)
    return on.seen["far page"] / on.cost(path)


def of_camera(path: str) -> Callable[[Stage], float]:
    """A request of a camera, with the day in the place of ``{day}``, its start in ``{start}``."""

    def measure(on: Stage) -> float:
        day = f"start_date={on.start}&end_date={on.end}"
        return on.cost(on.cameras[0] + path.format(day=day, start=on.start))

    return measure


def of_box(path: str) -> Callable[[Stage], float]:
    """A request of the box, with the day."""
    return lambda on: on.cost(f"{path}&start_date={on.start}&end_date={on.end}")


def seen(name: str, unit: str, key: str, goal: float | None) -> Measurement:
    """What was found before the index was full."""
    return Measurement(name, unit, goal, lambda on: on.seen[key])


GROUP = Group(
    stage,
    (
        Measurement(
            f"page of {PAGE} pictures of {tree.FILES:,}, the newest",
            *("ms CPU", 5, of_camera(f"/pictures?limit={PAGE}&count=false")),
        ),
        Measurement(
            "the same, around a moment",
            *("ms CPU", 5, of_camera(f"/pictures?limit={PAGE}&count=false&around={{start}}")),
        ),
        Measurement(
            "the same, oldest first and counted",
            *("ms CPU", 5, of_camera(f"/pictures?limit={PAGE}&order=oldest")),
        ),
        Measurement(f"page {PAGES:,} of {SMALL_PAGE} against page 1", "times", 1.5, far_page),
        seen(f"page {PAGES:,} itself", "ms CPU", "far page", 5),
        Measurement(
            "timeline of a camera's day, by minute",
            *("ms CPU", 20, of_camera("/timeline?bucket=1m&{day}")),
        ),
        Measurement(
            "timeline of a camera's day, by hour",
            *("ms CPU", 20, of_camera("/timeline?bucket=1h&{day}")),
        ),
        Measurement(
            "all moments of a camera's day",
            *("ms CPU", 30, of_camera("/moments?limit=1000&{day}")),
        ),
        Measurement(
            "first page of the moments of all cameras' day",
            *("ms CPU", 30, of_box("/api/moments?limit=50")),
        ),
        Measurement(
            "the same, 1,000 on the page",
            *("ms CPU", None, of_box("/api/moments?limit=1000")),
        ),
        seen("first index of all of them", "s", "index", None),
        seen("99th percentile of other requests in the calm before", "ms", "calm", None),
        seen("99th percentile of other requests meanwhile", "ms", "busy", None),
        seen("the same, against the calm before", "times", "ratio", 2),
        seen("memory that the service grows by meanwhile", "MiB RSS", "grown", None),
        seen("files that a restart reads again", "percent", "again", 2),
        seen("idle memory with all of them, against none", "MiB RSS", "idle", 2),
        *uploads.MEASUREMENTS,
    ),
    METHOD,
)


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _idle_mib(settings: dict[str, str]) -> float:
    with running(**settings) as service:
        time.sleep(SETTLE_SECONDS)
        return service.resident_mib()


def _index(on: Service, other: str, files: Path, settings: dict[str, str]) -> dict[str, float]:
    """Move the folders to where the cameras look, and wait until all files are in the index."""
    with waiting(on, other) as calm:
        time.sleep(CALM_SECONDS)
    memory, begun = on.resident_mib(), time.monotonic()
    for number in range(tree.CAMERAS):
        base = Path(settings["NVR_FOSCAM_BASE_PATH"])
        (files / tree.folder(number)).rename(base / tree.folder(number))
    name = settings["NVR_DATABASE_URL"].removeprefix("sqlite:///")
    with (
        waiting(on, other) as busy,
        closing(sqlite3.connect(f"file:{name}?mode=ro", uri=True)) as database,
    ):
        while database.execute(TOTAL).fetchone()[0] < tree.FILES:
            time.sleep(1)
    return {
        "index": time.monotonic() - begun,
        "calm": calm.percentile(99),
        "busy": busy.percentile(99),
        "ratio": busy.percentile(99) / calm.percentile(99),
        "grown": on.resident_mib() - memory,
    }


def _read_again(settings: dict[str, str]) -> float:
    """How many percent of the files the index of a service that was restarted looks at."""
    words = [sys.executable, "-c", RESTART]
    environ = {name: value for name, value in os.environ.items() if name[:4] != "NVR_"} | settings
    printed = subprocess.run(words, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    return 100 * int(printed.stdout) / tree.FILES
