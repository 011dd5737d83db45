"""Does the real service follow each camera's folder when it moves, and stop watching it?"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.e2e.server import DEADLINE_SECONDS, Server
from tests.inotify import watches_of
from tests.pictures import picture, put
from tests.problems import assert_problem

OLD, NEW = picture(shade=10), picture(shade=200)


def show_old(server: Server) -> str:
    """The URL of a camera whose folder ``front`` shows an old picture already."""
    put(server.base / "front" / "day" / "old.jpg", OLD, age=60)
    url = register(server, "front")
    assert snapshot(url).content == OLD
    return url


@pytest.fixture
def front(shared_server: Server) -> Iterator[str]:
    """The same on the shared server, which has an empty base path before and after."""
    url = show_old(shared_server)
    yield url
    requests.delete(url)
    shutil.rmtree(shared_server.base)
    shared_server.base.mkdir()


def register(server: Server, folder: str) -> str:
    made = requests.post(
        server.url + "/api/cameras", json={"name": "Front", "folder_path": folder}
    )
    return server.url + made.headers["Location"]


def snapshot(url: str) -> requests.Response:
    return requests.get(url + "/snapshot", timeout=DEADLINE_SECONDS)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens within a second in the service's own time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def overwrite(base: Path) -> None:
    put(base / "front" / "day" / "old.jpg", NEW)


def rename_into_place(base: Path) -> None:
    put(base / "front" / "day" / "new.tmp", NEW).rename(base / "front" / "day" / "new.jpg")


def touch_an_older_one(base: Path) -> None:
    put(base / "front" / "b.jpg", NEW, age=3600)
    os.utime(base / "front" / "b.jpg")


def delete_the_newest(base: Path) -> None:
    put(base / "front" / "day" / "b.jpg", NEW, age=3600)
    (base / "front" / "day" / "old.jpg").unlink()


def rename_the_newest_away(base: Path) -> None:
    put(base / "front" / "b.jpg", NEW, age=3600)
    (base / "front" / "day" / "old.jpg").rename(base / "old.jpg")


def make_again(base: Path) -> None:
    shutil.rmtree(base / "front")
    put(base / "front" / "day" / "new.jpg", NEW, age=3600)


def put_another_in_its_place(base: Path) -> None:
    put(base / "other" / "new.jpg", NEW, age=3600)
    (base / "front").rename(base / "away")
    (base / "other").rename(base / "front")


@pytest.mark.parametrize(
    "change",
    [
        *(overwrite, rename_into_place, touch_an_older_one, delete_the_newest),
        *(rename_the_newest_away, make_again, put_another_in_its_place),
    ],
)
def test_the_next_request_shows_it(shared_server, front, change):
    change(shared_server.base)
    assert snapshot(front).content == NEW


def test_a_link_in_the_folders_place_is_outside_at_once(shared_server, front):
    (shared_server.base / "front").rename(shared_server.base / "away")
    (shared_server.base / "front").symlink_to("away")
    assert_problem(snapshot(front), 403, "folder_outside_base")


def test_a_new_folder_path_is_watched_and_the_former_folder_no_more(server):
    front = show_old(server)
    until(lambda: watches_of(server.process.pid) == 2)
    put(server.base / "garden" / "new.jpg", NEW, age=3600)
    requests.patch(front, json={"folder_path": "garden"})
    assert snapshot(front).content == NEW
    put(server.base / "front" / "day" / "last.jpg", OLD)
    assert snapshot(front).content == NEW
    until(lambda: watches_of(server.process.pid) == 1)


def test_the_watches_of_a_deleted_camera_are_given_back(server):
    front = show_old(server)
    until(lambda: watches_of(server.process.pid) == 2)
    requests.delete(front)
    until(lambda: watches_of(server.process.pid) == 0)


def test_a_base_path_that_appears_after_the_start_is_used(tmp_path):
    base = tmp_path / "mounted" / "later"
    with ForkedServer(tmp_path, NVR_FOSCAM_BASE_PATH=str(base)) as server:
        url = register(server, "front")
        assert_problem(snapshot(url), 404, "folder_not_found")
        put(base / "front" / "day" / "new.jpg", OLD)
        assert snapshot(url).content == OLD
        put(base / "front" / "day" / "new.jpg", NEW)
        assert snapshot(url).content == NEW
        until(lambda: watches_of(server.process.pid) == 2)


def test_without_watching_the_next_request_shows_it_too(tmp_path):
    with ForkedServer(tmp_path, NVR_WATCH="off") as server:
        url = register(server, "front")
        put(server.base / "front" / "day" / "old.jpg", OLD)
        assert snapshot(url).content == OLD
        overwrite(server.base)
        assert snapshot(url).content == NEW
        assert watches_of(server.process.pid) == 0
