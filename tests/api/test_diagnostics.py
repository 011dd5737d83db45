"""Does the API say what is wrong with a silent camera?"""

import pytest

from app.schemas.diagnostics import DiagnosticsSchema
from app.services import cameras as camera_service
from app.services.audit import Caller
from tests.api.test_cameras import UNKNOWN
from tests.pictures import picture, put
from tests.posting import post_camera
from tests.problems import assert_problem

FIELDS = [
    *("camera_id", "folder", "inside_base", "exists", "readable", "shared_with", "newest"),
    *("pictures", "unfinished_uploads", "watching", "status", "last_seen_at", "problems"),
]


@pytest.fixture
def diagnostics(client):
    """Asks for a camera's diagnostics and checks them against their schema."""

    def ask(camera):
        answer = client.get(f"/api/cameras/{camera['id']}/diagnostics")
        assert answer.status_code == 200
        found = answer.get_json()
        assert DiagnosticsSchema().validate(found) == {}
        assert list(found) == FIELDS
        return found

    return ask


def test_a_camera_that_uploads_has_no_problem(app, diagnostics, camera, base):
    put(base / "front/20251223/a.jpg", picture(), age=60)
    app.extensions["monitor"].tick()
    found = diagnostics(camera)
    assert found["camera_id"] == camera["id"]
    assert found["folder"] == f"{base}/front"
    assert (found["inside_base"], found["exists"], found["readable"]) == (True, True, True)
    assert list(found["newest"]) == ["name", "modified_at", "bytes", "age_seconds"]
    assert found["last_seen_at"] == found["newest"]["modified_at"]
    assert found["pictures"] == {"count": 1, "complete": True}
    assert found["watching"]["mode"] == "watching"
    assert found["problems"] == []
    app.extensions["monitor"].close()


@pytest.mark.parametrize("has_ffmpeg", [True, False])
def test_a_camera_that_uploads_clips_alone_lacks_ffmpeg_at_most(
    diagnostics, camera, base, tmp_path, monkeypatch, has_ffmpeg
):
    put(base / "front/20251223/a.mp4", b"clip", age=60)
    if has_ffmpeg:
        (tmp_path / "ffmpeg").write_text("#!/bin/sh")
        (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    messages = [problem["message"] for problem in diagnostics(camera)["problems"]]
    assert [("Install ffmpeg" in message) for message in messages] == [True] * (not has_ffmpeg)


def test_an_empty_clip_is_no_upload(diagnostics, camera, base):
    put(base / "front/a.mp4", b"", age=60)
    assert [problem["code"] for problem in diagnostics(camera)["problems"]] == ["no_picture"]


def test_each_problem_has_a_code_and_a_message(client, diagnostics, camera, base):
    put(base / "front/a.tmp", b"x", age=100)
    twin = post_camera(client, "Twin", f"{base}//front/.")
    found = diagnostics(camera)
    assert found["shared_with"] == [{"id": twin["id"], "name": "Twin"}]
    assert found["unfinished_uploads"][0]["because"] == "temporary_name"
    assert [list(problem) for problem in found["problems"]] == [["code", "message"]] * 3
    codes = [problem["code"] for problem in found["problems"]]
    assert codes == ["no_picture", "unfinished_uploads", "shared_folder"]


@pytest.mark.parametrize("folder", ["/etc", "/nonexistent", "../base2", "front/../../etc"])
def test_outside_the_base_every_other_field_is_null(client, diagnostics, folder):
    found = diagnostics(post_camera(client, "Spy", folder))
    assert found["inside_base"] is False
    assert [found[field] for field in FIELDS[3:5] + FIELDS[6:10]] == [None] * 6
    assert [problem["code"] for problem in found["problems"]] == ["outside_base"]


def test_the_status_is_that_of_the_camera(client, diagnostics, camera):
    camera_service.update_camera(camera["id"], {"status": "error"}, Caller("anonymous"))
    assert diagnostics(camera)["status"] == "error"


def test_an_unknown_camera_or_query_parameter_is_a_problem(client, camera):
    assert_problem(client.get(UNKNOWN + "/diagnostics"), 404, "camera_not_found")
    url = f"/api/cameras/{camera['id']}/diagnostics"
    assert_problem(client.get(url + "?deep=1"), 422, "validation_failed")
    assert_problem(client.post(url), 405, "method_not_allowed")
    assert client.head(url).status_code == 200
