"""How are a million pictures and clips made, as cameras would have uploaded them?"""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.service import Service, request

CAMERAS, DAYS = 16, 30
DAY_SECONDS = 86_400
# A camera uploads so many files in a row, the last of them a clip, each so many seconds later.
RUN, STEP_SECONDS = 20, 2
RUNS = 3125
FILES = CAMERAS * RUNS * RUN
PICTURE = b"\xff\xd8\xff\0 picture \xff\xd9"


def fill(base: Path, now: float, runs: int = RUNS) -> None:
    """Write the files of all cameras into a folder for each day, with the times of the days until
    ``now``; ``runs``: how often each camera uploads.
    """
    for number in range(CAMERAS):
        day, parent = "", -1
        for start in _starts(number, now, runs):
            if day != (day := time.strftime("%Y%m%d", time.gmtime(start))):
                (base / folder(number) / day).mkdir(parents=True, exist_ok=True)
                if parent >= 0:
                    os.close(parent)
                parent = os.open(base / folder(number) / day, os.O_RDONLY | os.O_DIRECTORY)
            _write_run(parent, start)
        os.close(parent)


def folder(number: int) -> str:
    """The folder of a camera."""
    return f"pictures_{number}"


def register(service: Service, folder_path: str) -> str:
    """The URL of a new camera for this folder."""
    with service.client() as client:
        fields = json.dumps({"name": folder_path, "folder_path": folder_path}).encode()
        status, _, body = client.ask(request("POST", "/api/cameras", fields))
    assert status == 201, body
    return f"/api/cameras/{json.loads(body)['id']}"


def register_all(service: Service, base: Path) -> list[str]:
    """The URLs of new cameras, one for each folder below ``base``, which is made."""
    for number in range(CAMERAS):
        (base / folder(number)).mkdir(exist_ok=True)
    return [register(service, folder(number)) for number in range(CAMERAS)]


def detect(service: Service, cameras: list[str], now: float) -> None:
    """Post one detection in every fourth run of uploads, with the path of its picture."""
    for number, camera in enumerate(cameras):
        rows = [_detection(camera, start) for start in list(_starts(number, now, RUNS))[::4]]
        with service.client() as client:
            for begin in range(0, len(rows), 1000):
                body = json.dumps({"detections": rows[begin : begin + 1000]}).encode()
                status, _, answer = client.ask(request("POST", "/api/detections", body))
                assert status == 201, answer


def _starts(number: int, now: float, runs: int) -> Iterator[float]:
    """When each run of a camera's uploads begins; the cameras take turns."""
    pause = DAYS * DAY_SECONDS / runs
    for run in range(runs):
        yield now - DAYS * DAY_SECONDS + (run + number / CAMERAS) * pause


def _detection(camera: str, start: float) -> dict[str, object]:
    return {
        "camera_id": camera.rpartition("/")[2],
        "detected_at": datetime.fromtimestamp(start + STEP_SECONDS, UTC).isoformat(),
        "object_type": "person",
        "confidence": 0.9,
        "file_path": time.strftime("%Y%m%d/%H%M%S.jpg", time.gmtime(start)),
    }


def _write_run(parent: int, start: float) -> None:
    for number in range(RUN):
        moment = start + number * STEP_SECONDS
        suffix = "mp4" if number == RUN - 1 else "jpg"
        name = time.strftime(f"%H%M%S.{suffix}", time.gmtime(moment))
        file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=parent)
        os.write(file, PICTURE)
        os.utime(file, (moment, moment))
        os.close(file)
