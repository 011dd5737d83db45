"""Does a byte from outside ever get out, whoever swaps names with links meanwhile?"""

import http.client
from collections import Counter
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
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    for turn in range(number):
        asked = {"If-None-Match": etag} if turn % 3 == 0 else {}
        connection.request("GET", paths[turn % len(paths)], headers=asked)
        answer = connection.getresponse()
        data, etag = answer.read(), answer.headers.get("ETag", etag)
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
