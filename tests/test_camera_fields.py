"""Is each field of a camera declared in all places, and does everything else follow from them?

Each failure names the field and the place that lacks it.
"""

import json

import pytest

from app.db import database
from app.layout import PROJECT
from app.models import Camera
from app.schemas.cameras import (
    EXAMPLE_CAMERA,
    EXAMPLE_CREATE,
    CameraCreateSchema,
    CameraSchema,
    CameraUpdateSchema,
)
from tests.rows import entries_of

FIELDS = list(Camera._meta.sorted_field_names)
CHOSEN = list(Camera.chosen(dict.fromkeys(FIELDS)))


def assert_same(place, declared, fields=FIELDS):
    """``place`` declares just these ``fields``, in this order."""
    missing = [field for field in fields if field not in declared]
    unknown = [field for field in declared if field not in fields]
    assert not missing, f"{place} lacks {missing}"
    assert not unknown, f"{place} has {unknown}, which the model Camera lacks"
    assert list(declared) == fields, f"{place} has another order than the model Camera"


def test_the_migrations_make_the_columns_of_the_model(app):
    columns = [column.name for column in database.get_columns("camera")]
    assert_same("the table that the migrations make", columns)


def test_the_schema_of_the_answer_has_the_fields_of_the_model():
    declared = CameraSchema().fields
    assert_same("CameraSchema", sorted(declared), sorted(FIELDS))


def test_the_example_has_the_fields_of_the_model():
    assert_same("EXAMPLE_CAMERA", EXAMPLE_CAMERA)


def test_a_client_chooses_the_fields_that_the_service_does_not():
    assert_same("CameraCreateSchema", CameraCreateSchema().fields, CHOSEN)
    assert_same("CameraUpdateSchema", CameraUpdateSchema().fields, CHOSEN)


def test_the_documentation_of_the_api_names_every_field_that_a_client_chooses():
    lines = (PROJECT / "docs/api.md").read_text().splitlines()
    (row,) = [line for line in lines if line.startswith("| `POST /api/cameras` |")]
    named = [field for field in CHOSEN if f"`{field}`" in row]
    assert_same("docs/api.md, POST /api/cameras", named, CHOSEN)


def test_an_answer_has_the_fields_of_the_model_in_their_order(client):
    created = client.post("/api/cameras", json=EXAMPLE_CREATE)
    camera = created.get_json()
    assert created.status_code == 201
    assert_same("POST /api/cameras", camera)
    assert {field: camera[field] for field in CHOSEN} == EXAMPLE_CREATE
    assert client.get(f"/api/cameras/{camera['id']}").get_json() == camera
    assert client.get("/api/cameras").get_json() == {"cameras": [camera], "count": 1}


def test_a_patch_changes_every_field_that_a_client_chooses(client, camera):
    answer = client.patch(f"/api/cameras/{camera['id']}", json=EXAMPLE_CREATE)
    assert answer.get_json() == camera | EXAMPLE_CREATE


def test_the_audit_log_keeps_what_the_client_chose(client):
    camera = client.post("/api/cameras", json=EXAMPLE_CREATE).get_json()
    client.delete(f"/api/cameras/{camera['id']}")
    created, deleted = entries_of(camera["id"])
    assert created["details"] == EXAMPLE_CREATE
    assert deleted["details"] == EXAMPLE_CREATE | {"detections": 0, "events": 0}


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_export_comes_back_by_an_import(app, client, tmp_path, options):
    def run(*words):
        result = app.test_cli_runner().invoke(args=("cameras", *words))
        assert result.exit_code == 0, result.output
        return result.stdout

    camera = client.post("/api/cameras", json=EXAMPLE_CREATE).get_json()
    file = tmp_path / "cameras"
    file.write_text(run("export", *options))
    run("rm", camera["id"], "--yes")
    run("import", str(file))
    (restored,) = client.get("/api/cameras").get_json()["cameras"]
    assert {field: restored[field] for field in CHOSEN} == EXAMPLE_CREATE


def test_a_shell_can_give_and_read_every_field(app):
    runner = app.test_cli_runner()
    words = []
    for name, field in CameraCreateSchema().fields.items():
        option = [] if field.required else [f"--{name.replace('_', '-')}"]
        words += [*option, EXAMPLE_CREATE[name]]
    added = runner.invoke(args=("cameras", "add", "--json", *words))
    assert added.exit_code == 0, added.output
    camera = json.loads(added.stdout)
    assert {field: camera[field] for field in CHOSEN} == EXAMPLE_CREATE
    line = runner.invoke(args=("cameras", "list")).stdout
    assert [value for value in EXAMPLE_CREATE.values() if value not in line] == []
