"""Is the data safe? Pragmas on every connection, transactions, migrations."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import peewee
import pytest

from app import clock, create_app, db
from app.db import database, files, migrations
from app.layout import MIGRATIONS, PROJECT
from app.models import (
    MODELS,
    Camera,
    CameraEvidence,
    CameraRetention,
    Detection,
    Event,
    encode_types,
)
from tests import effort
from tests.problems import assert_problem
from tests.rows import add_camera, add_detection

STEPS = sorted(MIGRATIONS.glob("[0-9]*.py"))
# Prints `ready`, migrates on the next line of stdin, and prints what it then finds.
MIGRATE = """
import sys
from app import clock, create_app, db
for line in sys.stdin:
    create_app({"NVR_DATABASE_URL": line.strip()})
    print("ready", flush=True)
    sys.stdin.readline()
    db.migrate()
    print(*[name for name, in db.database.execute_sql("SELECT name FROM schema_migration")])
    print(db.database.execute_sql("SELECT count(*) FROM camera").fetchone(), flush=True)
    db.database.close()
"""


def pragma(name):
    return database.execute_sql(f"PRAGMA {name}").fetchone()[0]


def pragmas():
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    return tuple(pragma(name) for name in names)


def in_thread(work):
    """The value of ``work`` in a thread of its own, whose connection is closed at its end."""
    values = []

    def run():
        try:
            values.append(work())
        finally:
            database.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return values[0]


def schema(connection):
    """Every table and index of the file but the record of migrations: name → SQL.

    The triggers stand in their migration alone (see `test_camera_list`).
    """
    rows = connection.execute(
        "SELECT name, tbl_name, sql FROM sqlite_master WHERE type != 'trigger' ORDER BY name"
    )
    return {
        name: " ".join((sql or "").split())
        for name, table, sql in rows
        if table != "schema_migration"
    }


def contents():
    """Every byte of the database and of its log; the index of the log is shared memory."""
    return [Path(f"{database.path}{suffix}").read_bytes() for suffix in ("", "-wal")]


@pytest.fixture
def impatient(monkeypatch):
    """A migration does not wait long for another process."""
    monkeypatch.setattr(migrations, "BUSY_SECONDS", 0.05)


@pytest.fixture
def forgetful(app):
    """The process does not remember what it has migrated."""
    migrations.forget()


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """A folder of migrations to write into, in place of the real one."""
    folder = tmp_path / "steps"
    folder.mkdir()
    monkeypatch.setattr(migrations, "MIGRATIONS", folder)
    return folder


def test_every_connection_is_durable_and_enforces_foreign_keys(app):
    assert pragmas() == ("wal", 2, 1, 5000)
    database.close()
    assert pragmas() == ("wal", 2, 1, 5000)
    assert in_thread(pragmas) == ("wal", 2, 1, 5000)


def test_threads_do_not_share_a_connection(app):
    own = database.connection()
    assert in_thread(lambda: database.connection() is own) is False


def test_a_connection_that_was_given_back_serves_the_next_thread(app):
    first = database.connection()
    database.close()
    assert in_thread(lambda: database.connection() is first)


def test_a_row_must_refer_to_an_existing_row(app):
    database.close()
    with pytest.raises(peewee.IntegrityError, match="FOREIGN KEY"):
        add_detection("no such camera")
    camera = add_camera()
    with pytest.raises(peewee.IntegrityError, match="FOREIGN KEY"):
        add_detection(camera, event=1)


def test_migrations_are_numbered_without_gaps():
    names = [path.stem for path in STEPS]
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+", name) for name in names)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


@pytest.mark.parametrize("step", STEPS, ids=lambda path: path.stem)
def test_migrations_import_nothing_from_the_app(step):
    for node in ast.walk(ast.parse(step.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module.split(".")[0] != "app"
        if isinstance(node, ast.Import):
            assert not [name for name in node.names if name.name.split(".")[0] == "app"]


def test_an_empty_file_gets_every_migration(app):
    seen = database.execute_sql("SELECT name FROM schema_migration ORDER BY id").fetchall()
    assert seen == [(path.stem,) for path in STEPS]
    assert database.execute_sql("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_folder_of_the_file_is_made(tmp_path):
    create_app({"NVR_DATABASE_URL": f"sqlite:///{tmp_path}/new/deep/nvr.db"})
    db.migrate()
    assert (tmp_path / "new/deep/nvr.db").is_file()


def test_a_folder_that_cannot_be_made_says_so_over_http(tmp_path):
    (tmp_path / "file").touch()
    client = create_app({"NVR_DATABASE_URL": f"sqlite:///{tmp_path}/file/nvr.db"}).test_client()
    assert_problem(client.get("/api/cameras"), 503, "database_unavailable")


def test_the_migrated_schema_is_that_of_the_models(app, tmp_path):
    models = peewee.SqliteDatabase(tmp_path / "models.db")
    with closing(models), models.bind_ctx(MODELS):
        models.create_tables(MODELS)
        assert schema(database.connection()) == schema(models.connection())


def test_older_rows_get_the_value_of_a_new_column(environ, steps):
    """Confidence buckets are computed, and object types are collected from the detections."""
    shutil.copy(PROJECT / "migrations/0001_initial.py", steps)
    create_app(environ)
    db.migrate()
    with database.atomic():
        database.execute_sql("INSERT INTO camera VALUES ('c', 'c', 'c', 'online', '', NULL)")
        for _ in range(2):
            database.execute_sql(
                "INSERT INTO event (camera_id, started_at, summary, reasoning, reviewed) "
                "VALUES ('c', '', '', '', 0)"
            )
        for event, name in ((1, "person"), (1, "dog"), (1, "dog"), (None, "cat")):
            database.execute_sql(
                "INSERT INTO detection (camera_id, event_id, detected_at, object_type, confidence)"
                " VALUES ('c', ?, '', ?, 0.93)",
                (event, name),
            )
    shutil.copy(PROJECT / "migrations/0002_filters.py", steps)
    migrations.forget()
    db.migrate()
    told = database.execute_sql("SELECT object_types FROM event ORDER BY id").fetchall()
    assert told == [(encode_types(["dog", "person"]),), ("",)]
    assert database.execute_sql("SELECT DISTINCT band FROM detection").fetchall() == [(18,)]


def test_a_silence_that_was_recorded_before_the_upgrade_is_not_recorded_again(environ, steps):
    """The monitor's earlier changes are taken from the audit log, where alone they were stored."""
    for step in STEPS[:7]:
        shutil.copy(step, steps)
    create_app(environ)
    db.migrate()
    with database.atomic():
        for camera in "ab":
            database.execute_sql(
                "INSERT INTO camera VALUES (?, 'c', 'c', 'offline', '', '2026')", camera
            )
        for camera, evidence in (*("aa", "bx"), "ab"):
            kind = {"a": "silence", "b": "upload", "x": "silence"}[evidence]
            database.execute_sql(
                "INSERT INTO audit_entry (timestamp, action, resource_type, resource_id, actor, "
                "details) VALUES ('', 'camera_status_changed', 'camera', ?, 'monitor', ?)",
                (camera, json.dumps({"evidence": kind, "last_seen_at": "2026"})),
            )
    shutil.copy(STEPS[7], steps)
    migrations.forget()
    db.migrate()
    told = {"silent_since": "2026", "folder_lost": False, "status_before": None}
    assert CameraEvidence.by_camera() == {"b": told}


def test_the_time_of_each_folder_is_taken_from_the_audit_log(environ, steps):
    """Files from before that time are not deleted; where the log was pruned, the time is later."""
    for step in STEPS[:9]:
        shutil.copy(step, steps)
    create_app(environ)
    db.migrate()
    folder, name = ({"changes": {field: {}}} for field in ("folder_path", "name"))
    entries = (
        ("moved", "camera_created", "2026-02", {}),
        ("moved", "camera_updated", "2026-03", folder),
        ("moved", "camera_updated", "2026-04", name),
        ("stayed", "camera_created", "2026-01", {}),
    )
    with database.atomic():
        for camera in ("moved", "stayed", "forgotten"):
            database.execute_sql(
                "INSERT INTO camera VALUES (?, 'c', 'c', 'online', '2025', NULL)", (camera,)
            )
        for camera, action, moment, details in entries:
            database.execute_sql(
                "INSERT INTO audit_entry (timestamp, action, resource_type, resource_id, actor, "
                "details) VALUES (?, ?, 'camera', ?, 'cli', ?)",
                (moment, action, camera, json.dumps(details)),
            )
        database.execute_sql(
            "INSERT INTO event (camera_id, started_at, summary, reasoning, reviewed) "
            "VALUES ('moved', '', '', '', 0)"
        )
    before = clock.rfc3339(clock.now())
    shutil.copy(STEPS[9], steps)
    migrations.forget()
    db.migrate()
    since = {camera: row["folder_since"] for camera, row in CameraRetention.by_camera().items()}
    assert since == {"moved": "2026-03", "stayed": "2026-01", "forgotten": "2026-01"}
    assert Event.find(id=1)["entered_at"] >= before


def test_migrating_again_writes_nothing(app, forgetful):
    before = contents()
    changes = effort.changes()
    db.migrate()
    assert contents() == before
    assert effort.changes() == changes


def test_a_newer_database_is_refused_and_its_unknown_migration_named(app, forgetful):
    database.execute_sql("INSERT INTO schema_migration VALUES (99, '0099_later', '2026-01-01')")
    before = contents()
    with pytest.raises(db.NewerDatabase, match=r"nvr\.db .*0099_later"):
        db.migrate()
    assert contents() == before


def test_a_newer_database_is_refused_also_while_migrations_are_pending(app, forgetful):
    database.execute_sql("UPDATE schema_migration SET name = '0099_later' WHERE id = 1")
    with pytest.raises(db.NewerDatabase):
        db.migrate()


@pytest.mark.slow
def test_several_processes_can_migrate_the_same_new_file_at_once(tmp_path):
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", MIGRATE],
                    cwd=PROJECT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(4)
        ]
        for turn in range(8):
            ask(workers, f"sqlite:///{tmp_path}/{turn}.db", ["ready"])
            ask(workers, "go", [" ".join(path.stem for path in STEPS), "(0,)"])


def ask(workers, line, answers):
    """Every worker gets ``line`` before the first one's ``answers`` are read."""
    for worker in workers:
        print(line, file=worker.stdin, flush=True)
    for worker in workers:
        assert [worker.stdout.readline().rstrip() for _ in answers] == answers


def test_a_migration_waits_for_a_process_that_creates_the_file(impatient, environ):
    create_app(environ)
    with files.exclusive_lock(database.path), pytest.raises(db.DatabaseBusy):
        db.migrate()
    db.migrate()
    assert Camera.listing() == []


def test_a_first_migration_that_fails_leaves_nothing_behind(environ, steps, tmp_path):
    (steps / "0001_fine.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE one (id INTEGER)')\n"
    )
    broken = steps / "0002_broken.py"
    broken.write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE two (id INTEGER)')\n    1 / 0\n"
    )
    create_app(environ)
    with pytest.raises(ZeroDivisionError):
        db.migrate()
    assert sorted(os.listdir(tmp_path)) == ["base", "nvr.db.lock", "steps"]
    broken.write_text(broken.read_text().replace("1 / 0", "pass"))
    db.migrate()
    assert database.get_tables() == ["one", "schema_migration", "two"]


def test_a_later_migration_that_fails_leaves_all_as_it_was(app, forgetful, steps):
    add_camera()
    for path in STEPS:
        shutil.copy(path, steps)
    broken = steps / f"{len(STEPS) + 1:04}_broken.py"
    broken.write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE two (id INTEGER)')\n    1 / 0\n"
    )
    with pytest.raises(ZeroDivisionError):
        db.migrate()
    assert "two" not in database.get_tables()
    assert Camera.select().count() == 1
    assert pragma("foreign_keys") == 1


def test_a_migration_that_rebuilds_a_table_deletes_no_other_rows(app, forgetful, steps):
    add_detection(add_camera())
    for path in STEPS:
        shutil.copy(path, steps)
    (steps / f"{len(STEPS) + 1:04}_anew.py").write_text(
        "def up(migrator, db):\n"
        "    db.execute_sql('CREATE TABLE anew AS SELECT * FROM camera')\n"
        "    db.execute_sql('DROP TABLE camera')\n"
        "    db.execute_sql('ALTER TABLE anew RENAME TO camera')\n"
    )
    db.migrate()
    assert (Camera.select().count(), Detection.select().count()) == (1, 1)
    assert pragma("foreign_keys") == 1


def test_a_connection_that_a_thread_still_uses_at_the_end_stays_open(app):
    answers, asked, closed = [], threading.Event(), threading.Event()

    def read():
        pragma("user_version")
        asked.set()
        closed.wait(30)
        answers.append(pragma("foreign_keys"))
        database.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert asked.wait(30)
    db.close_all(are_threads_over=False)
    closed.set()
    reader.join()
    assert answers == [1]
