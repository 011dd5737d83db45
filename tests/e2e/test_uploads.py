"""Is an answer ever half a picture, whatever happens to the uploads?"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.server import Server
from tests.pictures import picture, put
from tests.problems import assert_problem


class Front:
    """A camera's folder at ``path``, and its snapshot."""

    def __init__(self, server: Server) -> None:
        self.path, cameras = server.base / "front", f"{server.url}/api/cameras"
        self.path.mkdir()
        body = {"name": "Front", "folder_path": "front"}
        camera = requests.post(cameras, json=body, timeout=10).json()["id"]
        self.url = f"{cameras}/{camera}"

    def snapshot(self, **headers: str) -> requests.Response:
        return requests.get(f"{self.url}/snapshot", headers=headers, timeout=10)


@pytest.fixture(params=["auto", "off"])
def front(request, tmp_path: Path) -> Iterator[Front]:
    """A camera of a server that watches its folders, and of one that reads them."""
    with Server(tmp_path, NVR_WATCH=request.param) as server:
        yield Front(server)


def large(thumbnail: bytes = b"") -> bytes:
    """A JPEG of more than 100 kB, with an EXIF segment that holds the thumbnail."""
    noise = random.Random(1).randbytes(120_000).replace(b"\xff", b"\xff\x00")
    exif = b"Exif\0\0" + thumbnail
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif
    return b"\xff\xd8" + segment + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + noise + b"\xff\xd9"


@pytest.mark.parametrize("age", [0, 7, 30, 3600])
def test_a_cut_off_upload_never_hides_the_whole_picture_before_it(front, age):
    whole = picture()
    put(front.path / "whole.jpg", whole, age=7200)
    put(front.path / "half.jpg", large()[:8640], age=age)
    assert front.snapshot().content == whole


def test_an_upload_in_progress_with_a_thumbnail_is_not_served(front):
    whole, new = picture(), large(picture(size=(160, 120)))
    put(front.path / "whole.jpg", whole, age=60)
    path = front.path / "new.jpg"
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(new), 4000):
            assert front.snapshot().content == whole
            file.write(new[at : at + 4000])
            moment = time.time() - 30
            os.utime(path, (moment, moment))  # the share's clock is behind
    assert front.snapshot().content == new


def test_a_picture_with_data_behind_its_end_is_served_at_once(front):
    put(front.path / "older.jpg", picture(), age=60)
    data = picture(shade=9) + b"vendor" * 17_000
    put(front.path / "new.jpg", data)
    assert front.snapshot().content == data


@pytest.mark.parametrize("name", ["@eaDir/a.jpg", "#recycle", "$RECYCLE.BIN", "lost+found", ".x"])
def test_housekeeping_folders_hold_no_pictures_of_a_camera(front, name):
    put(front.path / name / "thumb.jpg", picture(shade=7))
    assert_problem(front.snapshot(), 404, "no_snapshot")
    time.sleep(2)
    assert requests.get(front.url, timeout=10).json()["last_seen_at"] is None
    put(front.path / "b.jpg", picture(), age=60)
    put(front.path / name / "later.jpg", picture(shade=7))
    assert front.snapshot().content == picture()
    diagnosis = requests.get(f"{front.url}/diagnostics", timeout=10).json()
    assert diagnosis["pictures"]["count"] == 1


def test_a_housekeeping_folder_of_the_base_is_offered_only_when_a_camera_names_it(front):
    for name in ("@Recycle", "#snapshot", "lost+found", "garden"):
        put(front.path.parent / name / "a.jpg", picture())
    root = front.url.partition("/api/")[0]
    listed = requests.get(f"{root}/api/folders", timeout=10).json()["folders"]
    assert [folder["name"] for folder in listed] == ["garden"]
    requests.patch(front.url, json={"folder_path": "@Recycle"}, timeout=10)
    assert front.snapshot().content == picture()


def test_a_picture_that_is_moved_into_a_recycle_bin_is_gone_at_once(front):
    put(front.path / "older.jpg", picture(), age=60)
    put(front.path / "day" / "new.jpg", picture(shade=9))
    assert front.snapshot().content == picture(shade=9)
    (front.path / "#recycle").mkdir()
    (front.path / "day" / "new.jpg").rename(front.path / "#recycle" / "new.jpg")
    assert front.snapshot().content == picture()
    put(front.path / "day" / "new.jpg", picture(shade=9))
    assert front.snapshot().content == picture(shade=9)
    (front.path / "day").rename(front.path / "#recycle" / "day")
    assert front.snapshot().content == picture()
    (front.path / "#recycle" / "day").rename(front.path / "day")
    assert front.snapshot().content == picture(shade=9)


def test_a_lone_upload_is_incomplete_until_it_has_stood_still_for_10_seconds(front):
    path, half = front.path / "snap.jpg", picture()[:-9]
    assert_problem(front.snapshot(), 404, "no_snapshot")
    for data in (b"", half[:2], half):
        path.write_bytes(data)
        closed = time.monotonic()
        answer = front.snapshot()
        assert_problem(answer, 503, "picture_incomplete")
        assert answer.headers["Retry-After"] == "1"
    while (answer := front.snapshot()).status_code == 503:
        time.sleep(0.1)
    assert answer.content == half
    assert 9.9 < time.monotonic() - closed < 15
    path.write_bytes(b"")
    assert_problem(front.snapshot(), 503, "picture_incomplete")


def test_a_lone_empty_file_is_no_picture_after_10_seconds(front):
    put(front.path / "snap.jpg", b"", age=11)
    front.snapshot()
    put(front.path / "other.jpg", b"", age=3600)
    time.sleep(10.5)
    assert_problem(front.snapshot(), 404, "no_snapshot")
