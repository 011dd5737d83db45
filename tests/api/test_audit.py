"""The audit log over HTTP: every filter finds what it says, and nothing changes an entry."""

from itertools import combinations, product

import pytest

from app.db import database
from app.models import Camera
from app.schemas.system import AuditEntrySchema, AuditListSchema
from app.services.audit import Caller, record
from tests.posting import detection, post_camera, post_detections, post_event
from tests.problems import assert_problem

URL = "/api/audit"
FIELDS = [
    *("id", "timestamp", "action", "resource_type", "resource_id", "resource_name", "actor"),
    *("ip_address", "user_agent", "details"),
]
MIDDLE = "2025-12-23T12:00:00.000000Z"


def found(client, **filters):
    return client.get(URL, query_string={"limit": 1000, **filters}).get_json()


def test_an_entry_says_who_changed_what(client, camera):
    client.patch(
        f"/api/cameras/{camera['id']}",
        json={"name": "Side"},
        headers={"User-Agent": "curl/8", "X-Forwarded-For": "9.9.9.9"},
        environ_base={"REMOTE_ADDR": "10.0.0.7"},
    )
    page = found(client)
    assert AuditListSchema().validate(page) == {}
    assert list(page) == ["entries", "count", "next_cursor"]
    entry = page["entries"][0]
    assert list(entry) == FIELDS
    assert entry == {
        "id": entry["id"],
        "timestamp": entry["timestamp"],
        "action": "camera_updated",
        "resource_type": "camera",
        "resource_id": camera["id"],
        "resource_name": "Side",
        "actor": "anonymous",
        "ip_address": "10.0.0.7",
        "user_agent": "curl/8",
        "details": {"changes": {"name": {"old": "Front Door", "new": "Side"}}},
    }
    assert client.get(f"{URL}/{entry['id']}").get_json() == entry
    assert AuditEntrySchema().validate(entry) == {}


def test_a_user_agent_is_cut_and_cleaned_and_may_be_missing(client):
    body = {"name": "a", "folder_path": "a"}
    for sent, kept in ((500 * "x" + "y", 500 * "x"), ("a\x1bb\x80", "a\ufffdb\ufffd"), ("", None)):
        client.post("/api/cameras", json=body, headers={"User-Agent": sent})
        assert found(client)["entries"][0]["user_agent"] == kept


def test_entries_outlive_their_camera_and_keep_its_name_as_it_was(client, camera):
    url = f"/api/cameras/{camera['id']}"
    ids = post_detections(client, *[detection(camera)] * 3)
    post_event(client, camera, detection_ids=ids[:1])
    client.patch(url, json={"name": "Side"})
    client.delete(url)
    client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"})
    entries = found(client, resource_id=camera["id"])["entries"]
    assert [(entry["action"], entry["resource_name"]) for entry in entries] == [
        ("camera_deleted", "Side"),
        ("camera_updated", "Side"),
        ("camera_created", "Front Door"),
    ]
    chosen = Camera.chosen(camera)
    assert entries[0]["details"] == chosen | {"name": "Side", "detections": 3, "events": 1}
    assert entries[2]["details"] == chosen


def test_deleting_a_camera_deletes_its_own_rows_and_no_file(client, camera, base):
    (base / "front" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    other = post_camera(client)
    post_detections(client, detection(camera))
    post_event(client, camera)
    (kept,) = post_detections(client, detection(other))
    kept_event = post_event(client, other, detection_ids=[kept])
    client.delete(f"/api/cameras/{camera['id']}")
    assert [row["id"] for row in client.get("/api/detections").json["detections"]] == [kept]
    assert client.get("/api/events").json["events"] == [kept_event]
    assert (base / "front" / "a.jpg").read_bytes() == b"\xff\xd8\xff"
    for url in ("/api/detections", "/api/events"):
        assert client.get(url, query_string={"camera_id": camera["id"]}).json["count"] == 0


def test_every_combination_of_filters_finds_exactly_what_matches(client, monkeypatch):
    moments = ("2025-12-23T11:59:59.999999Z", MIDDLE, "2025-12-23T12:00:00.000001Z")
    with database.atomic():
        for moment in moments:
            monkeypatch.setattr("app.clock.rfc3339", lambda _, moment=moment: moment)
            for action, kind, key, actor in product(
                *(("camera_created", "event_updated"), ("camera", "event")),
                *(("7", "8"), ("anonymous", "monitor")),
            ):
                record(action, Caller(actor), kind, {"id": key}, {})
    rows = found(client)["entries"]
    assert len(rows) == 48
    assert rows == sorted(rows, key=lambda row: (row["timestamp"], row["id"]), reverse=True)
    matches = {
        "action": ("event_updated", lambda row: row["action"] == "event_updated"),
        "resource_type": ("event", lambda row: row["resource_type"] == "event"),
        "resource_id": ("7", lambda row: row["resource_id"] == "7"),
        "actor": ("anonymous", lambda row: row["actor"] == "anonymous"),
        "start_date": (MIDDLE, lambda row: row["timestamp"] >= MIDDLE),
        "end_date": (moments[2], lambda row: row["timestamp"] < moments[2]),
    }
    for size in range(len(matches) + 1):
        for names in combinations(matches, size):
            answer = found(client, **{name: matches[name][0] for name in names})
            expected = [row for row in rows if all(matches[name][1](row) for name in names)]
            assert answer["entries"] == expected, names
            assert answer["count"] == len(expected) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_no_method_changes_or_removes_an_entry(client, camera, method):
    before = found(client)
    entry = before["entries"][0]["id"]
    for url in (URL, f"{URL}/{entry}"):
        for options in ({"json": {"action": "x"}}, {}, {"query_string": {"action": "x"}}):
            answer = client.open(url, method=method, **options)
            assert_problem(answer, 405, "method_not_allowed")
            assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert found(client) == before


def test_reading_writes_no_entry(client, camera):
    before = found(client)
    for url in (URL, f"{URL}/1", "/api/cameras", f"/api/cameras/{camera['id']}/snapshot"):
        client.get(url)
        client.head(url)
        client.options(url)
    assert found(client) == before


def test_an_unknown_entry_is_404(client):
    for path in ("1", "0", "999999"):
        assert_problem(client.get(f"{URL}/{path}"), 404, "audit_entry_not_found")
    for path in ("x", "-1", f"{2**63}"):
        assert_problem(client.get(f"{URL}/{path}"), 404, "not_found")


def test_an_invalid_query_is_422(client):
    for query, name in (
        ("start_date=2025-12-23", "start_date"),
        ("end_date=now", "end_date"),
        ("actors=x", "actors"),
        ("camera_id=1", "camera_id"),
        ("action=a&action=a", "action"),
        ("limit=1&limit=1", "limit"),
    ):
        problem = assert_problem(client.get(f"{URL}?{query}"), 422, "validation_failed")
        assert list(problem["errors"]["query"]) == [name]
