"""How much is stored? Counted by hand and by the service."""

import os

import pytest

from app.services import cameras as camera_service
from app.services import events as event_service
from app.services import stats
from app.services.audit import Caller
from app.storage.mount_threads import StorageThreads
from tests import effort
from tests.test_detections import happened, seen

NOBODY = Caller("anonymous")


def camera(name, status="online"):
    return camera_service.create_camera(
        {"name": name, "folder_path": name, "status": status}, NOBODY
    )


def test_an_empty_database_counts_0_under_every_key(app):
    assert stats.totals() == {
        "total_cameras": 0,
        "cameras_by_status": {"online": 0, "offline": 0, "error": 0},
        "total_detections": 0,
        "total_events": 0,
    }
    assert stats.events({}) == {
        "total_events": 0,
        "events_by_risk_level": {"low": 0, "medium": 0, "high": 0, "critical": 0},
        "events_by_camera": [],
    }
    assert stats.row_counts() == {"camera": 0, "event": 0, "detection": 0, "audit_entry": 0}


def test_totals_count_every_row_and_status(app):
    first = camera("a")
    for status in ("offline", "offline", "error"):
        camera("b", status)
    event_service.create_detections([seen(first)] * 3)
    event_service.create_event(happened(first))
    assert stats.totals() == {
        "total_cameras": 4,
        "cameras_by_status": {"online": 1, "offline": 2, "error": 1},
        "total_detections": 3,
        "total_events": 1,
    }
    assert stats.row_counts() == {"camera": 4, "event": 1, "detection": 3, "audit_entry": 4}


@pytest.fixture
def two(app):
    """Two cameras: one event before noon, five at noon or after it."""
    front, side = camera("front"), camera("Side")
    for who, hour, score in (
        *((front, 11, 10), (front, 12, 29), (front, 13, 30)),
        *((side, 12, 85), (side, 12, None), (side, 13, 84)),
    ):
        started = f"2025-12-23T{hour}:00:00.000000Z"
        event_service.create_event(happened(who, started_at=started, risk_score=score))
    return front, side


def test_events_are_counted_by_level_and_by_camera(two):
    front, side = two
    assert stats.events({}) == {
        "total_events": 6,  # one has no score, so no level
        "events_by_risk_level": {"low": 2, "medium": 1, "high": 1, "critical": 1},
        "events_by_camera": [
            {"camera_id": side["id"], "camera_name": "Side", "event_count": 3},
            {"camera_id": front["id"], "camera_name": "front", "event_count": 3},
        ],
    }


def test_a_period_begins_with_its_start_and_ends_before_its_end(two):
    front, side = two
    noon, one = "2025-12-23T12:00:00.000000Z", "2025-12-23T13:00:00.000000Z"
    assert stats.events({"start_date": noon, "end_date": one}) == {
        "total_events": 3,
        "events_by_risk_level": {"low": 1, "medium": 0, "high": 0, "critical": 1},
        "events_by_camera": [  # most first
            {"camera_id": side["id"], "camera_name": "Side", "event_count": 2},
            {"camera_id": front["id"], "camera_name": "front", "event_count": 1},
        ],
    }
    assert stats.events({"start_date": noon})["total_events"] == 5
    assert stats.events({"end_date": noon})["total_events"] == 1
    assert stats.events({"end_date": noon})["events_by_camera"] == [
        {"camera_id": front["id"], "camera_name": "front", "event_count": 1}
    ]


def test_storage_is_that_of_the_file_system_and_the_database_with_its_wal(app, base, monkeypatch):
    camera("a")
    path = app.config["NVR_DATABASE_URL"]
    system = os.statvfs(base)
    monkeypatch.setattr(os, "statvfs", lambda _: system)  # it moves while others write
    sizes = [os.path.getsize(path + suffix) for suffix in ("", "-wal", "-shm")]
    assert min(sizes) > 0
    assert stats.storage(str(base), StorageThreads()) == {
        "free_bytes": system.f_bavail * system.f_frsize,
        "used_bytes": (system.f_blocks - system.f_bfree) * system.f_frsize,
        "database_bytes": sum(sizes),
        "rows": stats.row_counts(),
    }


def test_storage_of_a_missing_base_is_that_of_the_folder_above(app, base, monkeypatch):
    asked = []
    system = os.statvfs(base)
    monkeypatch.setattr(os, "statvfs", lambda path: asked.append(path) or system)
    base.rmdir()
    stats.storage(str(base / "not" / "yet"), StorageThreads())
    assert asked == [str(base.parent)]


def test_counting_reads_and_never_writes(app):
    changes = effort.changes()
    stats.totals(), stats.events({}), stats.storage("/", StorageThreads())
    assert effort.changes() == changes
