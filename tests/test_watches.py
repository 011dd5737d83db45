"""Does one inotify instance serve all cameras, and what do changes of many folders cost?"""

import os
import random
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.storage import safe_open, watches
from app.storage.folders import Folders
from tests.inotify import instances_of, overflow, queue_length, watches_of
from tests.pictures import put
from tests.unprivileged import base_of_nobody
from tests.watched import MOST_BYTES, Watched, names

PROJECT = Path(__file__).resolve().parent.parent
CAMERAS = 128
# Folders with a picture in them below `count` others: 4,100 in all, and ten times as many.
FEW, MANY = 41, 410
# A user of its own has all instances to itself, whatever else runs on this machine; another one
# each time, because the same test may run on it twice.
LONE_USER = random.randrange(20_000, 60_000)
HOLD_INSTANCES = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from inotify_simple import INotify
from app.storage.folders import Folders
base, user, spare = Path(sys.argv[1]), int(sys.argv[2]), 4
if os.geteuid() == 0:
    os.setuid(user)
held = []
try:
    while True:
        held.append(INotify())
except OSError:
    for inotify in held[-spare:]:
        inotify.close()
known, reasons = Folders(10**6), set()
for folder in sorted(base.iterdir()):
    descriptor = os.open(folder, os.O_RDONLY)
    reasons.add(known.query(descriptor, datetime.now(UTC)).polling)
    os.close(descriptor)
print(len(held) - spare, reasons)
"""


@pytest.fixture
def many(tmp_path):
    """Empty folders, an index, and each folder's descriptor."""
    paths = [tmp_path / "cameras" / f"{number:03}" for number in range(CAMERAS)]
    for path in paths:
        path.mkdir(parents=True)
    known, descriptors = Folders(MOST_BYTES), [os.open(path, os.O_RDONLY) for path in paths]
    yield paths, known, descriptors
    known.retain(())
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def inner(root):
    """The folder ``inner`` inside the other camera's folder, as a camera's of the same index."""
    inner = Watched(root.path / "inner")
    inner.known = root.known
    yield inner
    os.close(inner.folder)


def make_folders(top, count):
    """``count`` folders of 99 folders below ``top``, the last with a picture."""
    for number in range(count):
        for below in range(99):
            (top / f"{number}" / f"{below}").mkdir(parents=True)
    return put(top / "0" / "0" / "a.jpg", b"x")


def test_many_cameras_share_one_inotify_instance(many):
    paths, known, descriptors = many
    before = instances_of(os.getpid())
    for descriptor in descriptors:
        assert known.query(descriptor, datetime.now(UTC)).polling is None
    assert instances_of(os.getpid()) == before + 1
    for number, (path, descriptor) in enumerate(zip(paths, descriptors, strict=True)):
        (path / f"{number}.jpg").write_bytes(b"x")
        assert names(known.query(descriptor, datetime.now(UTC))) == [f"{number}.jpg"]
    known.retain(())
    assert instances_of(os.getpid()) == before


def test_all_cameras_are_watched_where_other_programs_hold_124_of_128_instances():
    # Not in pytest's own folder, which other users may not enter once another pytest starts.
    with base_of_nobody() as base:
        for number in range(CAMERAS):
            (base / f"{number}").mkdir()
        code = [sys.executable, "-c", HOLD_INSTANCES, str(base), str(LONE_USER)]
        result = subprocess.run(code, cwd=PROJECT, capture_output=True, text=True)
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    assert result.stdout == f"{limit - 4} {{None}}\n", result.stderr


def test_a_folder_inside_another_cameras_folder_shows_its_changes_to_both(root, inner):
    assert (root.names(), inner.names()) == ([], [])
    (inner.path / "a.jpg").write_bytes(b"x")
    assert (root.names(), inner.names()) == (["inner/a.jpg"], ["a.jpg"])
    (inner.path / "day").mkdir()
    (inner.path / "day" / "b.jpg").write_bytes(b"x")
    assert inner.names() == ["day/b.jpg", "a.jpg"]
    assert root.names() == ["inner/day/b.jpg", "inner/a.jpg"]
    (inner.path / "day").rename(root.path / "day")
    assert (root.names(), inner.names()) == (["day/b.jpg", "inner/a.jpg"], ["a.jpg"])


def test_a_folder_stays_watched_for_one_camera_when_another_leaves_it(root, inner):
    (inner.path / "day").mkdir()
    assert (root.names(), inner.names()) == ([], [])
    assert watches_of(os.getpid()) == 3
    (root.path / "inner").rename(root.path.parent / "away")
    assert root.names() == []
    assert watches_of(os.getpid()) == 3
    (root.path.parent / "away" / "day" / "a.jpg").write_bytes(b"x")
    assert (root.names(), inner.names()) == ([], ["day/a.jpg"])


def test_an_overflow_makes_every_cameras_folder_be_read_anew(root, inner, tmp_path):
    other = Watched(tmp_path / "other")
    other.known.retain(())
    other.known = root.known
    for watched in (root, inner, other):
        watched.query()
    overflow(root.path)
    put(other.path / "a.jpg", b"x")
    put(inner.path / "b.jpg", b"x")
    assert (other.names(), inner.names(), root.names()) == (["a.jpg"], ["b.jpg"], ["inner/b.jpg"])
    assert root.query().polling is None
    os.close(other.folder)


def test_a_queue_that_is_drained_does_not_overflow(root, monkeypatch):
    put(root.path / "day" / "a.jpg", b"x")
    root.query()
    steps = queue_length() // 10
    for turn in range(20):
        for number in range(steps // 2):
            os.utime(root.path / "day" / "a.jpg", (turn, number))
            os.utime(root.path / "day", (turn, number))
        root.known.drain()
    scanned, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda *a: scanned.append(a) or scandir(*a))
    assert root.names() == ["day/a.jpg"]
    assert scanned == []


def test_the_waiting_events_of_a_folder_that_nobody_queries_are_bounded(root, inner, monkeypatch):
    monkeypatch.setattr(watches, "MAX_WAITING", 100)
    for watched in (root, inner):
        watched.query()
    for number in range(200):
        put(root.path / f"{number % 7}.jpg", b"x", age=60)
    put(root.path / "last.jpg", b"x")
    (inner.path / "a.jpg").write_bytes(b"x")
    assert inner.names() == ["a.jpg"]
    assert root.names()[:2] == ["inner/a.jpg", "last.jpg"]


def test_a_folder_that_is_renamed_costs_the_same_however_many_lie_below_it(root, monkeypatch):
    make_folders(root.path / "year", FEW)
    root.query()
    opened, scanned = [], []
    open_below, scandir = safe_open.open_below, os.scandir
    monkeypatch.setattr(safe_open, "open_below", lambda *a: opened.append(a) or open_below(*a))
    monkeypatch.setattr(os, "scandir", lambda *a: scanned.append(a) or scandir(*a))
    (root.path / "year").rename(root.path / "other")
    assert root.names() == ["other/0/0/a.jpg"]
    assert (len(opened), len(scanned)) == (2, 0)
    (root.path / "other" / "0" / "0" / "b.jpg").write_bytes(b"x")
    assert root.names() == ["other/0/0/b.jpg", "other/0/0/a.jpg"]
    assert watches_of(os.getpid()) == FEW * 100 + 2


def test_each_of_many_deleted_folders_is_looked_at_at_most_once(root, monkeypatch):
    make_folders(root.path / "year", FEW)
    root.query()
    shutil.rmtree(root.path / "year")
    opened = []
    open_below = safe_open.open_below
    monkeypatch.setattr(safe_open, "open_below", lambda *a: opened.append(a) or open_below(*a))
    assert root.names() == []
    assert len(opened) <= FEW * 100 + 1
    assert watches_of(os.getpid()) == 1


@pytest.mark.slow
def test_a_change_of_40_000_folders_takes_less_than_a_second(root, tmp_path):
    make_folders(root.path / "year", MANY)
    root.query()
    spent = {}

    def measure(what):
        began = time.thread_time()  # on a busy machine the time of a clock says nothing
        state = root.query()
        spent[what] = time.thread_time() - began
        assert state.polling is None
        return names(state)

    (root.path / "year").rename(root.path / "other")
    assert measure("renamed") == ["other/0/0/a.jpg"]
    (root.path / "other").rename(tmp_path / "away")
    assert measure("moved out") == []
    (tmp_path / "away").rename(root.path / "year")
    assert root.names() == ["year/0/0/a.jpg"]
    deleting = subprocess.Popen(["rm", "-r", root.path / "year"])
    while deleting.poll() is None:
        root.known.drain()
        time.sleep(0.05)
    assert measure("deleted") == []
    print(spent)
    assert max(spent.values()) < 1
