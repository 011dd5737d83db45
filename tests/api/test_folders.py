"""Does the API list the folders that no camera uses yet?"""

from app import clock
from app.schemas.diagnostics import FolderListSchema
from tests.pictures import picture, put
from tests.posting import post_camera
from tests.problems import assert_problem


def test_a_folder_that_no_camera_uses_can_be_registered(client, camera, base):
    put(base / "Garten Süd/a.jpg", picture(), age=60)
    put(base / "front/b.jpg", picture())
    (base / "attic").mkdir()
    answer = client.get("/api/folders").get_json()
    assert FolderListSchema().validate(answer) == {}
    assert list(answer) == ["folders", "count"]
    assert [folder["name"] for folder in answer["folders"]] == ["Garten Süd", "attic"]
    assert answer["count"] == 2
    free = answer["folders"][0]
    assert free["newest_at"] < clock.rfc3339(clock.now())
    made = post_camera(client, "South", free["folder_path"])
    assert client.get(f"/api/cameras/{made['id']}/snapshot").status_code == 200
    left = client.get("/api/folders").get_json()
    assert [folder["name"] for folder in left["folders"]] == ["attic"]


def test_a_missing_base_path_is_a_problem(client, base):
    base.rmdir()
    assert_problem(client.get("/api/folders"), 503, "base_path_missing")
    base.mkdir()
    assert client.get("/api/folders").get_json() == {"folders": [], "count": 0}


def test_the_list_takes_no_query_and_no_post(client):
    problem = assert_problem(client.get("/api/folders?limit=5"), 422, "validation_failed")
    assert list(problem["errors"]["query"]) == ["limit"]
    assert_problem(client.post("/api/folders", json={}), 405, "method_not_allowed")
