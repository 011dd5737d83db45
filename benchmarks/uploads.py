"""How soon is an upload in the index, and how much is written to the disk for it?"""

import json
import subprocess
import sys
import time
from functools import cache
from typing import Any, NamedTuple

from benchmarks import tree
from benchmarks.folders import UPLOADER
from benchmarks.measurement import Measurement
from benchmarks.service import Client, request, running

MANY, MANY_SECONDS = 1000, 30
FEW, FEW_SECONDS = 16, 150
# How often changes are written at the most, and how long the start takes, in seconds.
WRITE_SECONDS, START_SECONDS = 32, 3


class Found(NamedTuple):
    """``lag``: how long after the last upload all were listed, in seconds; ``written``: how many
    bytes were written to the disk for each, beside the picture itself.
    """

    lag: float
    written: float


@cache
def upload(a_second: int, seconds: int) -> Found:
    """What was found while one process uploaded for all cameras."""
    with running() as service:
        folders = [f"up_{number}" for number in range(tree.CAMERAS)]
        for folder in folders:
            (service.base / folder).mkdir()
        cameras = [tree.register(service, folder) for folder in folders]
        time.sleep(START_SECONDS)
        before = service.written_bytes()
        figures = map(str, (tree.CAMERAS, a_second, seconds))
        uploader = [sys.executable, "-c", UPLOADER, str(service.base), *figures]
        subprocess.run(uploader, check=True)
        ended = time.monotonic()
        with service.client() as client:
            while (listed := _listed(client, cameras)) < a_second * seconds:
                assert time.monotonic() < ended + WRITE_SECONDS, listed
        lag = time.monotonic() - ended
        time.sleep(WRITE_SECONDS)
        return Found(lag, (service.written_bytes() - before) / listed)


def _listed(client: Client, cameras: list[str]) -> int:
    """How many pictures all cameras list."""
    answers = [client.ask(request("GET", f"{camera}/pictures?limit=1")) for camera in cameras]
    return sum(json.loads(body)["count"] for _, _, body in answers)


def measurement(
    name: str, unit: str, goal: float, a_second: int, seconds: int, field: str
) -> Measurement:
    """One of the findings of `upload`."""

    def measure(_: Any) -> float:
        return float(getattr(upload(a_second, seconds), field))

    return Measurement(name, unit, goal, measure)


MEASUREMENTS = (
    measurement(
        f"{MANY:,} uploads a second for {MANY_SECONDS} s, until the last is listed",
        *("s", 5, MANY, MANY_SECONDS, "lag"),
    ),
    measurement(
        "the same, written to the disk beside each picture",
        *("bytes", 1024, MANY, MANY_SECONDS, "written"),
    ),
    measurement(
        f"{FEW} uploads a second for {FEW_SECONDS} s, written beside each picture",
        *("bytes", 1024, FEW, FEW_SECONDS, "written"),
    ),
)
