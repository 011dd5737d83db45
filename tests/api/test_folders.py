"""Does the API list the folders that no camera uses yet?"""

import os
from pathlib import Path
from unicodedata import normalize

import pytest

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


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Hof é".encode("latin-1"), "Hof é"),
        ("北门".encode("gbk"), "北门"),
        (normalize("NFD", "Hof é").encode(), normalize("NFD", "Hof é")),
    ],
    ids=["Latin-1", "GBK", "NFD"],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_folder_in_another_encoding_or_normalisation_can_be_registered(
    client, app, base, data, text, form
):
    put(Path(os.fsdecode(os.fsencode(base) + b"/" + data)) / "a.jpg", picture(), age=60)
    (free,) = client.get("/api/folders").get_json()["folders"]
    assert free["name"] == free["folder_path"] == text
    made = post_camera(client, "South", normalize(form, free["folder_path"]))
    url = f"/api/cameras/{made['id']}"
    assert client.get(f"{url}/snapshot").data == picture()
    assert client.get("/api/folders").get_json()["count"] == 0
    seen = client.get(f"{url}/diagnostics").get_json()
    assert (seen["exists"], seen["problems"]) == (True, [])
    assert seen["watching"]["mode"] == "watching"
    app.extensions["monitor"].tick()
    assert client.get(url).get_json()["last_seen_at"] is not None
    app.extensions["monitor"].close()


def test_of_several_folders_that_read_alike_none_is_served_and_all_are_named(client, base):
    for data in ("Tür".encode("latin-1"), normalize("NFD", "Tür").encode()):
        put(Path(os.fsdecode(os.fsencode(base) + b"/" + data)) / "a.jpg", picture())
    made = post_camera(client, "Door", "Tür")
    url = f"/api/cameras/{made['id']}"
    assert_problem(client.get(f"{url}/snapshot"), 404, "folder_not_found")
    (problem,) = client.get(f"{url}/diagnostics").get_json()["problems"]
    assert problem["code"] == "folder_ambiguous"
    assert "“$'Tu\\xcc\\x88r'” or “$'T\\xfcr'”" in problem["message"]


def test_a_missing_base_path_is_a_problem(client, base):
    base.rmdir()
    assert_problem(client.get("/api/folders"), 503, "base_path_missing")
    base.mkdir()
    assert client.get("/api/folders").get_json() == {"folders": [], "count": 0}


def test_the_list_takes_no_query_and_no_post(client):
    problem = assert_problem(client.get("/api/folders?limit=5"), 422, "validation_failed")
    assert list(problem["errors"]["query"]) == ["limit"]
    assert_problem(client.post("/api/folders", json={}), 405, "method_not_allowed")
