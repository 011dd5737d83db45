"""Which pictures may be deleted, and which never?"""

import pytest

from app import clock
from app.models import CameraRetention, RetentionFact
from app.pictures import suspension
from app.services.clock_guard import ClockGuard


def changed_at():
    facts = {row["name"]: row["changed_at"] for row in RetentionFact.find_all()}
    return facts.get("limits")


def test_a_new_folder_begins_now(client, camera):
    since = CameraRetention.of(camera["id"])["folder_since"]
    assert since == camera["created_at"]
    url = f"/api/cameras/{camera['id']}"
    client.patch(url, json={"name": "Other", "folder_path": camera["folder_path"]})
    assert CameraRetention.of(camera["id"])["folder_since"] == since
    client.patch(url, json={"folder_path": "elsewhere"})
    assert CameraRetention.of(camera["id"])["folder_since"] > since


def test_when_a_limit_of_the_box_was_changed_is_stored(client):
    client.patch("/api/settings", json={"keep_days": 9})
    first = changed_at()
    assert first <= clock.rfc3339(clock.now())
    client.patch("/api/settings", json={"keep_days": 9, "wall_title": "Home"})
    assert changed_at() == first
    client.patch("/api/settings", json={"keep_free_bytes": 9})
    assert changed_at() > first


@pytest.mark.parametrize("limit", [{"keep_days": 1}, {"keep_bytes": 1}, {"prune_existing": True}])
def test_when_a_limit_of_a_camera_was_changed_is_stored(client, camera, limit):
    url = f"/api/cameras/{camera['id']}/settings"
    client.patch(url, json={"group": "Yard"})
    assert CameraRetention.of(camera["id"])["limits_changed_at"] is None
    client.patch(url, json=limit)
    first = CameraRetention.of(camera["id"])["limits_changed_at"]
    assert first <= clock.rfc3339(clock.now())
    client.patch(url, json=limit)
    assert CameraRetention.of(camera["id"])["limits_changed_at"] == first


def test_nothing_is_deleted_while_the_clock_is_implausible(app, monkeypatch):
    assert suspension.reason(app) is None
    monkeypatch.setattr(ClockGuard, "doubt", lambda _: "it jumped by 2 hours")
    assert suspension.reason(app) == "clock"


def test_nothing_is_deleted_while_the_base_path_is_missing(app, base):
    base.rename(base.with_name("elsewhere"))
    assert suspension.reason(app) == "base_path_missing"
