"""Is the newest picture the one that was uploaded last, whatever clocks show?"""

import os
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from app import clock
from tests.e2e.forked import ForkedServer
from tests.e2e.server import Server
from tests.e2e.test_uploads import Front
from tests.mounts import Bindfs, needs_bindfs
from tests.pictures import picture, put

HOUR = 3600
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
needs_faketime = pytest.mark.skipif(LIBRARY is None, reason="there is no libfaketime")


class MovedClock:
    """A clock for a server, which the text in a file moves; the times of files stay."""

    def __init__(self, folder: Path, offset: str) -> None:
        self.file = folder / "offset"
        self.set(offset)
        self.settings = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset: str) -> None:
        """Be ahead or behind from now on: ``+2h``, ``-2h``."""
        new = self.file.with_suffix(".new")
        new.write_text(offset)
        new.rename(self.file)


@pytest.fixture(params=["auto", "off"])
def front(request, tmp_path: Path) -> Iterator[Front]:
    """A camera of a server that watches its folders, and of one that reads them."""
    with ForkedServer(tmp_path, NVR_WATCH=request.param) as server:
        yield Front(server)


def camera(front: Front) -> dict:
    return requests.get(front.url, timeout=60).json()


def problems(front: Front) -> set[str]:
    """The codes of the camera's problems that have to do with clocks."""
    diagnosis = requests.get(f"{front.url}/diagnostics", timeout=60).json()
    return {row["code"] for row in diagnosis["problems"] if row["code"].startswith("clock")}


def wait_until_seen(front: Front, since: str) -> None:
    """Wait until an upload after this time shows, by the box's own clock."""
    deadline = time.monotonic() + 30
    while (camera(front)["last_seen_at"] or "") < since:
        assert time.monotonic() < deadline, camera(front)
        time.sleep(0.1)
    assert camera(front)["last_seen_at"] <= clock.rfc3339(clock.now())


def test_a_time_in_the_future_is_bounded_by_that_of_the_last_change(front):
    put(front.path / "a.jpg", picture(shade=1), age=-HOUR)
    answer = front.snapshot()
    assert answer.content == picture(shade=1)
    assert int(answer.headers["X-Snapshot-Age"]) < 60
    modified = parsedate_to_datetime(answer.headers["Last-Modified"])
    assert modified.timestamp() <= time.time()
    time.sleep(0.1)
    put(front.path / "b.jpg", picture(shade=2))
    assert front.snapshot().content == picture(shade=2)
    os.utime(front.path / "a.jpg", (time.time() - 60, time.time() - 60))
    assert front.snapshot().content == picture(shade=2)
    os.utime(front.path / "b.jpg", (time.time() - 90, time.time() - 90))
    assert front.snapshot().content == picture(shade=1)


def test_the_upload_of_a_camera_whose_clock_was_reset_is_seen_and_diagnosed(front):
    put(front.path / "a.jpg", picture(shade=1), age=60)
    wait_until_seen(front, clock.rfc3339(clock.from_ns(time.time_ns() - 61 * 10**9)))
    time.sleep(1)
    before = clock.rfc3339(clock.now())
    put(front.path / "b.jpg", picture(shade=2))
    os.utime(front.path / "b.jpg", (86400, 86400))  # as MFMT does
    wait_until_seen(front, before)
    assert front.snapshot().content == picture(shade=1)
    assert problems(front) == {"clock_behind"}
    put(front.path / "c.jpg", picture(shade=3))
    assert front.snapshot().content == picture(shade=3)
    deadline = time.monotonic() + 30
    while problems(front):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
@needs_bindfs
def test_a_share_whose_times_lie_an_hour_ahead_leaves_the_camera_online(tmp_path):
    share = Bindfs(tmp_path / "nas", tmp_path / "uploads")
    with share, Server(tmp_path, NVR_OFFLINE_AFTER_SECONDS="30") as server:
        front = Front(server)
        for number in range(60):
            put(front.path / f"{number:02}.jpg", picture(shade=number), age=-HOUR)
            answer = front.snapshot()
            assert answer.content == picture(shade=number)
            assert int(answer.headers["X-Snapshot-Age"]) < 60
            time.sleep(0.2)
        before = clock.rfc3339(clock.now())
        put(front.path / "last.jpg", picture(shade=60), age=-HOUR)
        wait_until_seen(front, before)
        assert camera(front)["status"] == "online"


@pytest.mark.slow
@needs_faketime
@needs_bindfs
@pytest.mark.parametrize("offset", ["-1h", "+1h"])
def test_the_storages_own_clock_counts_where_the_boxs_is_another_one(tmp_path, offset):
    """The server's clock is moved, which makes the storage's an hour ahead or behind."""
    share = Bindfs(tmp_path / "nas", tmp_path / "uploads")
    settings = MovedClock(tmp_path, offset).settings
    with share, Server(tmp_path, NVR_OFFLINE_AFTER_SECONDS="1800", **settings) as server:
        front = Front(server)
        for number in range(5):
            put(front.path / f"{number:02}.jpg", picture(shade=number))
            assert front.snapshot().content == picture(shade=number)
            time.sleep(1)
        assert int(front.snapshot().headers["X-Snapshot-Age"]) < 60
        # A polled folder is read for at most a fiftieth of the time.
        deadline = time.monotonic() + 60
        while camera(front)["status"] != "online":
            assert time.monotonic() < deadline
            time.sleep(0.2)


@needs_faketime
@pytest.mark.parametrize("watch", ["auto", pytest.param("off", marks=pytest.mark.slow)])
def test_pictures_of_a_clock_that_was_two_hours_ahead_hide_no_newer_ones(tmp_path, watch):
    """The server's clock lies behind that of the kernel, which set the times of the files."""
    moved = MovedClock(tmp_path, "+0")
    with Server(tmp_path, NVR_WATCH=watch, **moved.settings) as server:
        front = Front(server)
        put(front.path / "ahead.jpg", picture(shade=1))
        assert front.snapshot().content == picture(shade=1)
        moved.set("-2h")
        put(front.path / "set.jpg", picture(shade=2), age=2 * HOUR)
        time.sleep(0.5)
        answer = front.snapshot()
        assert answer.content == picture(shade=2)
        assert int(answer.headers["X-Snapshot-Age"]) < 60
        (front.path / "set.jpg").unlink()
        answer = front.snapshot()
        assert answer.content == picture(shade=1)
        modified = parsedate_to_datetime(answer.headers["Last-Modified"])
        assert modified.timestamp() <= time.time() - HOUR
