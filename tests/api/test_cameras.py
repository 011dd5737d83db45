"""The cameras over HTTP: the contract, then hostile input."""

import re

import pytest

from app.models import Camera
from app.schemas.cameras import CameraListResponseSchema, CameraSchema
from tests.problems import assert_problem
from tests.rows import entries_of

UNKNOWN = "/api/cameras/123e4567-e89b-12d3-a456-426614174000"
# Of the contract; later fields follow them.
FIELDS = ["id", "name", "folder_path", "status", "created_at", "last_seen_at"]


def test_create_answers_the_camera_in_the_documented_order(client):
    body = {"name": "Front Door", "folder_path": "/export/foscam/front_door", "status": "error"}
    answer = client.post("/api/cameras", json=body)
    assert answer.status_code == 201
    camera = answer.get_json()
    assert list(camera)[: len(FIELDS)] == FIELDS
    assert CameraSchema().validate(camera) == {}
    assert camera | body == camera
    assert camera["last_seen_at"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", camera["created_at"])
    assert answer.headers["Location"] == f"/api/cameras/{camera['id']}"
    assert client.get(answer.headers["Location"]).get_json() == camera


def test_status_defaults_to_online(client):
    answer = client.post("/api/cameras", json={"name": "a", "folder_path": "b"})
    assert answer.get_json()["status"] == "online"


def test_list_counts_what_the_filter_matched(client):
    for status in ("online", "offline", "offline"):
        client.post("/api/cameras", json={"name": status, "folder_path": "x", "status": status})
    everything = client.get("/api/cameras").get_json()
    assert CameraListResponseSchema().validate(everything) == {}
    assert [camera["name"] for camera in everything["cameras"]] == ["online", "offline", "offline"]
    assert everything["count"] == 3
    offline = client.get("/api/cameras?status=offline").get_json()
    assert (len(offline["cameras"]), offline["count"]) == (2, 2)
    assert client.get("/api/cameras?status=error").get_json() == {"cameras": [], "count": 0}


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
@pytest.mark.parametrize("url", [UNKNOWN, UNKNOWN + "/snapshot"])
def test_unknown_camera(client, method, url):
    if url.endswith("snapshot") and method != "get":
        assert_problem(client.open(url, method=method), 405, "method_not_allowed")
    else:
        body = {"json": {}} if method == "patch" else {}
        assert_problem(client.open(url, method=method, **body), 404, "camera_not_found")


def test_patch_changes_only_what_is_given_and_says_so_in_the_audit_log(client, camera):
    url = f"/api/cameras/{camera['id']}"
    answer = client.patch(url, json={"name": "Side", "status": "online"})
    assert answer.get_json() == camera | {"name": "Side"} == client.get(url).get_json()
    entry = entries_of(camera["id"])[-1]
    assert entry["action"] == "camera_updated"
    assert entry["details"] == {"changes": {"name": {"old": "Front Door", "new": "Side"}}}


@pytest.mark.parametrize("body", [{}, {"name": "Front Door"}, {"status": "online"}])
def test_a_patch_without_a_change_writes_no_audit_entry(client, camera, body):
    answer = client.patch(f"/api/cameras/{camera['id']}", json=body)
    assert (answer.status_code, answer.get_json()) == (200, camera)
    assert [entry["action"] for entry in entries_of(camera["id"])] == ["camera_created"]


def test_a_deletion_is_204_without_a_body(client, camera):
    answer = client.delete(f"/api/cameras/{camera['id']}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers
    assert Camera.listing() == []
