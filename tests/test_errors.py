"""Does every exception become its own problem, and is nothing of an unforeseen one shown?"""

import errno
import logging
import sqlite3
from http import HTTPStatus

import peewee
import pytest
from werkzeug import exceptions

from app import db, errors
from app.access import headers
from app.db import connection, writer
from app.diagnostics import unassigned_folders
from app.errors import ValidationFailed
from app.images import resize
from app.models import BadCursor, ConflictError, NotFound
from app.notify import apprise_sender
from app.pictures import keeping, pruning, reading, timeline
from app.problems import PROBLEMS
from app.serialization import BadJson, TooManyMembers
from app.services import tokens
from app.services.settings import FixedByEnvironment
from app.storage import clips, removal, safe_open, snapshots
from app.storage.mount_threads import FolderBusy
from tests import effort
from tests.problems import assert_problem
from tests.rows import entries_of

SECRET = "SELECT secret FROM /etc/shadow"
FORESEEN = [
    (BadJson("it is not"), 400, "malformed_json"),
    (ValidationFailed({"json": {"name": ["No."]}}), 422, "validation_failed"),
    (TooManyMembers(9), 422, "validation_failed"),
    (safe_open.OutsideBase(SECRET), 403, "folder_outside_base"),
    (safe_open.FolderNotFound(SECRET), 404, "folder_not_found"),
    (safe_open.OutsideFolder(SECRET), 403, "picture_outside_folder"),
    (snapshots.PictureNotFound(SECRET), 404, "picture_not_found"),
    (ConflictError({"camera_id": ["No."]}), 422, "validation_failed"),
    (BadCursor(SECRET), 422, "validation_failed"),
    (snapshots.NoSnapshot(SECRET), 404, "no_snapshot"),
    (reading.NoThumbnail(SECRET), 404, "no_thumbnail"),
    (keeping.PictureKept(SECRET), 409, "picture_kept"),
    (removal.NotDeletable(SECRET), 403, "picture_not_deletable"),
    (pruning.RetentionRunning(SECRET), 409, "retention_running"),
    (timeline.TooManyBuckets(SECRET), 422, "validation_failed"),
    (snapshots.PictureIncomplete(SECRET), 503, "picture_incomplete"),
    (clips.ClipChanged(SECRET), 503, "picture_incomplete"),
    (snapshots.SnapshotTooOld(7), 404, "snapshot_too_old"),
    (resize.NotResizable(SECRET), 422, "picture_not_resizable"),
    (resize.NotInstalled(SECRET), 501, "resizing_not_installed"),
    (apprise_sender.NotInstalled(SECRET), 501, "notify_not_installed"),
    (NotFound("camera"), 404, "camera_not_found"),
    (unassigned_folders.BaseMissing(SECRET), 503, "base_path_missing"),
    (tokens.NoToken(SECRET), 401, "unauthorized"),
    (tokens.NotAllowed(SECRET), 403, "forbidden"),
    (headers.ForeignPage(SECRET), 403, "foreign_page"),
    (headers.UnknownHost(SECRET), 421, "unknown_host"),
    (FixedByEnvironment([]), 409, "fixed_by_environment"),
    (db.DatabaseBusy(SECRET), 503, "database_busy"),
    (FolderBusy(SECRET), 503, "folder_busy"),
    (safe_open.StorageNotAnswering(SECRET), 503, "storage_not_answering"),
    (db.NewerDatabase(SECRET), 503, "database_unavailable"),
    (db.FolderNotMade(errno.EACCES, SECRET), 503, "database_unavailable"),
    (db.InvalidDatabaseFile(SECRET, SECRET), 503, "database_unavailable"),
    (MemoryError(SECRET), 503, "out_of_resources"),
    (OSError(errno.EMFILE, SECRET), 503, "out_of_resources"),
    (OSError(errno.ENFILE, SECRET), 503, "out_of_resources"),
    (OSError(errno.ENOMEM, SECRET), 503, "out_of_resources"),
    (OSError(errno.ENOSPC, SECRET), 507, "storage_full"),
    (exceptions.BadRequest(SECRET), 400, "bad_request"),
    (exceptions.NotFound(SECRET), 404, "not_found"),
    (exceptions.MethodNotAllowed(["GET"]), 405, "method_not_allowed"),
    (exceptions.PreconditionFailed(SECRET), 412, "precondition_failed"),
    (exceptions.RequestEntityTooLarge(SECRET), 413, "payload_too_large"),
    (exceptions.RequestURITooLarge(SECRET), 414, "uri_too_long"),
    (exceptions.UnsupportedMediaType(SECRET), 415, "unsupported_media_type"),
    (exceptions.RequestedRangeNotSatisfiable(7), 416, "range_not_satisfiable"),
    (exceptions.RequestHeaderFieldsTooLarge(SECRET), 431, "headers_too_large"),
]
UNFORESEEN = [
    ValueError(SECRET),
    KeyError(SECRET),
    RecursionError(SECRET),
    UnicodeEncodeError("utf-8", SECRET, 0, 1, SECRET),
    OSError(errno.EIO, SECRET),
    OSError(SECRET),
    safe_open.FileNotReadable(SECRET),
    exceptions.InternalServerError(SECRET),
    exceptions.NotImplemented(SECRET),
    exceptions.ImATeapot(SECRET),
]
RESULTS = [
    (sqlite3.SQLITE_BUSY, 503, "database_busy"),
    (sqlite3.SQLITE_BUSY_SNAPSHOT, 503, "database_busy"),
    (sqlite3.SQLITE_BUSY_RECOVERY, 503, "database_busy"),
    (sqlite3.SQLITE_LOCKED, 503, "database_busy"),
    (sqlite3.SQLITE_LOCKED_SHAREDCACHE, 503, "database_busy"),
    (sqlite3.SQLITE_FULL, 507, "storage_full"),
    (sqlite3.SQLITE_READONLY, 503, "database_read_only"),
    (sqlite3.SQLITE_READONLY_DBMOVED, 503, "database_read_only"),
    (sqlite3.SQLITE_READONLY_DIRECTORY, 503, "database_read_only"),
    (sqlite3.SQLITE_IOERR, 503, "database_unavailable"),
    (sqlite3.SQLITE_IOERR_FSYNC, 503, "database_unavailable"),
    (sqlite3.SQLITE_CANTOPEN, 503, "database_unavailable"),
    (sqlite3.SQLITE_CORRUPT, 503, "database_unavailable"),
    (sqlite3.SQLITE_NOTADB, 503, "database_unavailable"),
]


@pytest.fixture
def raising(app):
    """The answer to a request whose view raises this."""
    error = None

    def view():
        raise error

    app.add_url_rule("/raising", view_func=view)

    def answer(what):
        nonlocal error
        error = what
        return app.test_client().get("/raising")

    return answer


def from_sqlite(result, chain="cause"):
    """What peewee raises when SQLite answers ``result``."""
    inner, outer = sqlite3.OperationalError(SECRET), peewee.OperationalError(SECRET)
    inner.sqlite_errorcode = result
    if chain == "cause":
        outer.__cause__ = inner
    else:
        outer.__context__ = inner
    return outer


def test_every_foreseen_exception_is_its_problem(raising, caplog, subtests):
    for error, status, code in FORESEEN:
        with subtests.test(code=code, error=type(error).__name__):
            problem = assert_problem(raising(error), status, code)
            assert "secret" not in str(problem)
            logged = [record for record in caplog.records if record.exc_info]
            assert bool(logged) == (code == "database_unavailable")
            caplog.clear()


def test_every_exception_and_status_of_the_tables_is_tried():
    tried = {type(error) for error, *_ in FORESEEN}
    assert set(errors.EXCEPTIONS) <= tried
    statuses = {
        error.code for error, *_ in FORESEEN if isinstance(error, exceptions.HTTPException)
    }
    assert set(errors.STATUSES) == statuses
    numbers = {error.errno for error, *_ in FORESEEN if type(error) is OSError}
    assert set(errors.OPERATING_SYSTEM) == numbers
    assert set(connection.FAILURES) <= {result for result, *_ in RESULTS}


def test_an_unforeseen_exception_is_logged_and_not_shown(raising, caplog, subtests):
    for error in UNFORESEEN:
        with subtests.test(error=repr(error)):
            problem = assert_problem(raising(error), 500, "internal_error")
            assert problem["detail"] == PROBLEMS["internal_error"].detail
            (record,) = caplog.records
            assert (record.name, record.levelno) == ("app.errors", logging.ERROR)
            assert record.getMessage() == "GET /raising failed"
            assert record.exc_info[1] is error
            caplog.clear()


@pytest.mark.parametrize("chain", ["cause", "context"])
def test_each_result_code_of_sqlite_has_its_problem(raising, caplog, subtests, chain):
    for result, status, code in RESULTS:
        with subtests.test(result=result):
            problem = assert_problem(raising(from_sqlite(result, chain)), status, code)
            assert "secret" not in str(problem)
            assert bool(caplog.records) == (code == "database_unavailable")
            caplog.clear()


@pytest.mark.parametrize("error", [peewee.OperationalError(SECRET), peewee.DataError(SECRET)])
def test_a_database_error_without_a_result_code_is_logged(raising, caplog, error):
    assert_problem(raising(error), 503, "database_unavailable")
    assert caplog.records[0].exc_info[1] is error


@pytest.mark.parametrize(
    ("pragma", "undo", "status", "code"),
    [
        ("query_only = 1", "query_only = 0", 503, "database_read_only"),
        ("max_page_count = 1", "max_page_count = 1000000", 507, "storage_full"),
    ],
)
def test_a_database_that_cannot_be_written_says_why_and_works_again(
    client, camera, pragma, undo, status, code
):
    url, changed = f"/api/cameras/{camera['id']}", {"name": "é" * 255, "folder_path": "é" * 500}
    connection = effort.writer_connection()
    connection.execute(f"PRAGMA {pragma}")
    while (answer := client.patch(url, json=changed)).status_code == 200:
        changed["name"] = changed["name"][:-1]
    assert_problem(answer, status, code)
    stored = client.get(url).get_json()
    assert stored["name"] != changed["name"]
    connection.execute(f"PRAGMA {undo}")
    assert client.patch(url, json=changed).status_code == 200
    entries = [entry["resource_name"] for entry in entries_of(camera["id"])]
    assert entries[-1] == changed["name"]
    assert len(entries) == len(set(entries))


def test_a_database_that_another_program_holds_is_busy(client, environ, monkeypatch):
    client.get("/api/cameras")
    monkeypatch.setattr(writer, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(environ["NVR_DATABASE_URL"].removeprefix("sqlite:///"))
    other.execute("BEGIN IMMEDIATE")
    answer = client.post("/api/cameras", json={"name": "a", "folder_path": "b"})
    assert_problem(answer, 503, "database_busy")
    assert client.get("/api/cameras").get_json()["count"] == 0
    other.close()


def test_some_problems_have_members_of_their_own(raising):
    missing = raising(NotFound("camera"))
    assert "Retry-After" not in missing.headers
    too_old = raising(snapshots.SnapshotTooOld(7))
    assert_problem(too_old, 404, "snapshot_too_old", age=7)
    fields = {"json": {"name": ["No."]}, "query": {"x": ["Unknown field."]}}
    refused = raising(ValidationFailed(fields))
    assert_problem(refused, 422, "validation_failed", errors=fields)
    malformed = assert_problem(raising(BadJson("it ends early")), 400, "malformed_json")
    assert malformed["detail"].endswith("valid JSON document: it ends early.")


@pytest.mark.parametrize("error", [db.DatabaseBusy(), OSError(errno.EMFILE, ""), MemoryError()])
def test_a_passing_problem_has_a_retry_after_header(raising, error):
    assert raising(error).headers["Retry-After"] == "1"


def test_only_these_headers_of_an_exception_are_kept(raising):
    wrong = raising(exceptions.MethodNotAllowed(["GET", "PATCH"]))
    assert wrong.headers["Allow"] == "GET, PATCH"
    beyond = raising(exceptions.RequestedRangeNotSatisfiable(7))
    assert beyond.headers["Content-Range"] == "bytes */7"
    slow = raising(exceptions.ServiceUnavailable(retry_after=99))
    assert "Retry-After" not in slow.headers
    for answer in (wrong, beyond, slow):
        assert answer.content_length == len(answer.data)


def test_every_problem_has_an_http_status_a_code_and_a_sentence():
    for code, problem in PROBLEMS.items():
        assert code == problem.code == code.lower()
        assert code.replace("_", "").isalpha()
        assert HTTPStatus(problem.status) >= 400
        assert problem.detail[0].isupper()
        assert problem.detail.endswith(".")


def test_every_code_of_the_tables_is_a_problem():
    for table in (errors.EXCEPTIONS, errors.STATUSES, errors.DATABASE, errors.OPERATING_SYSTEM):
        assert set(table.values()) <= set(PROBLEMS)
    assert set(errors.HEADERS) <= set(PROBLEMS)
    assert all(PROBLEMS[code].status == status for status, code in errors.STATUSES.items())
