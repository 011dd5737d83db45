"""Does each health check notice what the test breaks, and say what to do about it?"""

import os
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import create_app, db
from app.db import files, migrations
from app.services import health
from app.services.health import DEGRADED, HEALTHY, UNHEALTHY, Pulse, ServerPulse
from app.storage.filesystems import Mount
from app.storage.folders import Folders
from app.storage.mount_threads import StorageThreads
from tests import effort

WELL = Pulse(seconds_since_tick=0.5, leads=True)


@pytest.fixture
def path(app):
    """The database file."""
    return Path(app.config["NVR_DATABASE_URL"])


def test_a_database_that_can_be_written_is_healthy(app):
    assert health.check_database() == (HEALTHY, "The database can be written.")


@pytest.fixture
def seen(app, client, monkeypatch):
    """Returns the response of a service whose monitor works."""
    monkeypatch.setattr(app.extensions["monitor"], "pulse", lambda: WELL)
    return lambda: client.get("/api/system/health").get_json()


def test_the_checks_write_nothing_to_the_disk(seen, path):
    health.check_database()
    files = [path, Path(f"{path}-wal")]
    before = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    changes = effort.changes()
    for _ in range(3):
        seen()
    assert [(file.stat().st_mtime_ns, file.stat().st_size) for file in files] == before
    assert effort.changes() == changes


def read_only(path, monkeypatch):
    monkeypatch.setattr(files, "is_read_only", lambda _: True)


def query_only(path, _):
    effort.writer_connection().execute("PRAGMA query_only = 1")


def a_directory(path, _):
    path.unlink()
    path.mkdir()


def no_database(path, _):
    path.write_bytes(b"this is no database, " * 1000)


def without_its_tables(path, _):
    path.unlink()
    sqlite3.connect(path).close()


@pytest.mark.parametrize(
    "breaks", [read_only, query_only, a_directory, no_database, without_its_tables]
)
def test_a_database_that_cannot_be_written_is_unhealthy(app, environ, path, breaks, monkeypatch):
    if breaks is not query_only:
        db.close_all()
    breaks(path, monkeypatch)
    if breaks is not query_only:
        create_app(environ)
    check = health.check_database()
    assert check.status == UNHEALTHY
    assert check.message.startswith("The database cannot be written. ")
    assert str(path) not in check.message


def test_a_folder_of_the_database_that_cannot_be_made_is_unhealthy(app, path, monkeypatch):
    migrations.forget()
    db.database.close()
    db.database.init("/dev/null/nvr.db")
    assert health.check_database().status == UNHEALTHY


def test_a_database_of_a_newer_version_is_unhealthy(app, monkeypatch):
    db.database.execute_sql("UPDATE schema_migration SET name = '9999_future' WHERE id = 1")
    migrations.forget()
    assert health.check_database().status == UNHEALTHY


def test_a_database_that_is_held_for_long_is_degraded(app):
    with db.database.atomic("IMMEDIATE"):
        assert health.check_database().status == DEGRADED


def test_a_base_path_that_is_missing_or_a_file_is_unhealthy(app, base):
    assert health.check_base_path(str(base), StorageThreads()).status == HEALTHY
    base.rmdir()
    missing = health.check_base_path(str(base), StorageThreads())
    base.write_text("a file")
    for check in (missing, health.check_base_path(str(base), StorageThreads())):
        assert check.status == UNHEALTHY
        assert str(base) not in check.message


def test_little_free_space_is_degraded_with_the_number_of_mebibytes(base, monkeypatch):
    block = 4096
    for free, status in (
        (health.LITTLE_SPACE, HEALTHY),
        (health.LITTLE_SPACE - block, DEGRADED),
    ):
        fields = list(os.statvfs(base))
        fields[1], fields[4] = block, free // block
        monkeypatch.setattr(os, "statvfs", lambda _, fields=fields: os.statvfs_result(fields))
        check = health.check_storage(str(base), StorageThreads())
        assert (check.status, f"{free // 2**20} MiB" in check.message) == (status, True)


@pytest.mark.parametrize(
    ("free_mib", "days_left", "has_limit", "status"),
    [
        (300, 3.0, True, HEALTHY),
        (300, None, True, HEALTHY),
        (10_000, 2.9, True, DEGRADED),
        (10_000, 2.9, False, DEGRADED),
        (255, 400.0, True, DEGRADED),
        (255, None, True, DEGRADED),
        (4_900, None, False, DEGRADED),
        (4_900, 3.1, False, HEALTHY),
        (5_100, None, False, HEALTHY),
    ],
)
def test_the_check_of_storage_uses_the_days_left_or_else_the_free_share(
    base, monkeypatch, free_mib, days_left, has_limit, status
):
    fields = list(os.statvfs(base))
    fields[0:5] = [2**20, 2**20, 100_000, free_mib, free_mib]
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    room = health.Room(days_left, has_limit)
    check = health.check_storage(str(base), StorageThreads(), lambda: room)
    assert check.status == status
    assert ("keep_days" in check.message) == (status == DEGRADED)


def test_free_space_is_unknown_without_the_base_path(base):
    shutil.rmtree(base)
    assert health.check_storage(str(base), StorageThreads()).status == DEGRADED


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ((HEALTHY, HEALTHY, HEALTHY), HEALTHY),
        ((HEALTHY, HEALTHY, DEGRADED), DEGRADED),
        ((UNHEALTHY, HEALTHY, DEGRADED), UNHEALTHY),
        ((HEALTHY, UNHEALTHY, HEALTHY), UNHEALTHY),
    ],
)
def test_the_overall_status_is_the_worst_of_the_checks(seen, monkeypatch, statuses, worst):
    parts = ("database", "base_path", "storage")
    for part, status in zip(parts, statuses, strict=True):
        check = health.Check(status, "why")
        monkeypatch.setattr(health, f"check_{part}", lambda *_, check=check: check)
    body = seen()
    others = ["storage_answering", "watcher", "clock", "deliveries", "retention"]
    assert body["status"] == worst
    assert list(body["checks"]) == [*parts, *others]
    assert body["checks"]["storage"] == {"status": statuses[2], "message": "why"}


def test_storage_that_does_not_answer_is_degraded_and_named():
    assert health.check_storage_answering([]).status == HEALTHY
    check = health.check_storage_answering(["/export/nas", "/export/usb"])
    assert check.status == DEGRADED
    assert "does not answer: /export/nas, /export/usb." in check.message


def test_a_loop_that_fails_and_storage_that_hangs_show_in_health(app, seen, monkeypatch):
    loop = SimpleNamespace(pulse=lambda: ServerPulse(answers=False))
    monkeypatch.setitem(app.extensions, "event_loop", loop)
    nas = Mount(2, 1, "/export/nas", "nfs4")
    monkeypatch.setattr(app.extensions["folders"].threads, "not_answering", lambda: [nas])
    checks = seen()["checks"]
    assert "no worker thread answers" in checks["watcher"]["message"]
    assert checks["watcher"]["status"] == checks["storage_answering"]["status"] == DEGRADED
    assert "/export/nas (nfs4)" in checks["storage_answering"]["message"]


def test_folders_that_are_not_watched_are_degraded_with_the_reasons(monkeypatch):
    folders = Folders(1)
    assert health.check_watcher(folders).status == "healthy"
    monkeypatch.setattr(folders, "polling", lambda: ["the folder lies on NFS"] * 2)
    check = health.check_watcher(folders)
    assert check.status == "degraded"
    assert (
        check.message
        == "Folders that are read again and again instead of watched: 2 (the folder lies on NFS)."
    )


def test_watching_that_is_switched_off_is_reported_and_is_no_fault():
    check = health.check_watcher(Folders(1, watch=False))
    assert check == (HEALTHY, "NVR_WATCH=off: the folders are read instead of watched.")


@pytest.mark.parametrize(
    ("pulse", "status", "words"),
    [
        (WELL, HEALTHY, "The monitor checks the uploads"),
        (WELL._replace(failures=3), HEALTHY, "It has failed 3 times since the start."),
        (WELL._replace(leads=False), HEALTHY, "Another process on this database monitors"),
        (Pulse(), DEGRADED, "No process monitors the uploads"),
        (
            WELL._replace(seconds_since_tick=61.5),
            DEGRADED,
            "has not finished its round for 61 seconds",
        ),
        (WELL._replace(faulty=True, failures=7), DEGRADED, "The monitor fails; 7 failures"),
        (WELL._replace(failing=2, failures=9), DEGRADED, "fails for 2 of the cameras; 9 failures"),
    ],
)
def test_a_monitor_that_does_not_work_is_degraded_with_the_reason(app, pulse, status, words):
    check = health.check_monitor(pulse)
    assert (check.status, words in check.message) == (status, True), check.message


def test_a_process_without_a_monitor_is_healthy_while_another_one_monitors(app, path):
    before = sorted(path.parent.iterdir())
    assert health.check_monitor(Pulse()).status == DEGRADED
    assert sorted(path.parent.iterdir()) == before
    lead = db.acquire_leader_lock()
    assert health.check_monitor(Pulse()) == (
        HEALTHY,
        "Another process on this database monitors the uploads.",
    )
    os.close(lead)
    assert health.check_monitor(Pulse()).status == DEGRADED
    again = db.acquire_leader_lock()
    assert again is not None
    os.close(again)


def test_combined_checks_have_the_worse_status_and_both_sentences():
    polled, well = health.Check(DEGRADED, "Polled."), health.Check(HEALTHY, "Well.")
    assert health.combine(polled, well) == (DEGRADED, "Polled. Well.")
    assert health.combine(well, well).status == HEALTHY


@pytest.mark.parametrize(
    ("pulse", "status", "message"),
    [
        (ServerPulse(), HEALTHY, "Requests are answered."),
        (ServerPulse(answers=False), DEGRADED, "no worker thread answers"),
        (ServerPulse(failures=3, seconds_since_failure=9), DEGRADED, "failed 3 times"),
        (ServerPulse(failures=3, seconds_since_failure=9999), HEALTHY, "failed 3 times"),
    ],
)
def test_a_failure_of_the_event_loop_is_degraded_for_a_while(pulse, status, message):
    check = health.check_server(pulse)
    assert check.status == status
    assert message in check.message


@pytest.mark.parametrize(
    ("days_left", "text"),
    [(28.04, "enough for 28.0 days"), (4e9, "enough for more than 10 years")],
)
def test_a_very_large_number_of_days_is_not_named(base, days_left, text):
    room = health.Room(days_left, has_limit=True)
    message = health.check_storage(str(base), StorageThreads(), lambda: room).message
    assert text in message
