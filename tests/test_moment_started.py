"""Is the first upload after a pause reported at once, and is low space reported once?"""

from datetime import timedelta

import pytest

from app import clock
from app.db import writer
from app.models import Camera
from app.notify import storage_watch
from app.notify.storage_watch import LOW, OK, StorageWatch, decide
from app.services import health
from app.services.health import DEGRADED, HEALTHY, Check, Room
from app.services.monitor import FAST_TICK_SECONDS, TICK_SECONDS
from tests.pictures import picture, put
from tests.test_outbox import add_rule, written

GIB = 2**30
FINE, POOR = Check(HEALTHY, "Fine."), Check(DEGRADED, "Poor.")


@pytest.fixture
def watch(app, camera):
    """The app's monitor, which has written before: its next write is due in 30 seconds."""
    monitor = app.extensions["monitor"]
    monitor.tick()
    monitor.flush(lambda: None)
    yield monitor
    monitor.close()
    app.extensions["folders"].retain(())


def test_the_first_upload_after_a_pause_is_committed_at_once(client, camera, base, watch):
    rule = add_rule(client, "moment_started")
    put(base / "front" / "a.jpg", picture())
    watch.tick()
    (body,) = written(rule)
    (row,) = client.get(f"/api/cameras/{camera['id']}/pictures").json["pictures"]
    assert body["type"] == "moment_started"
    assert body["data"]["moment"] == {"start": row["taken_at"], "picture_id": row["id"]}
    assert body["data"]["camera"]["id"] == camera["id"]
    assert Camera.one(camera["id"])["last_seen_at"] is not None, "the evidence commits with it"
    assert watch.tick_seconds() == FAST_TICK_SECONDS


def test_an_upload_that_follows_begins_no_moment(client, camera, base, watch):
    rule = add_rule(client, "moment_started")
    for name in ("a", "b", "c"):
        # As a camera whose clock is behind uploads it.
        put(base / "front" / f"{name}.jpg", picture(), age=70)
        watch.tick()
    assert len(written(rule)) == 1
    watch.flush(lambda: None)
    assert len(written(rule)) == 1
    long_ago = clock.rfc3339(clock.now() - timedelta(seconds=62))
    writer.run(lambda: Camera.change(camera["id"], {"last_seen_at": long_ago}))
    put(base / "front" / "d.jpg", picture())
    watch.tick()
    first, second = (body["data"]["moment"] for body in written(rule))
    assert first["picture_id"] != second["picture_id"]


@pytest.mark.parametrize(("hours", "moments"), [(2, 0), (0.5, 1)])
def test_an_old_upload_in_a_new_cameras_folder_begins_no_moment(
    app, client, base, watch, hours, moments
):
    rule = add_rule(client, "moment_started")
    put(base / "old" / "a.jpg", picture(), age=hours * 3600)
    assert (
        client.post("/api/cameras", json={"name": "Old", "folder_path": "old"}).status_code == 201
    )
    watch.tick()
    watch.flush(lambda: None)
    assert len(written(rule)) == moments


def test_the_pause_is_the_one_of_the_camera(client, camera, base, watch):
    client.patch(f"/api/cameras/{camera['id']}/settings", json={"moment_gap_seconds": 3600})
    rule = add_rule(client, "moment_started")
    earlier = clock.rfc3339(clock.now() - timedelta(minutes=30))
    writer.run(lambda: Camera.change(camera["id"], {"last_seen_at": earlier}))
    put(base / "front" / "a.jpg", picture())
    watch.tick()
    watch.flush(lambda: None)
    assert written(rule) == []


def test_without_an_enabled_rule_nothing_is_committed_early(client, camera, base, watch):
    rule = add_rule(client, "moment_started", enabled=False)
    put(base / "front" / "a.jpg", picture())
    watch.tick()
    assert Camera.one(camera["id"])["last_seen_at"] is None
    watch.flush(lambda: None)
    assert written(rule) == []
    assert watch.tick_seconds() == TICK_SECONDS


@pytest.mark.parametrize(
    ("known", "check", "room", "free", "now"),
    [
        (OK, FINE, Room(), 10 * GIB, OK),
        (OK, POOR, Room(2.9), 10 * GIB, LOW),
        (LOW, FINE, Room(3.9), 10 * GIB, LOW),
        (OK, FINE, Room(3.9), 10 * GIB, OK),
        (LOW, FINE, Room(4.0), 10 * GIB, OK),
        (LOW, FINE, Room(), None, LOW),
        (LOW, FINE, Room(), 299 * 2**20, LOW),
        (LOW, FINE, Room(), 300 * 2**20, OK),
        (LOW, FINE, Room(None, False), 5 * GIB, LOW),
        (LOW, FINE, Room(None, False), 6 * GIB, OK),
        (LOW, FINE, Room(None, True), 5 * GIB, OK),
    ],
)
def test_space_is_enough_again_only_beyond_higher_limits(known, check, room, free, now):
    assert decide(known, check, room, free, 100 * GIB) == now


def test_low_space_is_reported_once_and_then_that_there_is_enough(app, client, monkeypatch):
    rule = add_rule(client, "storage_low", "storage_ok")

    def look():
        StorageWatch(app).run_if_due()

    look()
    assert written(rule) == []
    monkeypatch.setattr(health, "LITTLE_SPACE", 2**62)
    look()
    look()
    (low,) = written(rule)
    assert low["type"] == "storage_low"
    assert low["data"].keys() == {"storage"}
    storage = low["data"]["storage"]
    assert list(storage) == ["status", "message", "days_left", "free_bytes"]
    assert storage["status"] == "degraded"
    assert storage["free_bytes"] > 0
    monkeypatch.setattr(health, "LITTLE_SPACE", 0)
    monkeypatch.setattr(storage_watch, "ENOUGH_BYTES", 0)
    monkeypatch.setattr(storage_watch, "ENOUGH_SHARE", 0)
    monkeypatch.setattr(health, "SMALL_SHARE", 0)
    look()
    look()
    assert [body["type"] for body in written(rule)] == ["storage_low", "storage_ok"]


def test_a_base_path_that_is_missing_at_two_checks_is_reported(app, client, base, monkeypatch):
    monkeypatch.setattr(storage_watch, "INTERVAL_SECONDS", 0)
    for name in ("ENOUGH_BYTES", "ENOUGH_SHARE"):
        monkeypatch.setattr(storage_watch, name, 0)
    monkeypatch.setattr(health, "LITTLE_SPACE", 0)
    monkeypatch.setattr(health, "SMALL_SHARE", 0)
    rule, watch = add_rule(client, "storage_low", "storage_ok"), StorageWatch(app)
    watch.run_if_due()
    base.rename(base.parent / "gone")
    watch.run_if_due()
    assert written(rule) == [], "it may be mounted only a little later"
    watch.run_if_due()
    watch.run_if_due()
    (low,) = written(rule)
    assert low["type"] == "storage_low"
    assert low["data"]["storage"] == {
        "status": "degraded",
        "message": "The free space is unknown while the base path is missing.",
        "days_left": None,
        "free_bytes": None,
    }
    (base.parent / "gone").rename(base)
    watch.run_if_due()
    assert [body["type"] for body in written(rule)] == ["storage_low", "storage_ok"]


def test_without_a_rule_the_space_is_not_checked(app, client, monkeypatch):
    monkeypatch.setattr(health, "LITTLE_SPACE", 2**62)
    add_rule(client, "storage_low", enabled=False)
    StorageWatch(app).run_if_due()
    rule = add_rule(client, "storage_low")
    StorageWatch(app).run_if_due()
    assert len(written(rule)) == 1
