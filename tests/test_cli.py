"""Do the operator's commands say what they do, and do it?"""

import json
import os
import re
import sqlite3
import time
from contextlib import closing

import pytest

from app import create_app
from app.db import writer
from app.models import Detection
from app.problems import PROBLEMS
from app.services import tokens
from tests.rows import entries_of
from tests.unprivileged import as_nobody, base_of_nobody


@pytest.fixture
def run(app):
    """Run a command; its result has exit code, stdout and stderr."""
    return lambda *words: app.test_cli_runner().invoke(args=words)


@pytest.fixture
def detections(camera):
    for day in range(1, 10):
        Detection.insert(
            camera_id=camera["id"],
            detected_at=f"2020-01-0{day}T00:00:00.000000Z",
            object_type="cat",
            confidence=1,
        ).execute()


@pytest.mark.parametrize(
    "words",
    [
        ("tokens", "create", "phone", "--role", "read"),
        ("tokens", "revoke", "laptop"),
        ("cameras", "add", "Front", "front"),
        ("cameras", "rm", "{camera}", "--yes"),
        ("prune",),
    ],
)
def test_a_busy_database_is_a_line_and_no_traceback(
    app, client, run, camera, detections, words, monkeypatch
):
    client.patch("/api/settings", json={"retention_rows": 4})
    run("tokens", "create", "laptop", "--role", "read")
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(app.config["NVR_DATABASE_URL"])) as other:
        other.execute("BEGIN IMMEDIATE")
        result = run(*(word.format(camera=camera["id"]) for word in words))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == f"Error: {PROBLEMS['database_busy'].detail}"


@pytest.mark.parametrize("words", [("tokens", "list"), ("cameras", "list"), ("prune",)])
def test_a_file_that_is_no_database_is_a_line_that_names_it(environ, tmp_path, words):
    (tmp_path / "nvr.db").write_bytes(b"Dear diary, " * 1000)
    app = create_app(environ | {"NVR_DATABASE_URL": f"sqlite:///{tmp_path}/nvr.db"})
    result = app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert f"{tmp_path}/nvr.db" in result.stderr
    assert (tmp_path / "nvr.db").read_bytes().startswith(b"Dear diary")


@pytest.mark.parametrize("words", [("tokens", "list"), ("doctor",), ("backup", "x")])
def test_a_user_who_may_not_enter_the_database_folder_is_told_to_be_the_service_user(
    environ, words
):
    with base_of_nobody() as folder:
        (folder / "closed").mkdir(mode=0o700)
        (folder / "closed" / "nvr.db").touch()
        app = create_app(environ | {"NVR_DATABASE_URL": f"sqlite:///{folder}/closed/nvr.db"})
        with as_nobody():
            result = app.test_cli_runner().invoke(args=words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"The user nobody may not enter {folder}/closed" in result.stderr
    assert "runuser -u USER" in result.stderr


def test_an_unforeseen_exception_keeps_its_traceback(run, monkeypatch):
    monkeypatch.setattr(tokens, "revoke", lambda *_: 1 / 0)
    assert isinstance(run("tokens", "revoke", "x").exception, ZeroDivisionError)


def test_prune_without_a_limit_says_what_to_set(run, detections):
    result = run("prune")
    assert result.exit_code == 0
    assert "see the settings retention_days" in result.stderr
    assert "keep_days, keep_bytes and keep_free_bytes" in result.stderr
    nothing = "deleted 0 detections, 0 events, 0 audit entries, 0 pictures, 0 clips (0 bytes)\n"
    assert result.stdout == nothing


def test_prune_deletes_what_its_dry_run_counted(client, run, detections):
    client.patch("/api/settings", json={"retention_rows": 4})
    promised = run("prune", "--dry-run")
    assert promised.stdout.startswith("would delete 5 detections, 0 events, 0 audit entries, ")
    assert Detection.select().count() == 9
    assert json.loads(run("prune", "--json").stdout) == {
        "dry_run": False,
        "suspended": None,
        "detections": 5,
        "events": 0,
        "audit_entries": 0,
        "pictures": 0,
        "clips": 0,
        "bytes": 0,
        "not_deletable": 0,
        "cameras": [],
    }
    assert Detection.select().count() == 4


def test_prune_deletes_the_pictures_that_its_dry_run_shows(client, run, camera, base):
    for days in (9, 8, 7):
        path = base / f"front/{days}.jpg"
        path.write_bytes(b"picture")
        os.utime(path, (time.time() - days * 86400,) * 2)
    client.patch("/api/settings", json={"keep_days": 1})
    promised = run("prune", "--dry-run")
    first, second = promised.stdout.splitlines()
    assert first.startswith("would delete ")
    assert first.endswith(", 2 pictures, 0 clips (14 bytes)")
    assert second.startswith(f"  camera Front Door ({camera['id']}): 2 pictures, 0 clips, 14 ")
    assert len(os.listdir(base / "front")) == 3
    done = json.loads(run("prune", "--json").stdout)
    assert (done["pictures"], done["bytes"], done["suspended"]) == (2, 14, None)
    assert done["cameras"][0]["pictures"] == 2
    assert os.listdir(base / "front") == ["7.jpg"]
    (entry,) = entries_of("retention")
    assert (entry["action"], entry["actor"]) == ("pictures_pruned", "cli")


def test_prune_says_why_it_deletes_no_picture(client, run, camera, base):
    client.patch("/api/settings", json={"keep_days": 1})
    base.rename(base.with_name("aside"))
    result = run("prune", "--json")
    assert result.exit_code == 1
    assert "the base path is missing" in result.stderr
    assert json.loads(result.stdout)["suspended"] == "base_path_missing"


def test_a_token_is_created_listed_and_revoked(run):
    made = run("tokens", "create", "phone", "--role", "read")
    assert made.exit_code == 0
    assert re.fullmatch(r"nvr_[\w-]{43}\n", made.stdout)
    assert "cannot be shown again" in made.stderr
    listed = run("tokens", "list")
    assert re.fullmatch(r"read   created \S+Z  never used  phone\n", listed.stdout)
    gone = run("tokens", "revoke", "phone")
    assert (gone.exit_code, gone.stdout) == (0, "revoked phone\n")
    assert run("tokens", "list").stdout == ""
    assert made.stdout.strip() not in listed.output + gone.output


def test_tokens_answer_as_json_too(run):
    made = json.loads(run("tokens", "create", "Tür", "--role", "write", "--json").stdout)
    assert list(made) == ["name", "role", "created_at", "last_used_at", "token"]
    assert tokens.find(made.pop("token"))["name"] == "Tür"
    listed = json.loads(run("tokens", "list", "--json").stdout)
    assert listed == {"tokens": [made], "count": 1}
    assert json.loads(run("tokens", "revoke", "Tür", "--json").stdout) == {"revoked": made}
    assert json.loads(run("tokens", "list", "--json").stdout) == {"tokens": [], "count": 0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "phone", "--role", "read"], "another token has this name"),
        (["create", "monitor", "--role", "read"], "uses this name for callers"),
        (["create", "\x1b[2J", "--role", "read"], "printable characters"),
        (["create", "x"], "--role"),
        (["create", "x", "--role", "admin"], "'admin' is not one of 'read', 'write'"),
        (["revoke", "nobody"], "there is no token of this name"),
    ],
)
def test_an_invalid_token_command_is_reported_and_changes_nothing(run, words, said):
    run("tokens", "create", "phone", "--role", "read")
    before = run("tokens", "list").stdout
    result = run("tokens", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert run("tokens", "list").stdout == before
