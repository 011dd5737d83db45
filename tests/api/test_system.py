"""The box over HTTP: alive without a disk, healthy only when it can work, and how full."""

import logging

import pytest

from app import create_app, db
from app.schemas.events import EventStatsSchema
from app.schemas.system import AliveSchema, HealthSchema, StatsSchema, StorageSchema
from tests import effort
from tests.posting import detection, post_detections, post_event
from tests.problems import assert_problem

HEALTH = "/api/system/health"


@pytest.fixture
def lost(environ, tmp_path):
    """A client of a service whose database cannot be opened."""
    (tmp_path / "folder.db").mkdir()
    url = {"NVR_DATABASE_URL": f"sqlite:///{tmp_path}/folder.db"}
    return create_app(environ | url).test_client()


def test_alive_opens_no_database(client):
    db.database.close()
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "alive"})
    assert AliveSchema().validate(answer.get_json()) == {}
    assert db.database.is_closed()


def test_alive_while_the_database_cannot_be_opened(lost, environ, caplog):
    nowhere = {"NVR_DATABASE_URL": "sqlite:////dev/null/x.db", "NVR_DATABASE_ANYWHERE": "1"}
    for client in (lost, create_app(environ | nowhere).test_client()):
        assert client.get("/health").get_json() == {"status": "alive"}
        assert client.head("/health").status_code == 200
    assert caplog.records == []


def test_a_box_without_a_fault_is_healthy(client, base):
    answer = client.get(HEALTH)
    assert answer.status_code == 200
    seen = answer.get_json()
    assert HealthSchema().validate(seen) == {}
    assert list(seen) == ["status", "checks", "timestamp"]
    assert list(seen["checks"]) == [
        "database",
        "base_path",
        "storage",
        "storage_answering",
        "watcher",
        "clock",
        "deliveries",
        "retention",
    ]
    assert seen["checks"]["database"]["status"] == seen["checks"]["base_path"]["status"]
    assert seen["checks"]["database"]["status"] == "healthy"
    assert all(check["message"].endswith(".") for check in seen["checks"].values())


def test_health_is_503_while_the_database_cannot_be_opened(lost, tmp_path):
    answer = lost.get(HEALTH)
    assert (answer.status_code, answer.content_type) == (503, "application/json")
    seen = answer.get_json()
    assert HealthSchema().validate(seen) == {}
    assert (seen["status"], seen["checks"]["database"]["status"]) == ("unhealthy", "unhealthy")
    assert str(tmp_path) not in answer.text
    (tmp_path / "folder.db").rmdir()
    assert lost.get(HEALTH).status_code == 200


def test_health_is_503_while_the_database_is_read_only(client):
    connection = effort.writer_connection()
    connection.execute("PRAGMA query_only = 1")
    assert client.get(HEALTH).status_code == 503
    problem = client.post("/api/cameras", json={"name": "a", "folder_path": "a"})
    assert_problem(problem, 503, "database_read_only")
    connection.execute("PRAGMA query_only = 0")
    assert client.get(HEALTH).status_code == 200


def test_health_is_503_while_the_base_path_is_missing(client, base):
    base.rmdir()
    answer = client.get(HEALTH)
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unhealthy")
    assert answer.get_json()["checks"]["base_path"]["status"] == "unhealthy"
    assert answer.get_json()["checks"]["database"]["status"] == "healthy"
    base.mkdir()
    assert client.get(HEALTH).status_code == 200


def test_health_says_who_monitors(client, app, camera):
    def watcher():
        answer = client.get(HEALTH)
        assert answer.status_code == 200
        return answer.get_json()["checks"]["watcher"]

    assert watcher()["status"] == "degraded"
    assert "No process monitors the uploads" in watcher()["message"]
    app.extensions["monitor"].tick()
    assert watcher()["status"] == "healthy"
    assert watcher()["message"].endswith("The monitor checks the uploads of all cameras.")
    app.extensions["monitor"].close()


def test_a_service_that_is_only_degraded_is_200(client, monkeypatch):
    monkeypatch.setattr("app.services.health.LITTLE_SPACE", 2**70)
    answer = client.get(HEALTH)
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")


def test_other_resources_say_that_the_database_is_unavailable(lost, caplog):
    with caplog.at_level(logging.CRITICAL, "app.errors"):
        for url in ("/api/system/stats", "/api/system/storage", "/api/audit"):
            assert_problem(lost.get(url), 503, "database_unavailable")


def test_stats_count_what_is_stored(client, camera, monkeypatch):
    post_detections(client, *[detection(camera)] * 2)
    post_event(client, camera)
    monkeypatch.setattr("app.api.system.STARTED", 10.0)
    monkeypatch.setattr("app.api.system.time.monotonic", lambda: 75.9)
    stats = client.get("/api/system/stats").get_json()
    assert StatsSchema().validate(stats) == {}
    assert stats == {
        "total_cameras": 1,
        "cameras_by_status": {"online": 1, "offline": 0, "error": 0},
        "total_detections": 2,
        "total_events": 1,
        "uptime_seconds": 65,
        "version": "0.1.0",
    }


def test_storage_counts_bytes_and_rows(client, camera):
    storage = client.get("/api/system/storage").get_json()
    assert StorageSchema().validate(storage) == {}
    assert list(storage) == [
        *("free_bytes", "used_bytes", "database_bytes", "rows", "cameras", "days_left")
    ]
    assert storage["rows"] == {"camera": 1, "event": 0, "detection": 0, "audit_entry": 1}
    assert min(storage["used_bytes"], storage["database_bytes"]) > 0


def test_event_stats_take_a_period(client, camera):
    for hour in (11, 12, 13):
        post_event(client, camera, started_at=f"2025-12-23T{hour}:00:00Z", risk_score=hour * 5)
    query = {"start_date": "2025-12-23T13:00:00+01:00", "end_date": "2025-12-23T13:00:00Z"}
    stats = client.get("/api/events/stats", query_string=query).get_json()
    assert EventStatsSchema().validate(stats) == {}
    assert stats == {
        "total_events": 1,
        "events_by_risk_level": {"low": 0, "medium": 0, "high": 1, "critical": 0},
        "events_by_camera": [
            {"camera_id": camera["id"], "camera_name": "Front Door", "event_count": 1}
        ],
    }


def test_the_box_takes_no_query_and_no_change(client):
    for url in ("/health", HEALTH, "/api/system/stats", "/api/system/storage"):
        problem = assert_problem(client.get(f"{url}?x=1"), 422, "validation_failed")
        assert list(problem["errors"]["query"]) == ["x"]
        assert_problem(client.post(url, json={}), 405, "method_not_allowed")
