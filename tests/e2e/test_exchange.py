"""Is a byte from outside the cameras' folders ever sent while names are swapped with links?"""

import http.client
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.pictures import picture, put
from tests.renames import exchange

READERS = 4
NUMBERS = (
    pytest.param(10_000, marks=pytest.mark.slow),
    pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.slowest]),
)
INSIDE, OUTSIDE = picture(shade=0), picture(shade=255)
# A camera's folder, the picture in it, and the name that is swapped with a link beside it: the
# picture itself, its folder, a folder in the middle, one above the camera's, and the camera's own.
SWAPPED = (
    ("file", "a.jpg", "file/a.jpg"),
    ("folder", "day/a.jpg", "folder/day"),
    ("middle", "month/day/a.jpg", "middle/month"),
    ("yard/front", "a.jpg", "yard"),
    ("own", "a.jpg", "own"),
)


def attack(base: Path, over) -> int:
    """Swap all names again and again until it is ``over``; how often."""
    count = 0
    while not over.is_set():
        name = base / SWAPPED[count % len(SWAPPED)][2]
        exchange(name, name.with_suffix(".link"))
        count += 1
    return count


def read(url: str, paths: list[str], number: int) -> Counter[str]:
    """Responses by status, and how many have other bytes than the picture inside."""
    parts, seen, etag = urlsplit(url), Counter(), '""'
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    for turn in range(number):
        asked = {"If-None-Match": etag} if turn % 3 == 0 else {}
        while True:
            connection.request("GET", paths[turn % len(paths)], headers=asked)
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 503 or b'"folder_busy"' not in data:
                break
            time.sleep(0.1)  # where the machine is slow
        etag = answer.headers.get("ETag", etag)
        seen[f"{answer.status} {answer.headers['Content-Type']}"] += 1
        seen["foreign"] += answer.status == 200 and data != INSIDE
        seen["foreign"] += OUTSIDE[-100:] in data
    connection.close()
    return seen


@pytest.fixture
def paths(server) -> list[str]:
    """What is asked for: of each camera the snapshot, and a detection's picture by its name."""
    asked = []
    for folder, file, name in SWAPPED:
        put(server.base / folder / file, INSIDE)
        put(server.folder / "outside" / folder / file, OUTSIDE)
        (server.base / name).with_suffix(".link").symlink_to(server.folder / "outside" / name)
        body = {"name": folder, "folder_path": folder}
        camera = requests.post(f"{server.url}/api/cameras", json=body).json()["id"]
        body = {"camera_id": camera, "object_type": "cat", "confidence": 1, "file_path": file}
        seen = requests.post(f"{server.url}/api/detections", json=body).json()["id"]
        asked += [f"/api/cameras/{camera}/snapshot", f"/api/detections/{seen}/image"]
    return asked


@pytest.mark.parametrize("number", NUMBERS)
def test_no_byte_from_outside_gets_out(server, processes, paths, number):
    with processes.Manager() as manager, processes.Pool(READERS + 1) as pool:
        over = manager.Event()
        swaps = pool.apply_async(attack, (server.base, over))
        asked = [(server.url, paths, number // READERS)] * READERS
        seen = sum(pool.starmap(read, asked, chunksize=1), Counter())
        over.set()
        assert swaps.get() > number / 10
    assert seen.pop("foreign", 0) == 0
    assert seen.keys() <= {
        *("200 image/jpeg", "304 None"),
        *("403 application/problem+json", "404 application/problem+json"),
    }
    assert min(seen.values()) > number / 100, seen
    assert sum(seen.values()) == number
    print(f"{number} answers, none from outside: {seen}")


CLIP_INSIDE, CLIP_OUTSIDE = b"INSIDE" * 50_000, b"OUTSIDE" * 50_000
# What is requested of a picture or clip by its id, and how often among ten requests.
BY_ID = ("GET",) * 4 + (
    "GET ?thumbnail=1",
    "GET ?width=20",
    "PUT keep",
    "DELETE keep",
    "DELETE",
    "",
)
# A reader stops when it has received each of these, after some seconds, or so many requests.
SUCCEEDED = {"GET  200", "GET ?width=20 200", "PUT keep 200", "DELETE keep 200", "DELETE  204"}
LEAST_SECONDS, MOST_REQUESTS = 5, 1000


def _status(answer: requests.Response) -> str:
    """The status; a folder is busy where the machine is slow, or several want frames of clips."""
    is_busy = answer.status_code == 503 and answer.json()["code"] == "folder_busy"
    return "busy" if is_busy else str(answer.status_code)


def _turns(seen: Counter[str]) -> Iterator[int]:
    until = time.monotonic() + LEAST_SECONDS
    for turn in range(MOST_REQUESTS):
        if time.monotonic() >= until and seen.keys() >= SUCCEEDED:
            break
        yield turn


def use_by_id(url: str, cameras: list[tuple[str, str, str]]) -> Counter[str]:
    """Responses to requests of pictures and clips by their ids, and how many have foreign bytes.

    ``cameras``: the id of each, its folder, and that folder outside.
    """
    seen, known, session = Counter(), dict[str, list[dict]](), requests.Session()
    for turn in _turns(seen):
        camera, folder, outside = cameras[turn % len(cameras)]
        pictures = f"{url}/api/cameras/{camera}/pictures"
        method, _, rest = BY_ID[turn // len(cameras) % len(BY_ID)].partition(" ")
        if not method or not known.get(camera):
            answer = session.get(pictures, timeout=60)
            seen[f"list {_status(answer)}"] += 1
            if answer.status_code == 200:
                known[camera] = answer.json()["pictures"] or known.get(camera, [])
            continue
        row = known[camera][turn % len(known[camera])]
        if method == "DELETE" and not rest and "linked" not in row["name"]:
            continue
        way = rest if rest.startswith("?") else f"/{rest}".rstrip("/")
        try:
            answer = session.request(method, f"{pictures}/{row['id']}{way}", timeout=60)
        except requests.ConnectionError:  # a clip that changed while it was sent
            seen["closed"] += 1
            continue
        seen[f"{method} {rest} {_status(answer)}"] += 1
        seen["foreign"] += OUTSIDE[-100:] in answer.content or b"OUTSIDE" in answer.content
        if answer.status_code == 204:
            known[camera] = []
            for name in (folder, f"{folder}.link"):
                with suppress(OSError):
                    os.link(f"{outside}/linked.jpg", f"{name}/linked.jpg")
    return seen


@pytest.fixture
def cameras(server) -> list[tuple[str, str, str]]:
    """Cameras with folders that are swapped; outside are files of the same names, of which one is
    even the same file, so that its id is the same.
    """
    made = []
    for folder, file, name in SWAPPED:
        inside, outside = server.base / folder / file, server.folder / "outside" / folder / file
        put(inside, INSIDE)
        put(outside, OUTSIDE)
        put(inside.with_suffix(".mp4"), CLIP_INSIDE)
        put(outside.with_suffix(".mp4"), CLIP_OUTSIDE)
        put(outside.with_name("linked.jpg"), INSIDE)
        os.link(outside.with_name("linked.jpg"), inside.with_name("linked.jpg"))
        (server.base / name).with_suffix(".link").symlink_to(server.folder / "outside" / name)
        body = {"name": folder, "folder_path": folder}
        camera = requests.post(f"{server.url}/api/cameras", json=body).json()["id"]
        made.append((camera, str(inside.parent), str(outside.parent)))
    return made


@pytest.mark.slow
def test_nothing_outside_is_read_kept_or_deleted_by_an_id(server, processes, cameras):
    outside = {path: path.read_bytes() for path in server.folder.glob("outside/**/*.*")}
    with processes.Manager() as manager, processes.Pool(READERS + 1) as pool:
        over = manager.Event()
        swaps = pool.apply_async(attack, (server.base, over))
        asked = [(server.url, cameras)] * READERS
        seen = sum(pool.starmap(use_by_id, asked, chunksize=1), Counter())
        over.set()
        assert swaps.get() > 100
    assert seen.pop("foreign", 0) == 0
    assert {path: path.read_bytes() for path in server.folder.glob("outside/**/*.*")} == outside
    assert not [name for name in seen if " 5" in name], seen
    assert seen.keys() >= SUCCEEDED, seen
    print(seen)
