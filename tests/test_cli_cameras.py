"""Can an operator list, add, remove, import and export the cameras from a shell?"""

import json

import pytest
import yaml

from app import create_app
from app.models import AuditEntry, Camera
from app.services import cameras as camera_service
from app.storage.safe_open import StorageNotAnswering
from tests.rows import add_many, rows

HOSTILE = ["yes", "a: b # c", "- x", "Tür \U0001f4f7", "a\u2028b", "'\"\\", "{{ x }}", "1.50"]
UNKNOWN = "123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture
def run(app):
    """Run a command; its result has exit code, stdout and stderr."""
    return lambda *words, **options: app.test_cli_runner().invoke(args=words, **options)


@pytest.fixture
def camera_file(tmp_path):
    """Writes a file of cameras and returns its path."""

    def write(content, name="cameras.yaml"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else yaml.safe_dump(content).encode()
        path.write_bytes(data)
        return str(path)

    return write


def entry(name, folder, **more):
    return {"name": name, "folder_path": folder, **more}


def audited():
    """Action, actor and name of every entry of the audit log, oldest first."""
    query = AuditEntry.select().order_by(AuditEntry.id)
    return [(row["action"], row["actor"], row["resource_name"]) for row in rows(query)]


def facts():
    return [(c["name"], c["folder_path"], c["status"]) for c in Camera.listing()]


def test_add_list_and_rm(run, client):
    added = run("cameras", "add", " Garden ", "garden", "--status", "offline")
    assert added.exit_code == 0
    identity = added.stdout.strip()
    camera = client.get(f"/api/cameras/{identity}").get_json()
    assert (camera["name"], camera["folder_path"], camera["status"]) == (
        *("Garden", "garden", "offline"),
    )
    listed = run("cameras", "list").stdout
    assert identity in listed
    assert listed.endswith("never                        Garden (garden)\n")
    found = json.loads(run("cameras", "list", "--json").stdout)
    assert found == client.get("/api/cameras").get_json()
    removed = run("cameras", "rm", identity, "--yes")
    assert removed.stdout == "removed Garden (garden) with 0 detections and 0 events\n"
    assert facts() == []
    assert audited() == [("camera_created", "cli", "Garden"), ("camera_deleted", "cli", "Garden")]


def test_add_and_rm_answer_as_json(run):
    camera = json.loads(run("cameras", "add", "Garden", "garden", "--json").stdout)
    assert camera == camera_service.get_camera(camera["id"])
    removed = json.loads(run("cameras", "rm", camera["id"], "--yes", "--json").stdout)
    assert removed == {"removed": camera, "detections": 0, "events": 0}


def test_a_folder_that_cannot_be_listed_is_named_when_a_camera_is_added(
    run, camera_file, base, camera
):
    outside = run("cameras", "add", "Garden", "/srv/other")
    assert outside.exit_code == 0
    assert outside.stderr.startswith("Warning: Garden (/srv/other): The folder is not inside the")
    missing = run("cameras", "import", camera_file({"cameras": [entry("Pool", "pool")]}))
    assert f"Warning: Pool (pool): There is no folder {base}/pool. Create it" in missing.stderr
    moved = run("cameras", "set", camera["id"], "folder_path=../other")
    assert "Warning: Front Door (../other): The folder is not inside the base" in moved.stderr
    (base / "good").mkdir()
    assert run("cameras", "add", "Good", "good").stderr == ""


def test_adding_a_camera_does_not_wait_for_storage_that_hangs(run, app, base, monkeypatch):
    def hang(*_):
        raise StorageNotAnswering

    monkeypatch.setattr(app.extensions["folders"].threads, "ask", hang)
    added = run("cameras", "add", "Garden", "nas/garden")
    assert added.exit_code == 0
    assert f"Warning: Garden (nas/garden): {base}/nas/garden does not answer" in added.stderr


def test_rm_asks_first_and_says_how_much_is_deleted(run, camera):
    add_many(camera["id"], detections=2, events=1)
    refused = run("cameras", "rm", camera["id"], input="n\n")
    assert refused.exit_code == 1
    assert "Remove Front Door (front) with 2 detections and 1 event?" in refused.stderr
    assert len(facts()) == 1
    assert run("cameras", "rm", camera["id"], input="").exit_code == 1
    assert run("cameras", "rm", camera["id"], input="y\n").exit_code == 0
    assert facts() == []


def test_an_unknown_or_invalid_id_is_reported(run):
    unknown = run("cameras", "rm", UNKNOWN, "--yes")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert unknown.stderr == "Error: There is no camera with this id.\n"
    assert run("cameras", "rm", "front", "--yes").exit_code == 2


def test_add_refuses_what_the_api_refuses(run):
    refused = run("cameras", "add", " ", "x" * 501)
    assert refused.exit_code == 1
    assert refused.stderr.splitlines() == [
        "Error: These values are not valid:",
        "  name: Length must be between 1 and 255.",
        "  folder_path: Length must be between 1 and 500.",
    ]
    assert facts() == []


def test_printed_names_move_no_cursor(run, client):
    client.post("/api/cameras", json=entry("a\u202eb\u2028c", "x"))
    assert "a\\u202eb\\u2028c (x)" in run("cameras", "list").stdout


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["yaml", "json"])
def test_an_import_of_an_export_restores_the_same_cameras(run, client, camera_file, options):
    for number, name in enumerate(HOSTILE):
        client.post("/api/cameras", json=entry(name, f"f{number}", status="offline"))
    before = facts()
    exported = run("cameras", "export", *options).stdout.encode()
    for camera in Camera.listing():
        run("cameras", "rm", camera["id"], "--yes")
    result = run("cameras", "import", camera_file(exported))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        *(0, f"{len(HOSTILE)} added, 0 changed, 0 unchanged"),
    )
    assert facts() == before


def test_importing_twice_changes_nothing(run, camera_file):
    file = camera_file({"cameras": [entry("Front", "front"), entry("Garden", "garden")]})
    assert run("cameras", "import", file).stdout == (
        "+ Front (front)\n+ Garden (garden)\n2 added, 0 changed, 0 unchanged\n"
    )
    before, log = Camera.listing(), audited()
    assert log == [("camera_created", "cli", "Front"), ("camera_created", "cli", "Garden")]
    assert run("cameras", "import", file).stdout == "0 added, 0 changed, 2 unchanged\n"
    assert (Camera.listing(), audited()) == (before, log)


def test_a_camera_is_known_by_its_folder_however_that_is_written(run, camera_file, base, camera):
    file = camera_file({"cameras": [entry("Door", f"{base}//x/../front/", status="error")]})
    result = run("cameras", "import", file)
    assert (
        result.stdout == "- Front Door (front)\n+ Door (front)\n0 added, 1 changed, 0 unchanged\n"
    )
    assert facts() == [("Door", "front", "online")]
    assert audited()[-1] == ("camera_updated", "cli", "Door")


def test_cameras_that_share_a_folder_are_told_apart_by_name(run, camera_file, client):
    for name in ("A", "B", "C"):
        client.post("/api/cameras", json=entry(name, "shared"))
    names = ["C", "B", "D", "E"]
    file = camera_file({"cameras": [entry(name, "shared") for name in names]})
    assert run("cameras", "import", file).stdout == (
        "+ E (shared)\n- A (shared)\n+ D (shared)\n1 added, 1 changed, 2 unchanged\n"
    )
    assert [name for name, *_ in facts()] == ["D", "B", "C", "E"]
    assert run("cameras", "import", file).stdout == "0 added, 0 changed, 4 unchanged\n"


def test_a_dry_run_shows_the_difference_and_makes_none(run, camera_file, camera):
    file = camera_file({"cameras": [entry("Door", "front"), entry("Garden", "garden")]})
    shown = run("cameras", "import", "--dry-run", file)
    assert shown.stdout == (
        "+ Garden (garden)\n- Front Door (front)\n+ Door (front)\n"
        "would be: 1 added, 1 changed, 0 unchanged\n"
    )
    assert facts() == [("Front Door", "front", "online")]
    assert len(audited()) == 1
    promised = json.loads(run("cameras", "import", "--dry-run", "--json", file).stdout)
    assert promised == {
        "dry_run": True,
        "added": [entry("Garden", "garden", status="online")],
        "changed": [
            {"id": camera["id"], "changes": {"name": {"old": "Front Door", "new": "Door"}}}
        ],
        "unchanged": 0,
    }
    done = json.loads(run("cameras", "import", "--json", file).stdout)
    assert done == promised | {"dry_run": False}


def test_cameras_that_the_file_does_not_list_stay(run, camera_file, camera):
    run("cameras", "import", camera_file({"cameras": [entry("Garden", "garden")]}))
    assert [name for name, *_ in facts()] == ["Front Door", "Garden"]


def test_all_errors_are_reported_at_once_and_nothing_is_changed(run, camera_file):
    file = camera_file(
        {
            "cameras": [
                entry("Good", "good"),
                entry("", "x"),
                entry(7, True, colour="red"),
                "camera",
                {"name": "x", "status": "asleep"},
            ]
        }
    )
    refused = run("cameras", "import", file)
    assert (refused.exit_code, refused.stdout) == (1, "")
    lines = refused.stderr.splitlines()
    assert lines[0] == "Error: These values are not valid:"
    assert {line.partition(": ")[0].strip() for line in lines[1:]} == {
        "cameras.1.name",
        "cameras.2.name",
        "cameras.2.folder_path",
        "cameras.2.colour",
        "cameras.3._schema",
        "cameras.4.folder_path",
        "cameras.4.status",
    }
    assert facts() == audited() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"cameras",
        b"[]",
        b"cameras:",
        b"cameras: [a",
        b"\xff\xfe\xfd",
        b"cameras: []\n---\ncameras: []",
        b'{"cameras": [], "cameras": []}',
        b"cameras: []\ncameras: []",
        b"cameras: [{name: a, name: b, folder_path: x}]",
        b"cameras: !!python/object/apply:os.getcwd []",
        b"cameras: [2025-99-99]",
        b"? [a]\n: b",
        b"a: " + b"[" * 1000,
        b"{" * 5000,
        b'{"cameras": NaN}',
    ],
)
def test_a_file_that_lists_no_cameras_is_refused_in_a_few_lines(run, camera_file, data):
    refused = run("cameras", "import", camera_file(data))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: ")
    assert len(refused.stderr.splitlines()) <= 3
    assert facts() == []


def test_an_import_reads_stdin_too(run):
    result = run("cameras", "import", "-", input='{"cameras": []}')
    assert result.stdout == "0 added, 0 changed, 0 unchanged\n"


def test_a_missing_file_to_import_is_reported(run):
    assert run("cameras", "import", "/nowhere.yaml").exit_code == 2


def test_if_one_camera_cannot_be_stored_none_is(run, camera_file, monkeypatch):
    add = Camera.add

    def fail_at_last(created_at, fields):
        if fields["name"] == "Bad":
            raise RuntimeError("no")
        return add(created_at, fields)

    monkeypatch.setattr(Camera, "add", fail_at_last)
    file = camera_file({"cameras": [entry("Good", "good"), entry("Bad", "bad")]})
    assert run("cameras", "import", file).exit_code == 1
    assert facts() == audited() == []


def test_settings_of_a_camera_are_set_by_their_names(run, client, camera):
    words = ("cameras", "set", camera["id"])
    done = run(*words, "file_pattern=CH01_*", "keep_days=7", "prune_existing=true", "group=7")
    assert done.exit_code == 0, done.output
    assert "file_pattern=CH01_*\n" in done.stdout
    assert "keep_days=7\nkeep_bytes=null\nprune_existing=true\ngroup=7\n" in done.stdout
    shown = client.get(f"/api/cameras/{camera['id']}/settings").get_json()
    assert (shown["keep_days"], shown["prune_existing"], shown["group"]) == (7, True, "7")
    done = run(*words, "name=Back=Door", "status=offline", "keep_days=", "--json")
    changed = json.loads(done.stdout)
    assert (changed["name"], changed["status"], changed["keep_days"]) == (
        *("Back=Door", "offline", None),
    )
    assert changed["effective"]["file_pattern"] == "CH01_*"
    assert [entry[:2] for entry in audited()][1:] == [
        *(("camera_settings_updated", "cli"),) * 2,
        ("camera_updated", "cli"),
    ]


def test_invalid_settings_are_all_named_and_nothing_changes(run, client, camera):
    words = ("cameras", "set", camera["id"])
    done = run(*words, "group=Garden", "keep_days=-1", "status=gone", "colour=red", "position=x")
    assert done.exit_code == 1
    for name in ("keep_days", "status", "colour", "position"):
        assert f"\n  {name}: " in done.stderr
    assert run(*words, "group").exit_code == run(*words, "group=a", "group=b").exit_code == 1
    assert run(*words).exit_code == 2
    assert "no camera" in run("cameras", "set", UNKNOWN, "group=a").stderr
    assert len(audited()) == 1


def test_settings_of_the_box_are_shown_and_set(run, client, environ):
    assert "offline_after_seconds=86400\n" in run("settings", "show").stdout
    done = run("settings", "set", "offline_after_seconds=60", "timezone=Europe/Berlin", "--json")
    assert json.loads(done.stdout) == client.get("/api/settings").get_json()
    assert json.loads(done.stdout)["timezone"] == "Europe/Berlin"
    assert "timezone=null\n" in run("settings", "set", "timezone=").stdout
    assert "\n  timezone: " in run("settings", "set", "timezone=Mars").stderr
    fixed = create_app(environ | {"NVR_KEEP_DAYS": "3"}).test_cli_runner()
    refused = fixed.invoke(args=("settings", "set", "keep_days=4"))
    assert refused.exit_code == 1
    assert "environment sets NVR_KEEP_DAYS; nothing was changed" in refused.stderr
    assert 'fixed=["keep_days"]\n' in fixed.invoke(args=("settings", "show")).stdout


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_export_carries_the_settings_and_an_import_brings_them_back(
    run, client, camera_file, options
):
    chosen = {"file_pattern": "CH01_*: #", "offline_after_seconds": 60, "prune_existing": True}
    body = entry("One", "recorder"), entry("Two", "recorder")
    one, two = (client.post("/api/cameras", json=camera).get_json() for camera in body)
    client.patch(f"/api/cameras/{one['id']}/settings", json=chosen)
    exported = run("cameras", "export", *options).stdout.encode()
    assert yaml.safe_load(exported) == {
        "cameras": [
            body[0] | {"status": "online", "settings": chosen},
            body[1] | {"status": "online"},
        ]
    }
    file = camera_file(exported)
    assert run("cameras", "import", file).stdout == "0 added, 0 changed, 2 unchanged\n"
    client.patch(f"/api/cameras/{one['id']}/settings", json={"file_pattern": None, "group": "G"})
    shown = run("cameras", "import", "--dry-run", file).stdout.splitlines()
    assert shown[1] == '+ One (recorder)  settings.file_pattern="CH01_*: #"'
    run("cameras", "import", file)
    kept = client.get(f"/api/cameras/{one['id']}/settings").get_json()
    assert kept == kept | chosen | {"group": "G"}
    for camera in (one, two):
        client.delete(f"/api/cameras/{camera['id']}")
    assert run("cameras", "import", file).stdout.endswith("2 added, 0 changed, 0 unchanged\n")
    first = client.get("/api/cameras").get_json()["cameras"][0]
    again = client.get(f"/api/cameras/{first['id']}/settings").get_json()
    assert again == again | chosen


def test_an_import_with_a_bad_setting_changes_nothing(run, camera_file):
    bad = {"cameras": [entry("A", "a"), entry("B", "b", settings={"keep_days": -1, "x": 1})]}
    refused = run("cameras", "import", camera_file(bad))
    assert refused.exit_code == 1
    assert "cameras.1.settings.keep_days" in refused.stderr
    assert facts() == []
