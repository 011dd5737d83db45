"""Does the monitor notice what happens in the folders, and does it write seldom and truly?"""

import logging
import os
import shutil
from datetime import timedelta

import pytest

from app import clock
from app.db import database, writer
from app.models import AUDIT, Camera, NotFound
from app.services import camera_status, folder_observer, monitor
from app.services import cameras as camera_service
from app.services.audit import Caller
from app.services.camera_status import SILENCE, Decision, pending_updates
from app.services.monitor import Monitor
from app.storage import safe_open
from app.storage.folders import Folders
from tests import effort
from tests.inotify import watches_of
from tests.pictures import picture, put
from tests.rows import entries_of

DAY = 86400
SOMEBODY = Caller("anonymous")
EARLY = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def folders(app):
    """The app's index of the cameras' folders."""
    return app.extensions["folders"]


@pytest.fixture
def settings(app):
    """The app's settings; a camera is offline after a day."""
    return app.extensions["settings"]


@pytest.fixture
def watch(base, folders, settings):
    """A monitor whose every ``tick`` writes at once."""
    watch = Monitor(str(base), folders, settings, 0)
    yield watch
    watch.close()


@pytest.fixture
def seldom(base, folders, settings):
    """A monitor that writes at its first ``tick`` with news, and then not within the hour."""
    seldom = Monitor(str(base), folders, settings, 3600)
    yield seldom
    seldom.close()


def moves(camera):
    """(old, new, evidence) of every change of the camera's status, oldest first."""
    entries = list(AUDIT.iterate({"action": "camera_status_changed", "resource_id": camera["id"]}))
    assert {entry["actor"] for entry in entries} <= {"monitor"}
    return [
        (*entry["details"]["changes"]["status"].values(), entry["details"]["evidence"])
        for entry in entries[::-1]
    ]


def test_an_upload_is_seen_and_makes_the_camera_online(watch, base, camera):
    camera_service.update_camera(camera["id"], {"status": "offline"}, SOMEBODY)
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] is None
    before = clock.rfc3339(clock.now())
    put(base / "front" / "a.jpg", b"x")
    watch.tick()
    row = Camera.one(camera["id"])
    assert row["status"] == "online"
    assert before[:18] <= row["last_seen_at"] <= clock.rfc3339(clock.now())
    assert moves(camera) == [("offline", "online", "upload")]


def test_uploads_while_the_service_was_down_are_seen_at_start(watch, base, camera):
    put(base / "front" / "a.jpg", b"x", age=3600)
    watch.tick()
    seen = Camera.one(camera["id"])["last_seen_at"]
    file = (base / "front" / "a.jpg").stat()
    assert seen == clock.rfc3339(clock.from_ns(file.st_mtime_ns))


def test_a_picture_is_read_soon_after_another_one_was_overwritten_by_it(
    watch, base, camera, client
):
    path, url = base / "front" / "snap.jpg", f"/api/cameras/{camera['id']}/snapshot"
    put(path, picture(shade=1))
    watch.tick()
    assert client.get(url).data == picture(shade=1)
    for shade in (2, 3, 4):
        path.write_bytes(picture(shade=shade))
        watch.read_overwritten()
        path.write_bytes(picture(shade=9)[:900])
        assert client.get(url).data == picture(shade=shade)


def test_a_clip_counts_as_an_upload_when_it_is_closed(watch, base, camera):
    put(base / "front" / "old.mp4", b"x", age=3600)
    watch.tick()
    seen = Camera.one(camera["id"])["last_seen_at"]
    assert seen == clock.rfc3339(clock.from_ns((base / "front" / "old.mp4").stat().st_mtime_ns))
    with (base / "front" / "new.mp4").open("wb", buffering=0) as file:
        file.write(b"half")
        watch.tick()
        assert Camera.one(camera["id"])["last_seen_at"] == seen
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] > seen


def test_half_a_picture_that_was_there_at_the_start_does_not_count_as_an_upload(
    watch, base, camera, folders
):
    whole = picture()
    put(base / "front" / "old.jpg", whole, age=60)
    put(base / "front" / "new.jpg", whole[:-1000])
    watch.tick()
    seen = Camera.one(camera["id"])["last_seen_at"]
    old = (base / "front" / "old.jpg").stat()
    assert seen == clock.rfc3339(clock.from_ns(old.st_mtime_ns))
    folders.retain(())
    put(base / "front" / "new.jpg", whole)
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] > seen


def test_a_file_with_a_time_in_the_future_counts_as_an_upload_once(watch, base, camera):
    put(base / "front" / "a.jpg", b"x", age=-3600)
    watch.tick()
    seen = Camera.one(camera["id"])["last_seen_at"]
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] == seen


def test_silence_makes_a_camera_offline_once_and_a_status_set_by_hand_stays(
    watch, base, camera, folders, settings
):
    put(base / "front" / "a.jpg", b"x", age=90000)
    watch.tick()
    assert moves(camera) == [("online", "offline", "silence")]
    camera_service.update_camera(camera["id"], {"status": "online"}, SOMEBODY)
    watch.tick()
    watch.close()
    restarted = Monitor(str(base), folders, settings, 0)
    restarted.tick()
    restarted.close()
    assert Camera.one(camera["id"])["status"] == "online"
    assert len(moves(camera)) == 1


def test_a_lost_folder_makes_a_camera_error_and_the_next_upload_online(watch, base, camera):
    put(base / "front" / "a.jpg", b"x")
    watch.tick()
    shutil.rmtree(base / "front")
    watch.tick()
    watch.tick()
    put(base / "front" / "b.jpg", b"x")
    watch.tick()
    assert moves(camera) == [("online", "error", "folder"), ("error", "online", "upload")]


def test_a_camera_that_was_never_seen_keeps_its_status_for_a_minute(watch, base, camera):
    watch.tick()
    (base / "front").rmdir()
    watch.tick()
    watch.tick()
    assert moves(camera) == []
    assert Camera.one(camera["id"])["status"] == "online"


@pytest.fixture
def at_once(monkeypatch):
    """The minute after which a missing folder is an error is over at once."""
    monkeypatch.setattr(camera_status, "LOSS_SECONDS", 0)


@pytest.mark.parametrize("status", ["online", "offline"])
@pytest.mark.parametrize("folder", ["never/made", "../outside", "file.jpg"])
def test_a_camera_whose_folder_never_existed_becomes_error(
    watch, base, client, at_once, status, folder
):
    put(base / "file.jpg", b"x")
    fields = {"name": "n", "folder_path": folder, "status": status}
    camera = client.post("/api/cameras", json=fields).get_json()
    watch.tick()
    watch.tick()
    assert Camera.one(camera["id"])["status"] == "error"
    assert moves(camera) == [(status, "error", "folder")]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_camera_that_was_never_seen_gets_its_status_back_with_its_folder(
    watch, base, camera, at_once, folders, settings, restarts
):
    camera_service.update_camera(camera["id"], {"status": "offline"}, SOMEBODY)
    (base / "front").rmdir()
    watch.tick()
    assert Camera.one(camera["id"])["status"] == "error"
    if restarts:
        watch.close()
        watch = Monitor(str(base), folders, settings, 0)
    (base / "front").mkdir()
    watch.tick()
    watch.tick()
    watch.close()
    assert Camera.one(camera["id"])["status"] == "offline"
    assert moves(camera) == [("offline", "error", "folder"), ("error", "offline", "folder")]


@pytest.mark.parametrize("was_seen", [False, True])
@pytest.mark.parametrize("status", ["online", "offline", "error"])
def test_a_status_set_while_the_folder_is_lost_stays_until_it_was_readable_once(
    watch, base, camera, at_once, folders, settings, was_seen, status
):
    if was_seen:
        put(base / "front" / "a.jpg", picture())
        watch.tick()
    shutil.rmtree(base / "front")
    watch.tick()
    assert Camera.one(camera["id"])["status"] == "error"
    camera_service.update_camera(camera["id"], {"status": status}, SOMEBODY)
    watch.tick()
    watch.close()
    watch = Monitor(str(base), folders, settings, 0)
    watch.tick()
    (base / "front").mkdir()
    watch.tick()
    assert Camera.one(camera["id"])["status"] == status
    assert len(moves(camera)) == 1
    (base / "front").rmdir()
    watch.tick()
    watch.close()
    assert Camera.one(camera["id"])["status"] == "error"
    assert len(moves(camera)) == (1 if status == "error" else 2)


def test_an_error_that_a_client_set_stays_until_the_next_upload(watch, base, camera, client):
    fields = {"name": "n", "folder_path": "other", "status": "error"}
    other = client.post("/api/cameras", json=fields).get_json()
    put(base / "front" / "a.jpg", picture(), age=90000)
    (base / "other").mkdir()
    watch.tick()
    camera_service.update_camera(camera["id"], {"status": "error"}, SOMEBODY)
    for _ in range(2):
        watch.tick()
    assert [row["status"] for row in Camera.listing()] == ["error", "error"]
    for folder in ("front", "other"):
        put(base / folder / "b.jpg", picture())
    watch.tick()
    assert [row["status"] for row in Camera.listing()] == ["online", "online"]
    assert moves(other) == [("error", "online", "upload")]


def test_handled_observations_are_known_without_the_audit_log(
    watch, base, camera, folders, settings
):
    put(base / "front" / "a.jpg", picture(), age=90000)
    watch.tick()
    watch.close()
    database.execute_sql("DELETE FROM audit_entry")
    camera_service.update_camera(camera["id"], {"status": "online"}, SOMEBODY)
    restarted = Monitor(str(base), folders, settings, 0)
    restarted.tick()
    restarted.close()
    assert Camera.one(camera["id"])["status"] == "online"


def test_pending_updates_wait_in_memory_and_every_response_includes_them(
    seldom, base, camera, client
):
    url = f"/api/cameras/{camera['id']}"
    put(base / "front" / "a.jpg", b"x", age=60)
    seldom.tick()
    first = Camera.one(camera["id"])["last_seen_at"]
    assert first
    client.patch(url, json={"status": "offline"})
    put(base / "front" / "b.jpg", b"x")
    seldom.tick()
    assert Camera.one(camera["id"]) | {"status": "offline", "last_seen_at": first} == Camera.one(
        camera["id"]
    )
    shown = client.get(url).get_json()
    assert (shown["status"], shown["last_seen_at"] > first) == ("online", True)
    assert client.get("/api/cameras?status=online").get_json()["cameras"] == [shown]
    assert client.get("/api/cameras?status=offline").get_json()["cameras"] == []
    seldom.close()
    assert Camera.one(camera["id"]) == shown
    assert moves(camera) == [("offline", "online", "upload")]


def test_each_status_change_that_waits_becomes_an_audit_entry(seldom, base, camera):
    put(base / "front" / "a.jpg", b"x")
    seldom.tick()
    shutil.rmtree(base / "front")
    seldom.tick()
    assert camera_service.get_camera(camera["id"])["status"] == "error"
    put(base / "front" / "b.jpg", b"x")
    seldom.tick()
    assert camera_service.get_camera(camera["id"])["status"] == "online"
    assert moves(camera) == []
    seldom.flush(lambda: None)
    assert moves(camera) == [("online", "error", "folder"), ("error", "online", "upload")]


def test_status_changes_that_another_process_overrode_are_not_recorded(seldom, base, camera):
    put(base / "front" / "a.jpg", b"x")
    seldom.tick()
    shutil.rmtree(base / "front")
    seldom.tick()
    Camera.change(camera["id"], {"status": "offline"})
    seldom.flush(lambda: None)
    assert Camera.one(camera["id"])["status"] == "offline"
    assert moves(camera) == []


def test_many_uploads_are_one_transaction(seldom, base, camera, monkeypatch):
    written = []
    run = writer.run
    monkeypatch.setattr(writer, "run", lambda *args, **how: written.append(1) or run(*args, **how))
    for number in range(10):
        put(base / "front" / f"{number}.jpg", b"x")
        seldom.tick()
    assert len(written) == 1
    assert len(pending_updates) == 1


def test_an_update_added_during_another_change_waits_for_the_next_transaction(app, camera):
    row = camera_service.get_camera(camera["id"])
    verdict = Decision("offline", "2025-01-01T00:00:00.000000Z", SILENCE)
    pending_updates.transact(lambda: pending_updates.add(row, verdict))
    assert len(pending_updates) == 1
    assert Camera.one(camera["id"])["status"] == "online"
    pending_updates.flush()
    assert len(pending_updates) == 0
    actions = [entry["action"] for entry in entries_of(camera["id"])]
    assert actions.count("camera_status_changed") == 1


def test_a_status_set_by_hand_wins_over_earlier_observations(seldom, base, camera):
    seldom.tick()
    seldom.flush(lambda: None)
    camera_service.update_camera(camera["id"], {"status": "offline"}, SOMEBODY)
    put(base / "front" / "a.jpg", b"x")
    seldom.tick()
    assert camera_service.get_camera(camera["id"])["status"] == "online"
    camera_service.update_camera(camera["id"], {"status": "offline"}, SOMEBODY)
    assert camera_service.get_camera(camera["id"])["status"] == "offline"
    seldom.tick()
    assert camera_service.get_camera(camera["id"])["status"] == "offline"
    assert camera_service.get_camera(camera["id"])["last_seen_at"] is not None


def test_pending_updates_survive_a_change_that_fails(seldom, base, camera):
    seldom.tick()
    seldom.flush(lambda: None)
    shutil.rmtree(base / "front", ignore_errors=True)
    put(base / "front" / "a.jpg", b"x")
    seldom.tick()
    shutil.rmtree(base / "front")
    seldom.tick()
    with pytest.raises(NotFound):
        camera_service.update_camera("gone", {"name": "x"}, SOMEBODY)
    assert len(pending_updates) == 1
    assert moves(camera) == []
    seldom.flush(lambda: None)
    assert moves(camera) == [("online", "error", "folder")]
    assert len(pending_updates) == 0


def test_an_update_added_while_others_are_written_is_written_once(app, camera):
    row = Camera.one(camera["id"])
    pending_updates.add(row, Decision("error", None, "folder"))
    verdict = Decision("online", EARLY, "upload")
    pending_updates.transact(lambda: pending_updates.add(pending_updates.apply_to(row), verdict))
    assert moves(camera) == [("online", "error", "folder")]
    assert camera_service.get_camera(camera["id"])["status"] == "online"
    pending_updates.flush()
    assert moves(camera) == [("online", "error", "folder"), ("error", "online", "upload")]
    assert camera_service.get_camera(camera["id"])["status"] == "online"
    assert len(pending_updates) == 0


def test_the_update_of_a_deleted_camera_is_dropped(seldom, base, camera):
    seldom.tick()
    put(base / "front" / "a.jpg", b"x")
    seldom.tick()
    Camera.remove(camera["id"])
    seldom.flush(lambda: None)
    seldom.tick()
    assert len(pending_updates) == 0


def test_the_failure_of_one_camera_is_logged_once_and_the_others_are_checked(
    watch, base, camera, client, monkeypatch, caplog
):
    other = client.post("/api/cameras", json={"name": "o", "folder_path": "other"}).get_json()
    put(base / "other" / "a.jpg", b"x")
    open_folder = safe_open.open_folder

    def fail(base, folder_path):
        if folder_path == camera["folder_path"]:
            raise OSError("disk on fire")
        return open_folder(base, folder_path)

    monkeypatch.setattr(safe_open, "open_folder", fail)
    with caplog.at_level(logging.ERROR):
        watch.tick()
        watch.tick()
    assert watch.failures == 2
    assert len(caplog.records) == 1
    assert Camera.one(other["id"])["last_seen_at"]


def test_a_failed_write_is_tried_again(watch, base, camera, monkeypatch):
    put(base / "front" / "a.jpg", b"x")
    with monkeypatch.context() as patch:
        patch.setattr(Camera, "change", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            watch.tick()
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"]


def test_the_pulse_shows_whether_the_monitor_works(watch, base, camera, monkeypatch):
    assert watch.pulse().seconds_since_tick is None
    watch.tick()
    assert 0 <= watch.pulse().seconds_since_tick < 60
    assert watch.pulse()[1:] == (True, False, 0, 0)
    with monkeypatch.context() as broken:
        broken.setattr(safe_open, "open_folder", lambda *_: 1 / 0)
        watch.tick()
    assert watch.pulse()[1:] == (True, False, 1, 1)
    watch.tick()
    assert watch.pulse()[1:] == (True, False, 0, 1)
    with monkeypatch.context() as broken:
        broken.setattr(Camera, "listing", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            watch.tick()
    assert watch.pulse()[1:] == (True, True, 0, 2)
    watch.tick()
    assert watch.pulse()[1:] == (True, False, 0, 2)


def test_only_one_process_monitors(watch, base, camera, folders, settings):
    watch.tick()
    second = Monitor(str(base), folders, settings, 0)
    put(base / "front" / "a.jpg", b"x")
    second.tick()
    assert not second.leads
    assert Camera.one(camera["id"])["last_seen_at"] is None
    watch.close()
    second.tick()
    assert second.leads
    assert Camera.one(camera["id"])["last_seen_at"]
    second.close()


def test_a_folder_that_must_be_walked_is_walked_seldom(base, camera, monkeypatch, settings):
    folders = Folders(10**6, watch=False)
    queries, query = [], folders.query
    monkeypatch.setattr(folders, "query", lambda *a: queries.append(a) or query(*a))
    polling = Monitor(str(base), folders, settings, 0)
    for _ in range(5):
        polling.tick()
    polling.close()
    assert len(queries) == 1


def test_the_folders_of_moved_and_deleted_cameras_are_watched_no_more(watch, base, camera):
    (base / "side" / "below").mkdir(parents=True)
    watch.tick()
    assert watches_of(os.getpid()) == 1
    camera_service.update_camera(camera["id"], {"folder_path": "side"}, SOMEBODY)
    watch.tick()
    assert watches_of(os.getpid()) == 2
    camera_service.delete_camera(camera["id"], SOMEBODY)
    watch.tick()
    assert watches_of(os.getpid()) == 0


def test_a_tick_without_changes_writes_nothing(watch, base, camera):
    put(base / "front" / "a.jpg", b"x")
    watch.tick()
    version = database.execute_sql("PRAGMA data_version").fetchone()
    changes = effort.changes()
    size = os.stat(str(database.path) + "-wal").st_size
    watch.tick()
    assert effort.changes() == changes
    assert os.stat(str(database.path) + "-wal").st_size == size
    assert database.execute_sql("PRAGMA data_version").fetchone() == version


def test_the_monitor_pauses_between_many_cameras(watch, camera, monkeypatch):
    monkeypatch.setattr(monitor, "PAUSE_CAMERAS", 2)
    for number in range(6):
        fields = {"name": "More", "folder_path": f"{number}", "status": "online"}
        camera_service.create_camera(fields, SOMEBODY)
    pauses = []
    monkeypatch.setattr(monitor, "pause", pauses.append)
    watch.tick()
    assert pauses == [monitor.PAUSE_SECONDS] * 3


@pytest.fixture
def later(monkeypatch):
    """Sets the clock ahead of the real one by a number of seconds."""
    real = clock.now

    def set_clock(seconds):
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=seconds))

    return set_clock


def seen_in_the_future(camera):
    """Store a time of the camera that was written while the clock was 400 days ahead."""
    ahead = clock.rfc3339(clock.now() + timedelta(days=400))
    Camera.change(camera["id"], {"last_seen_at": ahead})
    return ahead


def test_a_time_in_the_future_does_not_keep_a_camera_online(watch, camera, later):
    ahead = seen_in_the_future(camera)
    for seconds in (0, DAY - 60):
        later(seconds)
        watch.tick()
        assert Camera.one(camera["id"])["status"] == "online"
    assert Camera.one(camera["id"])["last_seen_at"] == ahead
    for _ in range(3):
        later(DAY + 60)
        watch.tick()
    row = Camera.one(camera["id"])
    assert (row["status"], row["last_seen_at"] <= clock.rfc3339(clock.now())) == ("offline", True)
    assert moves(camera) == [("online", "offline", "silence")]


def test_an_upload_replaces_a_time_in_the_future(watch, base, camera):
    seen_in_the_future(camera)
    watch.tick()
    put(base / "front" / "a.jpg", picture())
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] <= clock.rfc3339(clock.now())


def test_a_clock_that_is_behind_for_a_moment_changes_no_status(watch, base, camera, later):
    put(base / "front" / "a.jpg", picture())
    watch.tick()
    seen = Camera.one(camera["id"])
    later(-400 * DAY)
    watch.tick()
    later(5)
    watch.tick()
    assert Camera.one(camera["id"]) == seen
    assert moves(camera) == []


def test_an_upload_from_before_the_clock_was_set_back_is_not_seen_at_each_tick(
    watch, base, camera, later
):
    later(-2 * 3600)  # the file is uploaded at a time that then lies in the future
    put(base / "front" / "old.jpg", picture())
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] is None
    for _ in range(2):
        watch.tick()
        assert Camera.one(camera["id"])["last_seen_at"] is None, "no upload, so nothing is seen"
    later(0)
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] is not None


def test_a_folder_whose_storage_does_not_answer_for_a_minute_is_lost(
    watch, base, camera, monkeypatch
):
    put(base / "front" / "a.jpg", picture())
    watch.tick()

    def fail(*_):
        raise safe_open.StorageNotAnswering

    with monkeypatch.context() as patched:
        patched.setattr(safe_open, "open_folder", fail)
        watch.tick()
        assert Camera.one(camera["id"])["status"] == "online"
        patched.setattr(folder_observer, "UNANSWERED_SECONDS", 0)
        watch.tick()
        assert Camera.one(camera["id"])["status"] == "error"
    put(base / "front" / "b.jpg", picture())
    watch.tick()
    assert moves(camera) == [("online", "error", "folder"), ("error", "online", "upload")]
    assert watch.failures == 0
