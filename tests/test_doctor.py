"""Does the doctor find what each test breaks, and say what to do about it?"""

import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import clock, db
from app.diagnostics import doctor
from app.services.health import DEGRADED, HEALTHY, UNHEALTHY
from app.storage import filesystems

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def run(app, monkeypatch):
    """Runs the command on a box whose clock is kept right, and returns its result."""
    synchronise(monkeypatch, True)
    return lambda *words: app.test_cli_runner().invoke(args=("doctor", *words))


@pytest.fixture
def path(app):
    """The database file."""
    return Path(app.config["NVR_DATABASE_URL"])


def synchronise(monkeypatch, is_synchronised):
    """Let the kernel call the clock synchronised or not."""
    reading = clock.Reading(clock.now(), 0.0, is_synchronised)
    monkeypatch.setattr(clock, "read", lambda: reading)


def statuses(result):
    checks = json.loads(result.stdout)["checks"]
    return {name: check["status"] for name, check in checks.items()}


def test_every_check_is_ok_on_a_healthy_box(run):
    result = run()
    assert (result.exit_code, result.stderr.strip()) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "ok      base path",
        "ok      permissions",
        "ok      database",
        "ok      free space",
        "ok      free space of the database",
        "ok      clock",
        "ok      inotify",
    ]
    assert all(line.endswith(".") for line in lines)
    found = json.loads(run("--json").stdout)
    assert found["status"] == HEALTHY
    assert set(statuses(run("--json")).values()) == {HEALTHY}


def test_the_doctor_changes_nothing(run, base, path, camera):
    db.database.close()
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    assert run().exit_code == 0
    db.database.close()
    after = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    assert {file.name for file in after} >= {file.name for file in before}
    assert after[path] == before[path]


def test_a_missing_database_is_not_created(run, path):
    db.database.close()
    for file in path.parent.glob("nvr.db*"):
        file.unlink()
    result = run()
    assert result.exit_code == 0
    assert "the first start creates it" in result.stdout
    assert list(path.parent.glob("nvr.db*")) == []


def test_a_missing_base_path_is_a_problem(run, base):
    base.rmdir()
    result = run()
    assert result.exit_code == 1
    assert f"problem base path: {base}: " in result.stdout
    assert "Create or mount it" in result.stdout


def test_each_camera_is_checked(run, base, camera, client):
    client.post("/api/cameras", json={"name": "Lost", "folder_path": "lost"})
    result = run()
    assert result.exit_code == 1
    assert (
        f"warning camera Front Door ({camera['id']}): Nothing is in the folder yet."
        in result.stdout
    )
    assert f"There is no folder {base}/lost. Create it" in result.stdout
    (base / "lost").mkdir()
    assert run().exit_code == 0


def test_a_damaged_database_is_a_problem(run, path, camera):
    db.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.database.close()
    with sqlite3.connect(path) as database:
        pages = "SELECT rootpage FROM sqlite_master WHERE name = 'audit_entry'"
        (page,) = database.execute(pages).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = b"\xaa" * size
    path.write_bytes(data)
    result = run()
    assert result.exit_code == 1
    assert "problem database: The database is damaged" in result.stdout
    assert "restore a backup" in result.stdout


def test_a_file_that_is_not_a_database_is_a_problem(run, path):
    db.database.close()
    db.close_all()
    path.write_bytes(b"this is no database, " * 1000)
    result = run()
    assert result.exit_code == 1
    assert "problem database: The database cannot be written." in result.stdout


@pytest.mark.parametrize("entry", [None, "1970-01-02T00:00:00.000000Z"])
def test_a_clock_of_1970_is_a_problem(monkeypatch, entry):
    synchronise(monkeypatch, True)
    check = doctor.check_clock(datetime(1970, 1, 1, tzinfo=UTC), entry)
    assert check.status == UNHEALTHY
    assert "timedatectl set-ntp true" in check.message


@pytest.mark.parametrize(("synchronised", "status"), [(False, UNHEALTHY), (True, DEGRADED)])
def test_an_audit_entry_of_the_future_is_named_as_a_possible_cause(
    monkeypatch, synchronised, status
):
    synchronise(monkeypatch, synchronised)
    check = doctor.check_clock(NOW, "2026-01-01T00:00:00.000001Z")
    assert check.status == status
    assert "timedatectl set-ntp true" in check.message
    assert "it was ahead when that entry was written" in check.message


def test_a_clock_that_ntp_keeps_right_is_healthy(monkeypatch):
    synchronise(monkeypatch, True)
    assert doctor.check_clock(NOW, "2025-12-31T23:59:59.000000Z").status == HEALTHY


def test_a_clock_without_ntp_is_a_warning(monkeypatch):
    synchronise(monkeypatch, False)
    check = doctor.check_clock(NOW, None)
    assert (check.status, "timedatectl" in check.message) == (DEGRADED, True)


def test_inotify_limits_that_are_too_low_are_a_warning_with_the_command(monkeypatch):
    granted = {"max_user_watches": 8192, "max_user_instances": 128}
    monkeypatch.setattr(filesystems, "inotify_limit", granted.get)
    assert doctor.check_inotify(128).status == HEALTHY
    check = doctor.check_inotify(129)
    assert check.status == DEGRADED
    assert "sysctl -w fs.inotify.max_user_watches=16512;" in check.message
    granted["max_user_watches"] = 100
    assert "fs.inotify.max_user_watches is 100" in doctor.check_inotify(1).message
    granted |= {"max_user_watches": 8192, "max_user_instances": 4}
    assert "fs.inotify.max_user_instances is 4" in doctor.check_inotify(1).message


def test_the_inotify_limits_are_those_of_the_kernel(monkeypatch):
    for name in ("max_user_watches", "max_user_instances"):
        assert filesystems.inotify_limit(name) == int(
            Path(f"{filesystems.LIMITS}/{name}").read_text()
        )
    assert filesystems.inotify_limit("missing") == 0
    monkeypatch.setattr(filesystems, "LIMITS", "/nowhere")
    assert filesystems.inotify_limit("max_user_watches") == 0


def test_a_database_that_belongs_to_another_user_is_a_warning(path, monkeypatch):
    assert doctor.check_permissions(str(path)).status == HEALTHY
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    check = doctor.check_permissions(str(path))
    assert (check.status, "as the service's user" in check.message) == (DEGRADED, True)


def test_a_folder_that_may_not_be_written_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    check = doctor.check_permissions(str(tmp_path / "new" / "nvr.db"))
    assert (check.status, "chown" in check.message) == (UNHEALTHY, True)
    assert str(tmp_path) in check.message
