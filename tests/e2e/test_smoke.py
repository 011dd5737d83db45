"""Does the main job work, here or on the box that NVR_SMOKE_URL names?

Where that box wants a token, NVR_SMOKE_TOKEN is one that may write.
On a box it creates cameras of its own and deletes them; nothing else is touched.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.e2e.server import Server
from tests.pictures import picture, put
from tests.problems import assert_problem

pytestmark = pytest.mark.smoke
FIELDS = ["id", "name", "folder_path", "status", "created_at", "last_seen_at"]
DEADLINE_SECONDS = 10


class Target(NamedTuple):
    """What is tested: its address, and the base path where that is within reach."""

    url: str
    base: Path | None

    def ask(self, method: str, path: str = "", **options: object) -> requests.Response:
        """The answer of the cameras API."""
        return self.api(method, f"/cameras{path}", **options)

    def api(self, method: str, path: str, **options: object) -> requests.Response:
        """The answer of any part of the API."""
        return self.fetch(f"/api{path}", method, **options)

    def fetch(self, path: str, method: str = "GET", **options: object) -> requests.Response:
        """The answer at any path."""
        token = os.environ.get("NVR_SMOKE_TOKEN")
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        options["headers"] = shown | options.get("headers", {})
        return requests.request(method, self.url + path, timeout=DEADLINE_SECONDS, **options)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The running service that NVR_SMOKE_URL names, or a new one."""
    if url := os.environ.get("NVR_SMOKE_URL"):
        yield Target(url.rstrip("/"), None)
        return
    with Server(tmp_path_factory.mktemp("smoke")) as server:
        yield Target(server.url, server.base)


@pytest.fixture
def camera(box: Target) -> Iterator[dict[str, str]]:
    """A camera of this test's own, in a folder that nobody else uses."""
    body = {"name": "Smoke test", "folder_path": f"smoke-{uuid.uuid4()}"}
    made = box.ask("POST", json=body).json()
    yield made
    box.ask("DELETE", f"/{made['id']}")


def test_a_camera_is_created_changed_and_deleted(box):
    body = {"name": "Smoke test", "folder_path": f"smoke-{uuid.uuid4()}", "status": "offline"}
    made = box.ask("POST", json=body)
    path = f"/{made.json()['id']}"
    try:
        assert made.status_code == 201
        assert list(made.json()) == FIELDS
        assert made.json() | body == made.json()
        assert made.headers["Location"] == f"/api/cameras{path}"
        assert box.ask("GET", path).json() == made.json()
        changed = box.ask("PATCH", path, json={"status": "error"})
        assert (changed.status_code, changed.json()) == (200, made.json() | {"status": "error"})
    finally:
        gone = box.ask("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(box.ask("GET", path), 404, "camera_not_found")


def test_the_list_holds_it_and_the_filter_counts(box, camera):
    everything = box.ask("GET").json()
    assert everything["count"] == len(everything["cameras"])
    assert camera in everything["cameras"]
    online = box.ask("GET", params={"status": "online"}).json()
    assert camera in online["cameras"]
    assert {found["status"] for found in online["cameras"]} == {"online"}
    assert camera not in box.ask("GET", params={"status": "error"}).json()["cameras"]


def test_the_snapshot_is_the_picture_that_was_uploaded(box, camera):
    if box.base is None:
        pytest.skip("the upload folder of the box at NVR_SMOKE_URL is out of reach")
    path = f"/{camera['id']}/snapshot"
    put(box.base / camera["folder_path"] / "old.png", picture(".png"), age=60)
    put(box.base / camera["folder_path"] / "20251223" / "new.jpg", picture(shade=9))
    answer = box.ask("GET", path)
    assert (answer.status_code, answer.content) == (200, picture(shade=9))
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="new.jpg"'
    known = box.ask("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_a_detector_posts_twice_and_it_is_stored_once(box, camera):
    seen = {"camera_id": camera["id"], "object_type": "person", "confidence": 0.93}
    batch = {"detections": [seen | {"external_id": f"smoke-{n}"} for n in range(3)]}
    first = box.api("POST", "/detections", json=batch)
    assert first.status_code == 201
    assert box.api("POST", "/detections", json=batch).json() == first.json()
    box.api("POST", "/detections", json=seen | {"object_type": "dog", "confidence": 0.4})
    mine = {"camera_id": camera["id"]}
    page = box.api("GET", "/detections", params=mine | {"limit": 3}).json()
    rest = box.api("GET", "/detections", params=mine | {"cursor": page["next_cursor"]}).json()
    assert (page["count"], len(page["detections"]), len(rest["detections"])) == (4, 3, 1)
    sure = box.api("GET", "/detections", params=mine | {"min_confidence": 0.9}).json()
    assert sorted(row["id"] for row in sure["detections"]) == first.json()["ids"]
    assert (
        box.api("GET", f"/detections/{page['detections'][0]['id']}").json()
        == page["detections"][0]
    )


def test_an_event_claims_is_reviewed_counted_and_exported(box, camera):
    seen = {"camera_id": camera["id"], "object_type": "cat", "confidence": 0.8}
    ids = box.api("POST", "/detections", json={"detections": [seen] * 2}).json()["ids"]
    began = {"camera_id": camera["id"], "started_at": "2001-02-03T04:05:06Z", "risk_score": 90}
    made = box.api("POST", "/events", json=began | {"detection_ids": ids, "summary": "=1+1"})
    assert made.status_code == 201
    event = made.json()
    assert (event["risk_level"], event["detection_count"]) == ("critical", 2)
    claimed = box.api("GET", f"/events/{event['id']}/detections").json()
    assert sorted(row["id"] for row in claimed["detections"]) == ids
    wanted = {"camera_id": camera["id"], "object_type": "cat", "risk_level": "critical"}
    assert box.api("GET", "/events", params=wanted).json()["events"] == [event]
    reviewed = box.api("PATCH", f"/events/{event['id']}", json={"reviewed": True})
    assert reviewed.json() == event | {"reviewed": True}
    period = {"start_date": "2001-02-03T04:05:06Z", "end_date": "2001-02-03T04:05:07Z"}
    stats = box.api("GET", "/events/stats", params=period).json()
    assert camera["id"] in [row["camera_id"] for row in stats["events_by_camera"]]
    export = box.api("GET", "/events/export", params=wanted)
    assert export.headers["Content-Type"] == "text/csv; charset=utf-8"
    _, line, end = export.text.split("\r\n")
    assert line.startswith(f"{event['id']},{camera['id']},2001-02-03T04:05:06")
    assert (",'=1+1," in line, end) == (True, "")
    found = {"resource_type": "event", "resource_id": event["id"], "action": "event_updated"}
    (entry,) = box.api("GET", "/audit", params=found).json()["entries"]
    assert entry["details"] == {"changes": {"reviewed": {"old": False, "new": True}}}


def test_the_audit_log_counts_what_was_deleted_with_a_camera(box):
    body = {"name": "Smoke test", "folder_path": f"smoke-{uuid.uuid4()}"}
    camera = box.ask("POST", json=body).json()
    seen = {"camera_id": camera["id"], "object_type": "cat", "confidence": 0.8}
    box.api("POST", "/detections", json={"detections": [seen] * 5})
    box.ask("DELETE", f"/{camera['id']}")
    log = box.api("GET", "/audit", params={"resource_id": camera["id"]}).json()
    gone, came = log["entries"]
    assert (gone["action"], came["action"]) == ("camera_deleted", "camera_created")
    assert gone["details"] == came["details"] | {"detections": 5, "events": 0}
    assert box.api("GET", f"/audit/{gone['id']}").json() == gone
    left = box.api("GET", "/detections", params={"camera_id": camera["id"]}).json()
    assert left == {"detections": [], "count": 0, "next_cursor": None}


def test_the_box_reports_its_health(box, camera):
    alive = requests.get(f"{box.url}/health", timeout=DEADLINE_SECONDS)
    assert alive.json() == {"status": "alive"}
    health = box.api("GET", "/system/health")
    assert health.status_code == 200
    assert health.json()["checks"]["database"]["status"] == "healthy"
    stats = box.api("GET", "/system/stats").json()
    assert stats["total_cameras"] == sum(stats["cameras_by_status"].values()) >= 1
    storage = box.api("GET", "/system/storage").json()
    assert storage["rows"]["camera"] >= 1
    assert min(storage["free_bytes"], storage["database_bytes"]) > 0


def test_failures_have_the_one_shape(box, camera):
    assert_problem(box.ask("GET", f"/{uuid.uuid4()}"), 404, "camera_not_found")
    assert_problem(box.ask("GET", "/nonsense"), 404, "not_found")
    assert_problem(box.ask("GET", f"/{camera['id']}/snapshot"), 404, "folder_not_found")
    refused = box.ask("POST", json={"name": "", "folder_path": 1, "more": None})
    errors = assert_problem(refused, 422, "validation_failed")["errors"]
    assert list(errors["json"]) == ["name", "folder_path", "more"]
    assert_problem(box.ask("GET", params={"status": "asleep"}), 422, "validation_failed")


def test_a_folder_outside_the_base_is_forbidden(box):
    made = box.ask("POST", json={"name": "Smoke test", "folder_path": "/etc"}).json()
    try:
        answer = box.ask("GET", f"/{made['id']}/snapshot")
        assert_problem(answer, 403, "folder_outside_base")
    finally:
        box.ask("DELETE", f"/{made['id']}")


def test_it_describes_itself(box):
    description = box.fetch("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    assert {
        "/api/cameras",
        "/api/cameras/{camera_id}",
        "/api/cameras/{camera_id}/snapshot",
        "/api/detections",
        "/api/events/{event_id}",
        "/api/audit",
        "/api/system/health",
    } <= set(description["paths"])
    assert box.fetch("/docs").ok
