"""The settings of a camera and of the box over HTTP: the contract, then hostile input."""

import pytest

from app import create_app, db, installation
from app.models import AUDIT, Camera, CameraSettings
from app.schemas import settings as schemas
from app.services.settings import NAMES
from tests.api.test_cameras import UNKNOWN
from tests.pictures import picture, put
from tests.problems import assert_problem
from tests.rows import entries_of

BOX = "/api/settings"
UNSET = {
    "file_pattern": None,
    "offline_after_seconds": None,
    "keep_days": None,
    "keep_bytes": None,
    "prune_existing": False,
    "group": None,
    "position": None,
    "moment_gap_seconds": None,
}
EFFECTIVE = {
    "file_pattern": None,
    "offline_after_seconds": 86400,
    "keep_days": 0,
    "keep_bytes": 0,
    "moment_gap_seconds": 60,
}
SET = {
    "file_pattern": "CH01_*",
    "offline_after_seconds": 0,
    "keep_days": 7,
    "keep_bytes": 2**63 - 1,
    "prune_existing": True,
    "group": "Garten 🌳",
    "position": -3,
    "moment_gap_seconds": 86400,
}
DEFAULTS = {
    "offline_after_seconds": 86400,
    "retention_days": 0,
    "retention_rows": 0,
    "audit_retention_days": 0,
    "keep_days": 0,
    "keep_bytes": 0,
    "keep_free_bytes": 0,
    "timezone": None,
    "wall_title": "Wall",
    "wall_refresh_seconds": 10,
    "fixed": [],
}


@pytest.fixture
def url(camera):
    return f"/api/cameras/{camera['id']}/settings"


def entries(action):
    return list(AUDIT.iterate({"action": action}))


def test_a_camera_begins_with_the_default_settings(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer.get_json() == {**UNSET, "effective": EFFECTIVE}
    assert list(answer.get_json()) == list(schemas.EXAMPLE_CAMERA_SETTINGS)
    assert schemas.CameraSettingsSchema().validate(answer.get_json()) == {}


def test_a_patch_sets_what_it_names_and_null_unsets_it(client, url):
    changed = client.patch(url, json=SET)
    assert changed.status_code == 200
    shown = changed.get_json()
    assert shown == {**SET, "effective": {name: SET[name] for name in EFFECTIVE}}
    assert client.get(url).get_json() == shown
    assert schemas.CameraSettingsSchema().validate(shown) == {}
    assert client.patch(url, json={"group": None}).get_json() == shown | {"group": None}
    client.patch(url, json=UNSET)
    assert client.get(url).get_json() == {**UNSET, "effective": EFFECTIVE}


def test_the_settings_of_two_cameras_are_their_own(client, url):
    other = client.post("/api/cameras", json={"name": "o", "folder_path": "o"}).get_json()
    client.patch(url, json=SET)
    assert client.get(f"/api/cameras/{other['id']}/settings").get_json()["group"] is None


def test_a_change_of_a_camera_s_settings_is_in_the_audit_log(client, camera, url):
    client.patch(url, json={"group": "Garden", "position": 2})
    client.patch(url, json={"group": "Yard", "position": 2})
    client.patch(url, json={"group": "Yard"})
    client.patch(url, json={})
    first, second = [e for e in entries_of(camera["id"]) if e["action"] != "camera_created"]
    assert first["action"] == second["action"] == "camera_settings_updated"
    assert (first["resource_type"], first["resource_name"]) == ("camera", "Front Door")
    assert first["details"] == {
        "changes": {"group": {"old": None, "new": "Garden"}, "position": {"old": None, "new": 2}}
    }
    assert second["details"] == {"changes": {"group": {"old": "Garden", "new": "Yard"}}}


def test_the_settings_go_with_their_camera(client, camera, url):
    client.patch(url, json=SET)
    assert client.delete(f"/api/cameras/{camera['id']}").status_code == 204
    assert CameraSettings.by_camera() == {}
    assert_problem(client.get(url), 404, "camera_not_found")
    assert_problem(client.patch(url, json={"group": "x"}), 404, "camera_not_found")


def test_an_unknown_camera_has_no_settings(client):
    assert_problem(client.get(f"{UNKNOWN}/settings"), 404, "camera_not_found")
    assert_problem(client.patch(f"{UNKNOWN}/settings", json={}), 404, "camera_not_found")
    assert client.delete(f"{UNKNOWN}/settings").status_code == 405


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("file_pattern", value) for value in ("", "a" * 256, 1, [], "a\0", "a\n", "\ud800")),
        *(("offline_after_seconds", value) for value in (-1, 1.0, "1", True, 10**9 + 1, 10**30)),
        *(("keep_days", value) for value in (-1, 36501, 1.5, "7")),
        *(("keep_bytes", value) for value in (-1, 2**63, True)),
        *(("prune_existing", value) for value in (None, 1, "true", "yes")),
        *(("group", value) for value in ("", "a" * 101, 7, "a\x1b")),
        *(("position", value) for value in (2**63, "1", 0.5)),
        *(("moment_gap_seconds", value) for value in (0, 86401, "60")),
        *((name, None) for name in ("effective", "camera_id", "id", "unknown")),
    ],
)
def test_invalid_values_are_refused_by_name(client, url, field, value):
    body = f'{{"{field}": "\\ud800"}}' if value == "\ud800" else None
    sent = {"data": body, "content_type": "application/json"} if body else {"json": {field: value}}
    problem = assert_problem(client.patch(url, **sent), 422, "validation_failed")
    assert list(problem["errors"]["json"]) == [field]
    assert client.get(url).get_json() == {**UNSET, "effective": EFFECTIVE}


def test_all_bad_fields_are_named_at_once(client, url):
    problem = assert_problem(
        client.patch(url, json={"keep_days": -1, "group": 1, "x": 1, "position": 5}),
        422,
        "validation_failed",
    )
    assert set(problem["errors"]["json"]) == {"keep_days", "group", "x"}
    assert client.get(url).get_json()["position"] is None


def test_the_length_of_a_pattern_is_counted_in_characters(client, url):
    pattern = "🌳" * 255
    assert client.patch(url, json={"file_pattern": pattern}).get_json()["file_pattern"] == pattern


def test_two_cameras_of_one_folder_each_show_their_own_channel(client, camera, base, url):
    second = client.post("/api/cameras", json={"name": "Two", "folder_path": "front"}).get_json()
    one, two = picture(shade=10), picture(shade=200)
    put(base / "front/CH01_a.jpg", one, age=500)
    put(base / "front/CH02_b.JPG", two, age=10)
    urls = [f"/api/cameras/{each['id']}" for each in (camera, second)]
    assert [client.get(f"{each}/snapshot").data for each in urls] == [two, two]
    client.patch(f"{urls[0]}/settings", json={"file_pattern": "ch01_*"})
    client.patch(f"{urls[1]}/settings", json={"file_pattern": "CH02_*"})
    assert [client.get(f"{each}/snapshot").data for each in urls] == [one, two]
    for each in urls:
        found = client.get(f"{each}/diagnostics").get_json()
        assert (found["shared_with"], found["pictures"]["count"]) == ([], 1)
        assert "shared_folder" not in {problem["code"] for problem in found["problems"]}
    client.patch(f"{urls[0]}/settings", json={"file_pattern": "CH03_*"})
    assert_problem(client.get(f"{urls[0]}/snapshot"), 404, "no_snapshot")


def test_the_box_begins_with_the_default_settings(client):
    answer = client.get(BOX)
    assert answer.status_code == 200
    assert answer.get_json() == DEFAULTS
    assert list(answer.get_json()) == [*NAMES, "fixed"] == list(schemas.EXAMPLE_BOX_SETTINGS)
    assert schemas.BoxSettingsSchema().validate(answer.get_json()) == {}


def test_settings_of_the_box_change_and_null_returns_to_the_default(client):
    given = {
        "offline_after_seconds": 5,
        "retention_days": 30,
        "retention_rows": 10**12,
        "audit_retention_days": 36500,
        "keep_days": 14,
        "keep_bytes": 2**63 - 1,
        "keep_free_bytes": 10**9,
        "timezone": "Europe/Berlin",
        "wall_title": "Zuhause",
        "wall_refresh_seconds": 3600,
    }
    assert client.patch(BOX, json=given).get_json() == {**given, "fixed": []}
    assert client.get(BOX).get_json() == {**given, "fixed": []}
    nulls = dict.fromkeys(given)
    assert client.patch(BOX, json=nulls).get_json() == DEFAULTS


def test_a_change_of_the_box_s_settings_is_in_the_audit_log(client):
    client.patch(BOX, json={"keep_days": 14, "retention_days": 0})
    client.patch(BOX, json={"keep_days": 14})
    client.patch(BOX, json={"retention_days": None})
    client.patch(BOX, json={})
    client.patch(BOX, json={"keep_days": None})
    last, first = entries("settings_updated")
    assert (first["resource_type"], first["resource_id"]) == ("system", "settings")
    assert first["details"] == {"changes": {"keep_days": {"old": 0, "new": 14}}}
    assert last["details"] == {"changes": {"keep_days": {"old": 14, "new": 0}}}


def test_a_setting_of_the_environment_cannot_be_changed(environ):
    fixed = {
        "NVR_RETENTION_DAYS": "0",
        "NVR_TIMEZONE": "",
        "NVR_WALL_TITLE": "Hall",
        "NVR_OFFLINE_AFTER_SECONDS": "86400",
    }
    app = create_app(environ)
    db.migrate()
    app.test_client().patch(BOX, json={"wall_title": "Home", "keep_days": 3})
    client = create_app(environ | fixed).test_client()
    shown = client.get(BOX).get_json()
    assert shown["fixed"] == ["offline_after_seconds", "retention_days", "timezone", "wall_title"]
    assert (shown["wall_title"], shown["timezone"], shown["keep_days"]) == ("Hall", None, 3)
    refused = client.patch(BOX, json={"keep_days": 9, "wall_title": None, "timezone": None})
    problem = assert_problem(refused, 409, "fixed_by_environment")
    assert "NVR_TIMEZONE, NVR_WALL_TITLE" in problem["detail"]
    assert client.get(BOX).get_json() == shown
    assert client.patch(BOX, json={"keep_days": 9}).get_json() == shown | {"keep_days": 9}
    app = create_app(environ)
    assert app.test_client().get(BOX).get_json()["wall_title"] == "Home"


def test_a_setting_in_the_env_file_is_fixed_too(environ, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("NVR_KEEP_DAYS=14\nNVR_WALL_TITLE='In the hall'\n")
    monkeypatch.setattr(installation, "ENV_FILE", tmp_path / ".env")
    monkeypatch.delenv("FLASK_SKIP_DOTENV", raising=False)
    client = create_app(environ | installation.service_environment()).test_client()
    shown = client.get(BOX).get_json()
    assert (shown["keep_days"], shown["wall_title"]) == (14, "In the hall")
    assert shown["fixed"] == ["keep_days", "wall_title"]
    assert_problem(client.patch(BOX, json={"keep_days": 14}), 409, "fixed_by_environment")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("offline_after_seconds", value) for value in (-1, "5", 1.0, True, 10**9 + 1)),
        *(("retention_days", value) for value in (-1, 36501)),
        *(("retention_rows", value) for value in (-1, 10**12 + 1)),
        *(("audit_retention_days", value) for value in (-1, 36501)),
        *(("keep_days", value) for value in (-1, 36501)),
        *(("keep_bytes", value) for value in (-1, 2**63)),
        *(("keep_free_bytes", value) for value in (-1, 2**63, "1G")),
        *(("timezone", value) for value in ("", "Mars/Base", "europe/berlin", "localtime", 1)),
        *(("timezone", value) for value in ("../zoneinfo/UTC", "/etc/localtime", "posix/UTC")),
        *(("wall_title", value) for value in ("", "  ", "a" * 101, "a\n", 1)),
        *(("wall_refresh_seconds", value) for value in (0, 3601, 1.5)),
        *((name, []) for name in ("fixed", "host", "NVR_TIMEZONE")),
    ],
)
def test_invalid_settings_of_the_box_are_refused_by_name(client, field, value):
    refused = client.patch(BOX, json={field: value, "position": 1})
    problem = assert_problem(refused, 422, "validation_failed")
    assert set(problem["errors"]["json"]) == {field, "position"}
    assert client.get(BOX).get_json() == DEFAULTS


def test_every_camera_has_the_box_s_limits_where_it_has_none_of_its_own(client, url):
    client.patch(BOX, json={"offline_after_seconds": 60, "keep_days": 5, "keep_bytes": 9})
    shown = client.get(url).get_json()
    assert shown["effective"] == EFFECTIVE | {"offline_after_seconds": 60, "keep_days": 5}
    client.patch(url, json={"offline_after_seconds": 0, "keep_days": 0})
    assert client.get(url).get_json()["effective"] == EFFECTIVE | {"offline_after_seconds": 0}


def test_the_settings_change_nothing_of_the_camera(client, camera, url):
    client.patch(url, json=SET)
    assert Camera.one(camera["id"]) == camera
    assert client.get("/api/cameras").get_json()["cameras"] == [camera]
