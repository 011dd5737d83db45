"""What do large folders and many uploads cost?"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.measurement import Group, Measurement
from benchmarks.service import Service, request, running

SIZES = (10, 1000, 100_000, 1_000_000)
LEAST, MOST = SIZES[0], SIZES[-1]
NEWEST_BYTES = 200 * 1024
ASKED, ROUNDS = 200, 9
FOLDERS, UPLOADS_A_SECOND, UPLOAD_SECONDS = 16, 1000, 30
SEEN_WITHIN_SECONDS = 2
UPLOADER = """
import os, sys, time
base, folders, a_second, seconds = sys.argv[1], *map(int, sys.argv[2:])
picture, begun = b"\\xff\\xd8\\xff" + bytes(2000) + b"\\xff\\xd9", time.monotonic()
for number in range(a_second * seconds):
    folder = f"{base}/up_{number % folders}"
    with open(f"{folder}/snap_{number:06}.jpg", "wb") as file:
        file.write(picture)
    time.sleep(max(0, begun + number / a_second - time.monotonic()))
"""
METHOD = (
    "Folders: files of 16 bytes beside one picture of 200 KiB, the newest, all in one folder. "
    f"{ASKED} requests to each folder in turn, {ROUNDS} rounds, the median CPU time of the "
    "service's threads per request (schedstat of /proc/PID/task). While the folder of 1,000,000 "
    "is read for the first time, a second client fetches the picture of another camera. For the "
    f"uploads a process writes {UPLOADS_A_SECOND:,} files of 2 kB a second in turn into {FOLDERS} "
    f"cameras' folders for {UPLOAD_SECONDS} s; a camera counts as lost when its snapshot is not "
    f"its last upload at once, or its last_seen_at not that recent {SEEN_WITHIN_SECONDS} s later."
)


@dataclass(frozen=True, slots=True)
class Stage:
    """The running service; ``cameras``: files in the folder → URL; ``seen``: what was measured."""

    service: Service
    cameras: dict[int, str]
    seen: dict[str, float] = field(default_factory=dict)


@contextmanager
def stage() -> Iterator[Stage]:
    """A service with a camera for each of `SIZES`, its folder read once."""
    with running() as service:
        cameras = {}
        for size in SIZES:
            _fill(service, f"files_{size}", size)
            cameras[size] = _register(service, f"files_{size}")
        on = Stage(service, cameras)
        _ask(service, cameras[LEAST], 1)
        on.seen["grown"], on.seen["walk"], on.seen["waited"] = _first_walk(on)
        for camera in cameras.values():
            _ask(service, camera, 1)
        yield on


def cost(size: int) -> Measurement:
    """A snapshot of a folder with ``size`` files."""
    return Measurement(
        f"200 KiB snapshot, folder of {size:,}", "ms CPU", None, lambda on: costs(on)[size]
    )


def ratio(on: Stage) -> float:
    """The largest folder against the smallest."""
    return costs(on)[MOST] / costs(on)[LEAST]


def costs(on: Stage) -> dict[int, float]:
    """Milliseconds that the service ran for a snapshot, by size of the folder; measured once."""
    if f"ms {LEAST}" not in on.seen:
        rounds: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(ROUNDS):
            for size in SIZES:
                before = on.service.running_ms()
                _ask(on.service, on.cameras[size], ASKED)
                rounds[size].append((on.service.running_ms() - before) / ASKED)
        on.seen.update({f"ms {size}": statistics.median(ms) for size, ms in rounds.items()})
    return {size: on.seen[f"ms {size}"] for size in SIZES}


def uploads(on: Stage) -> float:
    """Percent of a core while many cameras upload; the other findings are kept."""
    cameras = []
    for number in range(FOLDERS):
        (on.service.base / f"up_{number}").mkdir()
        cameras.append(_register(on.service, f"up_{number}"))
        _ask(on.service, cameras[-1], 1, 404)
    time.sleep(SEEN_WITHIN_SECONDS)
    memory, used = on.service.resident_mib(), on.service.cpu_seconds()
    figures = (FOLDERS, UPLOADS_A_SECOND, UPLOAD_SECONDS)
    begun = time.monotonic()
    words = [sys.executable, "-c", UPLOADER, str(on.service.base), *map(str, figures)]
    subprocess.run(words, check=True)
    lasted = time.monotonic() - begun
    used = on.service.cpu_seconds() - used
    on.seen["upload memory"] = on.service.resident_mib() - memory
    on.seen["lost"] = sum(_is_lost(on, camera, number) for number, camera in enumerate(cameras))
    on.seen["uploads"] = UPLOADS_A_SECOND * UPLOAD_SECONDS / lasted
    return 100 * used / lasted


def seen(
    name: str, unit: str, key: str, goal: float | None, at_least: bool = False
) -> Measurement:
    """What was found while something else was measured."""
    return Measurement(name, unit, goal, lambda on: on.seen[key], at_least)


GROUP = Group(
    stage,
    (
        *(cost(size) for size in SIZES),
        Measurement("the largest folder against the smallest", "times", 1.5, ratio),
        seen("first walk of 1,000,000 files", "s", "walk", None),
        seen("memory it adds", "MiB RSS", "grown", None),
        seen("slowest snapshot of another camera meanwhile", "ms", "waited", 200),
        Measurement("16 cameras upload together", "percent of a core", 25, uploads),
        seen("the same", "uploads per second", "uploads", 950, at_least=True),
        seen("the same, memory it adds", "MiB RSS", "upload memory", 10),
        seen("the same", "cameras whose last upload is lost", "lost", 0),
    ),
    METHOD,
)


def _first_walk(on: Stage) -> tuple[float, float, float]:
    """MiB that it adds, the seconds it takes, and the longest wait in ms of another camera."""
    before, begun, waits = on.service.resident_mib(), time.perf_counter(), []
    walk = threading.Thread(target=_ask, args=(on.service, on.cameras[MOST], 1))
    walk.start()
    asked = request("GET", f"{on.cameras[LEAST]}/snapshot")
    with on.service.client() as client:
        while walk.is_alive():
            asked_at = time.perf_counter()
            assert client.ask(asked)[0] == 200
            waits.append((time.perf_counter() - asked_at) * 1000)
    walk.join()
    return on.service.resident_mib() - before, time.perf_counter() - begun, max(waits)


def _register(service: Service, folder: str) -> str:
    with service.client() as client:
        fields = json.dumps({"name": folder, "folder_path": folder}).encode()
        status, _, body = client.ask(request("POST", "/api/cameras", fields))
    assert status == 201, body
    return f"/api/cameras/{json.loads(body)['id']}"


def _ask(service: Service, camera: str, times: int, status: int = 200) -> None:
    asked = request("GET", f"{camera}/snapshot")
    with service.client() as client:
        for _ in range(times):
            assert client.ask(asked)[0] == status


def _is_lost(on: Stage, camera: str, number: int) -> bool:
    """Whether the last upload of folder ``number`` is not what the camera shows and was seen."""
    last = max(os.listdir(on.service.base / f"up_{number}"))
    written = os.stat(on.service.base / f"up_{number}" / last).st_mtime
    with on.service.client() as client:
        _, head, _ = client.ask(request("GET", f"{camera}/snapshot"))
        time.sleep(SEEN_WITHIN_SECONDS if number == 0 else 0)
        row = json.loads(client.ask(request("GET", camera))[2])
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(written)))
    return last.encode() not in head or (row["last_seen_at"] or "") < at


def _fill(service: Service, name: str, files: int) -> None:
    """So many files, ``newest.jpg`` among them."""
    folder = service.base / name
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(files - 1):
        file = os.open(f"snap_{number}.jpg", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=descriptor)
        os.write(file, b"\xff\xd8\xff\x000123456789\xff\xd9")
        os.close(file)
    os.close(descriptor)
    (folder / "newest.jpg").write_bytes(
        b"\xff\xd8\xff\0" + os.urandom(NEWEST_BYTES - 6) + b"\xff\xd9"
    )
    later = time.time() + 60
    os.utime(folder / "newest.jpg", (later, later))
