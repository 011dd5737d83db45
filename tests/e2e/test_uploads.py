"""Is an answer ever half a picture, whatever happens to the uploads?"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.e2e.server import Server
from tests.pictures import picture, put
from tests.problems import assert_problem

HOUSEKEEPING = ("@eaDir/a.jpg", "#recycle", "$RECYCLE.BIN", "lost+found", ".x")


class Front:
    """A camera's folder at ``path``, and its snapshot."""

    def __init__(self, server: Server) -> None:
        self.settings = server.settings
        self.path, cameras = server.base / "front", f"{server.url}/api/cameras"
        self.path.mkdir()
        body = {"name": "Front", "folder_path": "front"}
        camera = requests.post(cameras, json=body, timeout=60).json()["id"]
        self.url = f"{cameras}/{camera}"

    def snapshot(self, **headers: str) -> requests.Response:
        return requests.get(f"{self.url}/snapshot", headers=headers, timeout=60)


@pytest.fixture(scope="module", params=["auto", "off"])
def box(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that watches its folders, and one that reads them."""
    folder = tmp_path_factory.mktemp(request.param)
    with ForkedServer(folder, NVR_WATCH=request.param) as server:
        yield server


@pytest.fixture
def front(box: Server) -> Iterator[Front]:
    """A camera of that server, whose base path shows no other folder.

    The folders of earlier tests are hidden and not deleted: a new folder may get the inode of a
    deleted one, and the service would take it for that within a second.
    """
    front = Front(box)
    yield front
    requests.delete(front.url, timeout=60).raise_for_status()
    hidden = box.base / f".{uuid4()}"
    hidden.mkdir()
    for folder in set(box.base.glob("*")) - set(box.base.glob(".*")):
        folder.rename(hidden / folder.name)


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


def test_housekeeping_folders_hold_no_pictures_of_a_camera(front):
    for name in HOUSEKEEPING:
        put(front.path / name / "thumb.jpg", picture(shade=7))
    assert_problem(front.snapshot(), 404, "no_snapshot")
    time.sleep(2)
    assert requests.get(front.url, timeout=60).json()["last_seen_at"] is None
    put(front.path / "b.jpg", picture(), age=60)
    for name in HOUSEKEEPING:
        put(front.path / name / "later.jpg", picture(shade=7))
        assert front.snapshot().content == picture()
    diagnosis = requests.get(f"{front.url}/diagnostics", timeout=60).json()
    assert diagnosis["pictures"]["count"] == 1


def test_a_housekeeping_folder_of_the_base_is_offered_only_when_a_camera_names_it(front):
    for name in ("@Recycle", "#snapshot", "lost+found", "garden"):
        put(front.path.parent / name / "a.jpg", picture())
    root = front.url.partition("/api/")[0]
    listed = requests.get(f"{root}/api/folders", timeout=60).json()["folders"]
    assert [folder["name"] for folder in listed] == ["garden"]
    requests.patch(front.url, json={"folder_path": "@Recycle"}, timeout=60)
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
        began = time.monotonic()
        path.write_bytes(data)
        answer = front.snapshot()
        assert_problem(answer, 503, "picture_incomplete")
        assert answer.headers["Retry-After"] == "1"
    while (answer := front.snapshot()).status_code == 503:
        time.sleep(0.1)
    assert answer.content == half
    assert 10 <= time.monotonic() - began < 40
    path.write_bytes(b"")
    assert_problem(front.snapshot(), 503, "picture_incomplete")


@pytest.mark.slow
def test_a_lone_empty_file_is_no_picture_after_10_seconds(front):
    put(front.path / "snap.jpg", b"", age=11)
    front.snapshot()
    put(front.path / "other.jpg", b"", age=3600)
    time.sleep(10.5)
    assert_problem(front.snapshot(), 404, "no_snapshot")


class Camera(threading.Thread):
    """Truncates a file and writes the next picture over a second, again and again.

    ``whole``: all versions that it ever wrote; between two of them it waits until the number of
    the last one is in ``shown``, then for ``pause`` seconds. It does neither without a pause.
    """

    def __init__(self, path: Path, rounds: int, pause: float) -> None:
        super().__init__()
        self.path, self.rounds, self.pause = path, rounds, pause
        self.shown = {0}
        self.whole = [picture(shade=number) for number in range(rounds + 1)]
        put(path, self.whole[0])

    def run(self) -> None:
        for number, data in enumerate(self.whole[1:], 1):
            with self.path.open("wb", buffering=0) as file:
                time.sleep(0.2)
                for at in range(0, len(data), len(data) // 8 + 1):
                    file.write(data[at : at + len(data) // 8 + 1])
                    time.sleep(0.1)
            while self.pause and number not in self.shown:
                time.sleep(0.01)
            time.sleep(self.pause)


@pytest.mark.parametrize("rounds", [4, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize("pause", [0, pytest.param(1.5, marks=pytest.mark.slow)])
def test_a_file_that_is_rewritten_again_and_again_is_never_half_and_never_missing(
    front, pause, rounds
):
    camera = Camera(front.path / "snap.jpg", rounds, pause)
    assert front.snapshot().content == camera.whole[0]
    camera.start()
    answers, last = Counter(), 0
    while camera.is_alive():
        answer = front.snapshot()
        answers[answer.status_code] += 1
        if answer.status_code == 200:
            number = camera.whole.index(answer.content)
            assert number >= last
            last = number
            camera.shown.add(number)
            assert int(answer.headers["X-Snapshot-Age"]) < 60
        else:
            assert_problem(answer, 503, "picture_incomplete")
        time.sleep(0.03)
    assert front.snapshot().content == camera.whole[-1]
    if pause:
        assert answers[200] > 10 * answers[503], answers


def test_the_last_whole_version_is_answered_while_its_file_is_overwritten(front):
    path = front.path / "snap.jpg"
    put(path, picture(shade=1), age=30)
    before = front.snapshot()
    with path.open("wb", buffering=0) as file:
        for data in (b"", picture(shade=2)[:700], picture(shade=2)[700:-1]):
            file.write(data)
            answer = front.snapshot()
            assert answer.content == before.content
            for header in ("ETag", "Last-Modified", "Content-Disposition"):
                assert answer.headers[header] == before.headers[header]
            assert 30 <= int(answer.headers["X-Snapshot-Age"]) < 90
            tag = {"If-None-Match": before.headers["ETag"]}
            assert front.snapshot(**tag).status_code == 304
        put(front.path / "older.jpg", picture(shade=3), age=60)
        assert front.snapshot().content == before.content
        put(front.path / "newer.jpg", picture(shade=4), age=20)
        assert front.snapshot().content == picture(shade=4)
        (front.path / "newer.jpg").unlink()
        file.write(picture(shade=2)[-1:])
    assert front.snapshot().content == picture(shade=2)


def test_a_version_that_was_read_before_it_was_closed_is_the_last_whole_one(front):
    path = front.path / "snap.jpg"
    put(path, picture(shade=1))
    assert front.snapshot().content == picture(shade=1)
    for shade in (2, 3, 4):
        with path.open("wb", buffering=0) as file:
            file.write(picture(shade=shade)[:500])
            assert front.snapshot().content == picture(shade=shade - 1)
            file.write(picture(shade=shade)[500:])
            assert front.snapshot().content == picture(shade=shade)


def test_the_last_whole_version_is_forgotten_when_its_file_is_deleted(front):
    path = front.path / "snap.jpg"
    put(path, picture())
    assert front.snapshot().status_code == 200
    path.write_bytes(b"")
    assert front.snapshot().content == picture()
    path.unlink()
    assert_problem(front.snapshot(), 404, "no_snapshot")
    path.write_bytes(picture()[:-9])
    assert_problem(front.snapshot(), 503, "picture_incomplete")


@pytest.mark.slow
def test_a_stalled_upload_leaves_the_version_before_it_while_the_folder_is_watched(front):
    watched = front.settings.get("NVR_WATCH") == "auto"
    put(front.path / "snap.jpg", picture(shade=1))
    assert front.snapshot().content == picture(shade=1)
    with (front.path / "snap.jpg").open("wb", buffering=0) as file:
        file.write(picture(shade=2)[:900])
        assert front.snapshot().content == picture(shade=1)
        time.sleep(12)
        shown = picture(shade=1) if watched else picture(shade=2)[:900]
        assert front.snapshot().content == shown


def test_a_later_version_that_nobody_read_leaves_no_older_one_to_show(tmp_path):
    with ForkedServer(tmp_path) as server:
        front = Front(server)
        path = front.path / "snap.jpg"
        put(path, picture(shade=1))
        assert front.snapshot().content == picture(shade=1)
        path.write_bytes(picture(shade=2))
        path.write_bytes(picture(shade=3)[:900])
        answer = front.snapshot()
        if answer.status_code == 503:
            assert_problem(answer, 503, "picture_incomplete")
        else:  # the service has read the second one in the moment before
            assert answer.content == picture(shade=2)


def test_of_a_camera_that_writes_no_end_marks_the_last_closed_version_is_shown(tmp_path):
    with ForkedServer(tmp_path) as server:
        front = Front(server)
        path = front.path / "snap.jpg"
        put(path, picture(), age=10)
        assert front.snapshot().content == picture()
        for number in range(1, 6):
            data = picture(shade=number)[:-2]
            with path.open("wb", buffering=0) as file:
                file.write(data[:500])
                before = picture() if number < 4 else picture(shade=number - 1)[:-2]
                assert front.snapshot().content == before
                file.write(data[500:])
            assert front.snapshot().content == (data if number >= 3 else picture())
