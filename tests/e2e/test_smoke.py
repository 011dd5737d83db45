"""Does the main job work, here or on the box that NVR_SMOKE_URL names?

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


class Box(NamedTuple):
    """What is tested: its address, and the base path where that is within reach."""

    url: str
    base: Path | None

    def ask(self, method: str, path: str = "", **options: object) -> requests.Response:
        """The answer of the cameras API."""
        url = f"{self.url}/api/cameras{path}"
        return requests.request(method, url, timeout=DEADLINE_SECONDS, **options)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The running service that NVR_SMOKE_URL names, or a new one."""
    if url := os.environ.get("NVR_SMOKE_URL"):
        yield Box(url.rstrip("/"), None)
        return
    with Server(tmp_path_factory.mktemp("smoke")) as server:
        yield Box(server.url, server.base)


@pytest.fixture
def camera(box: Box) -> Iterator[dict[str, str]]:
    """A camera of this test's own, in a folder that nobody else uses."""
    body = {"name": "Smoke test", "folder_path": f"smoke-{uuid.uuid4()}"}
    made = box.ask("POST", json=body).json()
    yield made
    box.ask("DELETE", f"/{made['id']}")


def test_a_camera_comes_changes_and_goes(box):
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
    description = requests.get(box.url + "/openapi.json", timeout=DEADLINE_SECONDS).json()
    assert description["openapi"].startswith("3.1")
    assert {
        "/api/cameras",
        "/api/cameras/{camera_id}",
        "/api/cameras/{camera_id}/snapshot",
    } <= set(description["paths"])
    assert requests.get(box.url + "/docs", timeout=DEADLINE_SECONDS).ok
