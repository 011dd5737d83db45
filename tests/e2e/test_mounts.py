"""What does the real service trust on which file system, and does it notice a mount?"""

import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.e2e.server import PROJECT, NotStarted, Server
from tests.mounts import Bindfs, mounted, needs_bindfs, needs_loop, needs_mount, on_a_disk_of
from tests.pictures import picture, put

DEADLINE_SECONDS = 30
OLD, NEW, NEWEST = picture(shade=1), picture(shade=2), picture(shade=3)
# Runs the rest of its words with another table of mounts, the file $1.
OTHER_TABLE = 'mount --bind "$1" /proc/$$/mountinfo && shift && exec "$@"'


@pytest.fixture
def camera(server):
    """The URL of a camera whose folder is ``front``."""
    (server.base / "front").mkdir()
    return register(server, "front")


def register(server, folder):
    fields = {"name": folder, "folder_path": folder}
    answer = requests.post(f"{server.url}/api/cameras", json=fields, timeout=20)
    return server.url + answer.headers["Location"]


def shown(camera):
    answer = requests.get(f"{camera}/snapshot", timeout=20)
    return answer.content if answer.status_code == 200 else answer.json()["code"]


def watching(camera):
    answer = requests.get(f"{camera}/diagnostics", timeout=20).json()
    return answer["watching"]["mode"], [problem["code"] for problem in answer["problems"]]


def until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@needs_bindfs
def test_a_folder_on_fuse_is_polled_and_never_stale(server, camera, tmp_path):
    with Bindfs(tmp_path / "elsewhere", server.base / "front") as share:
        put(share.source / "a.jpg", OLD, age=60)
        assert shown(camera) == OLD
        put(share.source / "b.jpg", NEW)
        assert shown(camera) == NEW
        assert watching(camera) == ("polling", ["polling"])
        text = requests.get(f"{camera}/diagnostics", timeout=20).json()["problems"][0]["message"]
        assert f"fuse (mounted at {share.point})" in text
        until(lambda: requests.get(camera, timeout=20).json()["last_seen_at"])


@needs_bindfs
def test_a_share_mounted_in_a_watched_folder_is_noticed_and_so_is_its_end(
    server, camera, tmp_path
):
    put(server.base / "front" / "a.jpg", OLD, age=60)
    put(tmp_path / "elsewhere" / "b.jpg", NEW, age=30)
    assert (shown(camera), watching(camera)) == (OLD, ("watching", []))
    with Bindfs(tmp_path / "elsewhere", server.base / "front" / "day") as share:
        assert shown(camera) == NEW
        until(lambda: watching(camera) == ("polling", ["polling"]))
        put(share.source / "c.jpg", NEWEST)
        assert shown(camera) == NEWEST
    assert shown(camera) == OLD
    until(lambda: watching(camera) == ("watching", []))


@needs_mount
def test_pictures_that_a_mount_in_a_watched_folder_shows_and_hides_are_noticed(
    server, camera, tmp_path
):
    put(server.base / "front" / "day" / "a.jpg", NEW, age=60)
    put(tmp_path / "bound" / "b.jpg", NEWEST, age=30)
    assert shown(camera) == NEW
    with mounted(server.base / "front" / "day", "-t", "tmpfs", "nvr") as disk:
        assert shown(camera) == "no_snapshot"
        put(disk / "c.jpg", OLD, age=90)
        assert (shown(camera), watching(camera)) == (OLD, ("watching", []))
    assert shown(camera) == NEW
    with mounted(server.base / "front" / "day", "--bind", tmp_path / "bound"):
        assert (shown(camera), watching(camera)) == (NEWEST, ("watching", []))
        put(tmp_path / "bound" / "d.jpg", OLD)
        assert shown(camera) == OLD
    assert (shown(camera), watching(camera)) == (NEW, ("watching", []))


@needs_loop
@pytest.mark.parametrize("kind", ["ext4", "vfat"])
def test_a_local_disk_is_watched(server, camera, tmp_path, kind):
    with on_a_disk_of(kind, server.base / "front", tmp_path / "image") as disk:
        put(disk / "a.jpg", OLD, age=60)
        assert shown(camera) == OLD
        put(disk / "day" / "b.jpg", NEW)
        assert (shown(camera), watching(camera)) == (NEW, ("watching", []))
        os.remove(disk / "day" / "b.jpg")
        assert shown(camera) == OLD
    assert shown(camera) == "no_snapshot"


@needs_mount
@pytest.mark.parametrize(
    "kind",
    [
        "vboxsf",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("prl_fs", "9p", "nfs4", "cifs")),
    ],
)
def test_any_other_type_of_file_system_is_polled(tmp_path, kind):
    folder = tmp_path / "uploads" / "front"
    put(folder / "a.jpg", OLD)
    table = f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:99 / {folder} rw - {kind} share rw\n"
    (tmp_path / "table").write_text(table)
    wrapper = ["unshare", "--mount", "sh", "-c", OTHER_TABLE, "sh", str(tmp_path / "table")]
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path, wrapper))
        camera = register(server, "front")
        assert (shown(camera), watching(camera)) == (OLD, ("polling", ["polling"]))


@needs_bindfs
@pytest.mark.parametrize("hangs", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_database_that_is_not_on_a_local_disk_is_refused_with_the_remedy(tmp_path, hangs):
    with Bindfs(tmp_path / "elsewhere", tmp_path / "share") as share:
        os.symlink(share.point, tmp_path / "link")
        server = ForkedServer(tmp_path, NVR_DATABASE_URL=f"sqlite:///{tmp_path}/link/nvr.db")
        if hangs:
            share.hang()
        with pytest.raises(NotStarted) as refused, server:
            pass
        said = str(refused.value)
        assert said.startswith("cannot start: ")
        assert said.count("\n") == 1
        for word in (f"fuse (mounted at {share.point})", "local disk", "NVR_DATABASE_ANYWHERE=1"):
            assert word in said
        assert server.process.returncode == 1
        listing = subprocess.run(
            [sys.executable, "-m", "flask", "--app", f"{PROJECT}/wsgi.py", "cameras", "list"],
            env=server.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (listing.returncode, listing.stdout, listing.stderr) == (1, "", said)


@needs_bindfs
def test_a_setting_allows_a_database_on_any_file_system(tmp_path):
    with Bindfs(tmp_path / "elsewhere", tmp_path / "share") as share:
        url = f"sqlite:///{share.point}/nvr.db"
        with ForkedServer(tmp_path, NVR_DATABASE_URL=url, NVR_DATABASE_ANYWHERE="1") as server:
            register(server, "front")
        assert (share.source / "nvr.db").exists()
