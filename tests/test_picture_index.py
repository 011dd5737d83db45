"""Does the list of pictures equal a walk, whatever happens to files, index and service?"""

import os
import random
import shutil
import threading
import time
from datetime import timedelta

import pytest

from app import clock, db
from app.db import acquire_leader_lock, database, writer
from app.db import backup as backup_files
from app.models import Camera, KeptPicture
from app.models.picture_folders import PictureCamera
from app.models.pictures import KEPT_INDEX, NAMES_AT_ONCE, Picture
from app.pictures import camera_index, comparison, index, marks
from app.pictures.files import file_facts, id_of
from app.pictures.index import PictureIndex
from app.pictures.keeping import set_kept
from app.pictures.listing import Filters, Listing
from app.services.audit import Caller
from app.storage import removal, safe_open
from app.storage.folders import Folders
from app.storage.scan import MAX_DEPTH, is_clip, is_housekeeping, upload_filter
from tests.file_operations import Uploads
from tests.rows import add_camera

MOST_BYTES = 250
TABLES = ("picture", "picture_folder", "picture_camera", "picture_hour")


class Leader:
    """Stands for the monitor of the process that leads."""

    leads = True

    def may_flush(self):
        return True

    def flush(self, change):
        self.before_writing()
        return writer.run(change)

    def before_writing(self):
        """What happens between the choice of the changes and their writing."""


class Guard:
    """Stands for the guard of the clock."""

    reason = None

    def why_implausible(self):
        return self.reason


class Service:
    """The index of one process, which ends with `stop` and begins anew with `start`."""

    def __init__(self, base, camera, watch):
        self.base, self.camera, self.watch = base, camera, watch
        self.start()

    def start(self):
        self.folders, self.leader = Folders(MOST_BYTES, self.watch), Leader()
        self.guard = Guard()
        self.index = PictureIndex(
            str(self.base), self.folders, self.leader, MOST_BYTES, self.guard
        )

    def stop(self):
        self.folders.retain(())

    def listed(self):
        """The id of each path that is listed."""
        return {row.path: id_of(row) for row in self.rows()}

    def set_kept(self, path, kept):
        set_kept(self.index, self.camera["id"], self.listed()[path], kept, Caller("anonymous"))

    def kept(self):
        """The paths of the pictures that are kept, by the rows and by the filter."""
        kept = [row.path for row in self.rows() if row.kept]
        assert [row.path for row in self.rows(kept=True)] == kept
        return kept

    def rows(self, **filters):
        return list(Listing(self.index.follow(self.camera)).iterate(Filters(**filters)))

    def step(self, rng):
        """What happens to the service between two requests: mostly nothing."""
        chance = rng.random()
        if chance < 0.15:
            self.index.tick()
        elif chance < 0.3:
            self.index.flush()
        elif chance < 0.4:
            if rng.random() < 0.5:
                self.index.close()
            self.stop()
            self.start()
        elif chance < 0.42:
            empty_tables()


def empty_tables(tables=TABLES):
    def empty():
        for table in tables:
            database.execute_sql(f"DELETE FROM {table}")

    writer.run(empty)


def walked(root, camera_id):
    """What is to be listed: the id of each path."""
    found, is_upload = {}, upload_filter(None)
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not is_housekeeping(name)]
        prefix = os.path.relpath(folder, root).removeprefix(".")
        if prefix.count("/") >= MAX_DEPTH or os.path.islink(folder):
            continue
        for name in names:
            path = f"{prefix}/{name}".lstrip("/")
            status = os.lstat(os.path.join(folder, name))
            is_small = is_clip(name) or status.st_size <= MOST_BYTES
            is_regular = not os.path.islink(os.path.join(folder, name)) and status.st_size
            if is_upload(name) and not name.startswith(".") and is_small and is_regular:
                found[path] = file_facts(
                    camera_id, path, status, has_stable_inodes=True
                ).picture_id
    return found


@pytest.fixture
def other(service, base):
    """Another process on the same database and folder, which does not lead."""
    other = Service(base, service.camera, service.watch)
    other.leader.leads = False
    yield other
    other.stop()


@pytest.fixture
def service(app, base, request, monkeypatch, at_once):
    monkeypatch.setattr(comparison, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(comparison, "SHORT_SECONDS", 10.0)
    camera = {"id": add_camera(), "folder_path": "root"}
    Camera.change(camera["id"], {"folder_path": "root"})
    service = Service(base, camera, request.param)
    yield service
    service.stop()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("service", [True, False], indirect=True, ids=["auto", "off"])
def test_the_list_equals_a_walk_after_every_operation(service, base, tmp_path, seed):
    root, outside = base / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    uploads, rng = Uploads(root, outside, seed, time.time()), random.Random(seed)
    history = []
    try:
        for _ in range(150):
            history += uploads.some()
            service.step(rng)
            try:
                listed = service.listed()
            except (safe_open.OutsideBase, safe_open.FolderNotFound):
                continue
            expected = walked(root, service.camera["id"])
            unsure = {
                path
                for path in {*listed, *expected}
                if (root / path).exists() and uploads.may_grow(path)
            }
            differing = {
                p for p in {*listed, *expected} - unsure if listed.get(p) != expected.get(p)
            }
            assert differing == set(), f"after {len(history)}: {history[-9:]}"
            assert Listing(service.index.of(service.camera)).count(Filters()) == len(listed)
    finally:
        uploads.end()


@pytest.mark.parametrize("service", [True, False], indirect=True, ids=["auto", "off"])
def test_a_process_that_does_not_lead_has_the_same_list_and_writes_nothing(
    service, other, base, tmp_path
):
    root, outside = base / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    uploads, rng = Uploads(root, outside, 5, time.time()), random.Random(5)
    try:
        for _ in range(15):
            uploads.some()
            rng.choice((service.index.tick, service.index.flush, other.index.tick, empty_tables))()
            try:
                listed = service.listed()
            except (safe_open.OutsideBase, safe_open.FolderNotFound):
                continue
            if not any(map(uploads.may_grow, listed)):
                assert other.listed() == listed
    finally:
        uploads.end()
    service.index.close()
    stored = PictureCamera.find(camera_id=service.camera["id"])
    other.rows()
    other.index.tick()
    assert PictureCamera.find(camera_id=service.camera["id"]) == stored
    assert Picture.select().where(Picture.camera == stored["id"]).count() == len(other.rows())


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
def test_only_what_changed_is_read_at_start_and_all_of_it_once_a_day(service, base):
    for folder in ("root", "root/day", "root/night"):
        (base / folder).mkdir()
        for name in ("a.jpg", "b.mp4"):
            (base / folder / name).write_bytes(b"GIF89a")
    for folder in ("root", "root/day", "root/night"):
        os.utime(base / folder, (1, 1))
    known = service.listed()
    assert service.index.of(service.camera).comparison.files == len(known) == 6
    service.index.close()
    service.stop()
    (base / "root/day/a.jpg").write_bytes(b"GIF89a overwritten in its place")
    (base / "root/new.jpg").write_bytes(b"GIF89a")
    service.start()
    assert len(service.listed()) == 7
    comparison = service.index.of(service.camera).comparison
    assert comparison.files == 3  # of the one folder that has changed
    service.index.close()
    service.stop()
    stored = PictureCamera.find(camera_id=service.camera["id"])
    day_us = 24 * 3600 * 10**6
    writer.run(
        lambda: PictureCamera.change(stored["id"], {"compared_us": stored["compared_us"] - day_us})
    )
    service.start()
    service.listed()
    assert service.listed() == walked(base / "root", service.camera["id"])
    service.index.close()
    again = PictureCamera.find(camera_id=service.camera["id"])
    assert again["compared_us"] > stored["compared_us"]


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("by", ["service", "other"])
def test_a_picture_is_kept_or_released_while_changes_are_written(
    request, service, other, base, by, kept, is_written
):
    (base / "root").mkdir()
    (base / "root/a.jpg").write_bytes(b"GIF89a")
    process = request.getfixturevalue(by)
    if not kept:
        process.set_kept("a.jpg", True)
    if is_written:
        service.index.close()
    (base / "root/b.jpg").write_bytes(b"GIF89a another")
    service.listed()
    changed = "b.jpg" if kept else "a.jpg"
    service.leader.before_writing = lambda: process.set_kept(changed, kept)
    service.index.flush()
    expected = ["b.jpg"] if kept else []
    for _ in range(2):
        assert service.kept() == other.kept() == expected
        service.leader.before_writing = lambda: None
        service.index.close()
    assert service.index.waiting() == 0
    service.stop()
    service.start()
    assert service.kept() == expected


@pytest.mark.parametrize("service", [True, False], indirect=True, ids=["auto", "off"])
def test_a_kept_picture_may_be_renamed_and_then_move_to_another_disk(service, base, tmp_path):
    (base / "root/day").mkdir(parents=True)
    (base / "root/a.jpg").write_bytes(b"GIF89a")
    service.set_kept("a.jpg", True)
    (base / "root/a.jpg").rename(base / "root/day/b.jpg")
    assert service.kept() == ["day/b.jpg"]
    service.index.tick()
    service.stop()
    shutil.copytree(base / "root", tmp_path / "disk")
    shutil.rmtree(base / "root")
    shutil.move(tmp_path / "disk", base / "root")
    empty_tables()
    service.start()
    assert service.kept() == ["day/b.jpg"]
    service.index.tick()
    (base / "root/day/b.jpg").rename(base / "root/c.jpg")
    assert service.kept() == ["c.jpg"]


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
@pytest.mark.parametrize("tables", [TABLES, *[[table] for table in TABLES]], ids="+".join)
@pytest.mark.parametrize("is_running", [True, False])
def test_an_index_that_was_emptied_is_built_anew(service, base, tables, is_running):
    for name in ("a.jpg", "day/b.jpg", "c.mp4"):
        (base / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (base / "root" / name).write_bytes(b"GIF89a")
    for folder in ("root", "root/day"):
        os.utime(base / folder, (1, 1))
    service.set_kept("a.jpg", True)
    known = service.listed()
    assert known == walked(base / "root", service.camera["id"])
    service.index.close()
    if not is_running:
        service.stop()
    empty_tables(tables)
    if not is_running:
        service.start()
    for _ in range(2):
        assert service.listed() == known
        listing = Listing(service.index.of(service.camera))
        assert listing.count(Filters()) == listing.count(Filters(start_us=0)) == 3
        assert service.kept() == ["a.jpg"]
        service.index.close()
    service.index.tick()
    assert Picture.select().count() >= 3


@pytest.fixture
def later(service, monkeypatch):
    """Sets the clock of the index so many days ahead, and follows the folders."""
    monkeypatch.setattr(marks, "CHECK_SECONDS", 0.0)
    real = clock.now

    def set_clock(days):
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(days=days))
        service.index.tick()

    return set_clock


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
@pytest.mark.parametrize(
    ("state", "is_forgotten"),
    [
        ("file gone", True),
        ("file overwritten", True),
        ("folder gone", True),
        ("folder not readable", False),
        ("base gone", False),
        ("base empty", False),
        ("clock implausible", False),
        ("file there", False),
    ],
)
def test_a_mark_is_forgotten_30_days_after_its_file_was_deleted(
    service, base, tmp_path, later, monkeypatch, state, is_forgotten
):
    picture, other = base / "root/day/a.jpg", base / "other"
    picture.parent.mkdir(parents=True)
    other.mkdir()
    picture.write_bytes(b"GIF89a")
    service.set_kept("day/a.jpg", True)
    shutil.copytree(base, tmp_path / "copy")
    if state in ("file gone", "clock implausible"):
        picture.unlink()
    elif state == "file overwritten":
        picture.write_bytes(b"GIF89a another")
    elif state.startswith("folder"):
        shutil.rmtree(base / "root")
        if state == "folder not readable":
            (base / "root").symlink_to(tmp_path)
    elif state.startswith("base"):
        shutil.rmtree(base)
        if state == "base empty":
            base.mkdir()
    service.guard.reason = "it jumped" if state == "clock implausible" else None
    for days in (0, 29.9, 30.1):
        later(days)
        assert bool(KeptPicture.find_all()) == (days <= 30 or not is_forgotten)
    monkeypatch.undo()
    if state == "folder not readable":
        (base / "root").unlink()
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(tmp_path / "copy", base)
    assert service.kept() == ([] if is_forgotten else ["day/a.jpg"])


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
def test_the_30_days_of_a_mark_begin_when_its_file_was_deleted_last(service, base, later):
    (base / "root").mkdir()
    (base / "root/a.jpg").write_bytes(b"GIF89a")
    service.set_kept("a.jpg", True)
    for days in (0, 20, 40):
        (base / "root/a.jpg").rename(base / "away.jpg")
        later(days)
        later(days + 19)
        (base / "away.jpg").rename(base / "root/a.jpg")
        later(days + 19.5)
    assert service.kept() == ["a.jpg"]


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
def test_lists_counts_and_totals_agree_while_changes_are_written(service, base):
    root = base / "root"
    root.mkdir()
    ended = threading.Event()

    def write():
        while not ended.is_set():
            service.index.flush()
        database.close()

    def found():
        listing = Listing(service.index.of(service.camera))
        listed = len(list(listing.iterate(Filters())))
        counts = listing.count(Filters()), listing.count(Filters(start_us=0))
        return {listed, *counts, listing.totals()["pictures"]}

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for turn in range(60):
            (root / f"{turn}.jpg").write_bytes(b"GIF89a")
            if turn % 3 == 2:
                (root / f"{turn - 1}.jpg").unlink()
            service.index.follow(service.camera)
            for _ in range(5):
                assert found() == {len(list(root.iterdir()))}
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
@pytest.mark.parametrize("is_killed", [True, False])
def test_every_file_is_checked_after_a_kill_and_not_after_a_stop(service, base, is_killed):
    (base / "root").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (base / "root" / name).write_bytes(b"GIF89a")
    os.utime(base / "root", (1, 1))
    os.close(acquire_leader_lock())
    service.listed()
    for _ in range(2):
        service.index.tick()
        if not is_killed:
            service.index.close()
        service.index.flush()
        service.stop()
        service.start()
    service.listed()
    service.index.tick()
    files = service.index.of(service.camera).comparison.files
    assert files == (2 if is_killed else 0)


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
def test_few_changes_wait_in_memory_while_a_large_folder_is_indexed(service, base, monkeypatch):
    monkeypatch.setattr(index, "REQUEST_SECONDS", 0)
    for name in ("STEP_SECONDS", "TURN_SECONDS"):
        monkeypatch.setattr(camera_index, name, 0)
    for name in ("MOST_WAITING", "MANY_WAITING"):
        monkeypatch.setattr(index, name, 50)
    monkeypatch.setattr(index, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(service.leader, "may_flush", lambda: False)
    waiting = []
    service.leader.before_writing = lambda: waiting.append(service.index.waiting())
    (base / "root").mkdir()
    for number in range(400):
        (base / "root" / f"{number}.jpg").write_bytes(b"GIF89a")
    service.index.follow(service.camera)
    while service.index.of(service.camera).comparison.is_busy:
        service.index.tick()
    assert 50 <= max(waiting) < 50 + 2 * NAMES_AT_ONCE
    assert len(service.listed()) == 400


def test_the_kept_pictures_are_found_by_their_index(app):
    queries = []
    database.connection().set_trace_callback(queries.append)
    for beyond, newest_first in ((None, True), (None, False), ((1, b"tag"), True)):
        Picture.ordered(1, False, {"kept": True}, beyond, 9, newest_first)
    Picture.count_of(1, False, {"kept": True})
    database.connection().set_trace_callback(None)
    assert len(queries) == 4
    for query in queries:
        plan = database.execute_sql(f"EXPLAIN QUERY PLAN {query}").fetchall()
        steps = " ".join(row[3] for row in plan)
        assert f"USING INDEX {KEPT_INDEX} " in steps
        assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
def test_after_a_restore_the_list_follows_the_files_and_ids_and_marks_stay(
    app, service, base, tmp_path
):
    """Files were overwritten, deleted, uploaded and kept after the backup."""
    root, path = base / "root", database.path
    (root / "day").mkdir(parents=True)
    for name in ("stays.jpg", "day/overwritten.jpg", "deleted.jpg", "clip.mp4"):
        (root / name).write_bytes(b"GIF89a")
    os.utime(root / "day", (1, 1))
    os.close(acquire_leader_lock())
    service.set_kept("stays.jpg", True)
    before = service.listed()
    service.index.tick()
    service.index.flush()
    backup_files.backup(path, str(tmp_path / "kept.db"))
    (root / "day/overwritten.jpg").write_bytes(b"GIF89a another")
    (root / "deleted.jpg").unlink()
    (root / "new.jpg").write_bytes(b"GIF89a")
    service.set_kept("clip.mp4", True)
    service.index.close()
    service.stop()
    db.close_all()
    backup_files.restore(str(tmp_path / "kept.db"), path, db.known_migrations())
    db.migrate()
    service.start()
    service.listed()
    service.index.tick()
    listed = service.listed()
    assert listed == walked(root, service.camera["id"])
    assert listed["stays.jpg"] == before["stays.jpg"]
    assert service.kept() == ["stays.jpg"]


def test_the_first_list_waits_for_the_comparison_longer_than_other_requests(
    client, camera, base, monkeypatch
):
    monkeypatch.setattr(index, "REQUEST_SECONDS", 0)
    monkeypatch.setattr(index, "LIST_SECONDS", 60)
    for number in range(3 * NAMES_AT_ONCE):
        (base / f"front/{number}.jpg").write_bytes(b"picture")
    answer = client.get(f"/api/cameras/{camera['id']}/pictures?limit=1")
    assert answer.get_json()["count"] == 3 * NAMES_AT_ONCE


class Crash(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
def test_a_hidden_file_gets_its_name_again_once_no_deletion_runs(service, base, monkeypatch):
    """A crash left it hidden; while a process deletes a file, the folder is locked."""
    root = base / "root"
    root.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (root / name).write_bytes(b"GIF89a")
    folder = os.open(root, os.O_RDONLY)

    def end(*_, **__):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(removal.os, "unlink", end)
        with pytest.raises(Crash), removal.removing(folder, ["a.jpg"], lambda _: True):
            pass
    with removal.removing(folder, ["b.jpg"], lambda _: True):
        service.listed()
        service.index.tick()
        assert not (root / "a.jpg").exists()
    service.index.tick()
    assert os.listdir(root) == ["a.jpg"]
    os.close(folder)


@pytest.mark.parametrize("service", [True], indirect=True, ids=["auto"])
def test_a_stop_ends_a_turn_after_the_camera_that_is_followed(service, base, monkeypatch):
    followed = []

    def follow(self):
        followed.append(self)
        service.index.stop()
        return False

    monkeypatch.setattr(camera_index.CameraIndex, "follow_in_steps", follow)
    add_camera("Back")
    service.index.tick()
    assert len(followed) == 1
