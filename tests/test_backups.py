"""Is a backup complete or absent, and does a restore lose nothing?"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from app import db
from app.db import backup as backup_files
from app.db import files, migrations
from app.db.backup import InvalidDatabaseFile, examine
from app.layout import MIGRATIONS, PROJECT
from app.models import Camera
from tests.posting import post_camera

USE = """
import sys
from app import create_app, db
create_app({"NVR_DATABASE_URL": f"sqlite:///{sys.argv[1]}"})
db.migrate()
print("uses", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(environ):
    return environ["NVR_DATABASE_URL"].removeprefix("sqlite:///")


@pytest.fixture
def run(app):
    """Run a command; its result has exit code, stdout and stderr."""
    return lambda *words: app.test_cli_runner().invoke(args=words)


@pytest.fixture
def kept(client, run, tmp_path):
    """A backup with one camera; its database has a second one now and no open connection."""
    post_camera(client, "Before")
    assert run("backup", str(tmp_path / "kept.db")).exit_code == 0
    post_camera(client, "After")
    db.close_all()
    return str(tmp_path / "kept.db")


def names():
    db.migrate()
    return [camera["name"] for camera in Camera.listing()]


def beside(path):
    return sorted(os.listdir(os.path.dirname(path)))


def test_a_backup_says_where_it_is_and_how_large(client, run, tmp_path):
    post_camera(client)
    result = run("backup", str(tmp_path / "kept.db"), "--json")
    size = (tmp_path / "kept.db").stat().st_size
    assert json.loads(result.stdout) == {"path": str(tmp_path / "kept.db"), "bytes": size}
    assert (tmp_path / "kept.db").stat().st_mode & 0o777 == 0o600
    assert examine(str(tmp_path / "kept.db"), thoroughly=True) == db.known_migrations()
    assert not (tmp_path / "kept.db.partial").exists()


def test_a_backup_overwrites_nothing(run, tmp_path):
    (tmp_path / "kept.db").write_text("something else")
    result = run("backup", str(tmp_path / "kept.db"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "exists already" in result.stderr
    assert (tmp_path / "kept.db").read_text() == "something else"


def test_a_backup_into_a_missing_folder_prints_one_line(run, tmp_path):
    result = run("backup", str(tmp_path / "nowhere/kept.db"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_a_backup_and_its_name_are_synced_before_it_is_reported(app, path, tmp_path, monkeypatch):
    synced, real = [], files.sync
    monkeypatch.setattr(files, "sync", lambda name: (real(name), synced.append(name)))
    backup_files.backup(path, str(tmp_path / "kept.db"))
    assert synced == [str(tmp_path / "kept.db.partial"), str(tmp_path)]


@pytest.mark.parametrize("step", ["examine", "files.rename_durably"])
def test_a_backup_that_fails_leaves_nothing(app, path, tmp_path, monkeypatch, step):
    def fail(*_, **__):
        raise OSError("no space left")

    before = beside(path)
    monkeypatch.setattr(f"app.db.backup.{step}", fail)
    with pytest.raises(OSError, match="no space left"):
        backup_files.backup(path, str(tmp_path / "kept.db"))
    assert beside(path) == before


def test_a_backup_of_a_damaged_database_is_refused(app, path, tmp_path, client):
    for _ in range(40):
        post_camera(client, "x" * 250)
    db.close_all()
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096 * 4)
    with pytest.raises((InvalidDatabaseFile, sqlite3.DatabaseError)):
        backup_files.backup(path, str(tmp_path / "kept.db"))
    assert not (tmp_path / "kept.db").exists()


def test_a_backup_overwrites_nothing_where_there_are_no_hard_links(
    app, path, tmp_path, monkeypatch
):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    backup_files.backup(path, str(tmp_path / "kept.db"))
    (tmp_path / "new").write_text("new")
    with pytest.raises(FileExistsError):
        files.rename_durably(str(tmp_path / "new"), str(tmp_path / "kept.db"))
    assert examine(str(tmp_path / "kept.db"), thoroughly=True) == db.known_migrations()


def test_a_restore_puts_the_backup_in_place_and_keeps_the_old_database(kept, path, run):
    result = run("restore", kept, "--json")
    answer = json.loads(result.stdout)
    assert answer["database"] == path
    assert names() == ["Before"]
    with closing(sqlite3.connect(answer["kept"])) as old:
        rows = old.execute("SELECT name FROM camera ORDER BY created_at").fetchall()
    assert rows == [("Before",), ("After",)]


def test_a_restore_removes_the_old_log(kept, path, run):
    """Of a service that was killed: the log would be played into the restored database."""
    copies = {}
    names()
    with db.database.atomic():
        db.database.execute_sql("UPDATE camera SET name = 'In the log'")
    for suffix in ("", "-wal", "-shm"):
        with open(path + suffix, "rb") as file:
            copies[suffix] = file.read()
    db.close_all()
    for suffix, content in copies.items():
        with open(path + suffix, "wb") as file:
            file.write(content)
    answer = json.loads(run("restore", kept, "--json").stdout)
    assert not os.path.exists(f"{path}-wal")
    assert names() == ["Before"]
    with closing(sqlite3.connect(answer["kept"])) as old:
        assert set(old.execute("SELECT name FROM camera")) == {("In the log",)}


def test_a_restore_over_a_damaged_database_keeps_that_as_it_is(kept, path, run):
    with open(path, "wb") as file:
        file.write(b"this is no database" * 100)
    answer = json.loads(run("restore", kept, "--json").stdout)
    assert names() == ["Before"]
    with open(answer["kept"], "rb") as file:
        assert file.read() == b"this is no database" * 100


def test_a_restore_works_without_an_old_database(kept, path, run):
    files.remove(path)
    assert run("restore", kept).stdout == f"restored {path}\n"
    assert names() == ["Before"]


def test_a_restore_is_refused_while_any_process_uses_the_database(kept, path, run):
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USE, path],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for user in users:
        assert user.stdout.readline() == "uses\n"
    for user in users:
        before = beside(path)
        result = run("restore", kept)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "Stop the service" in result.stderr
        assert beside(path) == before
        user.communicate()
    assert run("restore", kept).exit_code == 0


def newer(file):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE schema_migration SET name = '9999_future' WHERE id = 1")


def truncated(file):
    os.truncate(file, os.path.getsize(file) // 2)


def empty(file):
    os.truncate(file, 0)


def another_programs(file):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE schema_migration")


def rubbish(file):
    with open(file, "wb") as target:
        target.write(b"this is no database" * 1000)


@pytest.mark.parametrize("spoil", [newer, truncated, empty, another_programs, rubbish, os.unlink])
def test_an_unusable_backup_is_refused_and_the_database_stays(kept, path, run, spoil):
    spoil(kept)
    result = run("restore", kept)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert names() == ["Before", "After"]


def test_a_missing_database_is_not_created_where_its_log_is_left(kept, path):
    os.rename(path, f"{path}-wal")
    with pytest.raises(InvalidDatabaseFile, match="only its -wal is there"):
        db.migrate()
    assert not os.path.exists(path)


def test_a_migration_makes_a_backup_first_that_can_be_restored(client, path, run, monkeypatch):
    post_camera(client, "Old")
    db.close_all()
    folder = os.path.join(os.path.dirname(path), "steps")
    os.mkdir(folder)
    for step in MIGRATIONS.glob("[0-9]*.py"):
        shutil.copy(step, folder)
    with open(os.path.join(folder, "9000_later.py"), "w") as file:
        file.write(
            "def up(migrator, db):\n    db.execute_sql(\"UPDATE camera SET name = 'New'\")\n"
        )
    known = MIGRATIONS
    monkeypatch.setattr(migrations, "MIGRATIONS", type(known)(folder))
    assert names() == ["New"]
    db.close_all()
    monkeypatch.setattr(migrations, "MIGRATIONS", known)
    with pytest.raises(db.NewerDatabase):
        db.migrate()
    db.close_all()
    assert run("restore", f"{path}.before-9000_later").exit_code == 0
    assert names() == ["Old"]


def test_a_new_database_and_one_that_is_up_to_date_need_no_backup(app, path):
    db.close_all()
    db.migrate()
    assert not [name for name in beside(path) if ".before-" in name]
