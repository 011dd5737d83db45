"""Which exception is which problem? One table of problems, one responder (RFC 9457)."""

import errno
import logging
import sqlite3
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import peewee
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from app import containment, db, listings, models, snapshots
from app.strict_json import BadJson

log = logging.getLogger(__name__)

BAD_CURSOR = "Give next_cursor of the page before, with the same filters, or leave it out."
CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of the table: the stable word, its status, and a sentence that helps."""

    code: str
    status: int
    detail: str

    def body(self, detail: str = "", **members: Any) -> dict[str, Any]:
        """The members of RFC 9457, then ``code`` and what this problem adds."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": detail or self.detail,
            "code": self.code,
            **members,
        }


PROBLEMS = {
    problem.code: problem
    for problem in (
        Problem("bad_request", 400, "The request is not valid HTTP."),
        Problem("malformed_json", 400, "The body is not one valid JSON document."),
        Problem(
            "folder_outside_base",
            403,
            "The camera's folder_path is not inside the configured base path, or a link stands on "
            "the way to it. Change folder_path to a folder inside the base path.",
        ),
        Problem(
            "picture_outside_folder",
            403,
            "The detection's file_path is not inside its camera's folder, or a link stands on the "
            "way to it.",
        ),
        Problem("not_found", 404, "There is nothing at this URL. /docs lists what there is."),
        Problem("camera_not_found", 404, "There is no camera with this id."),
        Problem("detection_not_found", 404, "There is no detection with this id."),
        Problem("event_not_found", 404, "There is no event with this id."),
        Problem("audit_entry_not_found", 404, "There is no audit entry with this id."),
        Problem(
            "picture_not_found",
            404,
            "The detection names no picture, or the picture is gone from the camera's folder.",
        ),
        Problem(
            "folder_not_found",
            404,
            "The camera's folder does not exist or may not be read. Create it, or let the camera "
            "upload once.",
        ),
        Problem(
            "no_snapshot",
            404,
            "The camera's folder holds no picture yet. Let the camera upload one (.jpg, .jpeg, "
            ".png or .gif).",
        ),
        Problem(
            "snapshot_too_old",
            404,
            "The newest picture is older than max_age. Check that the camera still uploads.",
        ),
        Problem(
            "method_not_allowed",
            405,
            "This URL does not know the method. The Allow header lists those that it knows.",
        ),
        Problem("precondition_failed", 412, "The resource is not the one that If-Match names."),
        Problem("payload_too_large", 413, "The body is larger than this service takes."),
        Problem("uri_too_long", 414, "The URL is longer than this service takes."),
        Problem(
            "unsupported_media_type",
            415,
            "Send the body as JSON in UTF-8, with Content-Type: application/json and without a "
            "Content-Encoding.",
        ),
        Problem("range_not_satisfiable", 416, "The Range begins beyond the end of the picture."),
        Problem("validation_failed", 422, "Some values cannot be used; errors lists every one."),
        Problem("headers_too_large", 431, "The headers are larger than this service takes."),
        Problem(
            "internal_error", 500, "The service failed; its log says how. Nothing was changed."
        ),
        Problem(
            "database_busy", 503, "Another program holds the database. Try again in a moment."
        ),
        Problem(
            "database_read_only",
            503,
            "The database cannot be written. Check the rights of its file and folder.",
        ),
        Problem(
            "database_unavailable",
            503,
            "The database cannot be used. The service's log says why.",
        ),
        Problem(
            "out_of_resources",
            503,
            "The service has no file descriptors or memory left. Try again in a moment.",
        ),
        Problem("storage_full", 507, "The disk is full, nothing was stored. Free some space."),
    )
}


class ValidationFailed(Exception):
    """Values of a request that cannot be used: location → field → list of messages."""

    def __init__(self, errors: dict[str, dict[str, list[str]]]) -> None:
        super().__init__(errors)
        self.errors = errors


EXCEPTIONS: dict[type[Exception], str] = {
    BadJson: "malformed_json",
    ValidationFailed: "validation_failed",
    models.Refused: "validation_failed",
    listings.BadCursor: "validation_failed",
    containment.OutsideBase: "folder_outside_base",
    containment.OutsideFolder: "picture_outside_folder",
    containment.FolderNotFound: "folder_not_found",
    snapshots.NoSnapshot: "no_snapshot",
    snapshots.PictureNotFound: "picture_not_found",
    snapshots.SnapshotTooOld: "snapshot_too_old",
    db.DatabaseBusy: "database_busy",
    db.NewerDatabase: "database_unavailable",
    MemoryError: "out_of_resources",
}
STATUSES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    412: "precondition_failed",
    413: "payload_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    431: "headers_too_large",
}
# Primary result codes (sqlite.org/rescode.html).
SQLITE = {
    sqlite3.SQLITE_BUSY: "database_busy",
    sqlite3.SQLITE_LOCKED: "database_busy",
    sqlite3.SQLITE_FULL: "storage_full",
    sqlite3.SQLITE_READONLY: "database_read_only",
}
OPERATING_SYSTEM = {
    errno.EMFILE: "out_of_resources",
    errno.ENFILE: "out_of_resources",
    errno.ENOMEM: "out_of_resources",
    errno.ENOSPC: "storage_full",
}
RETRY_AFTER_SECONDS = {"database_busy": "1", "out_of_resources": "1"}


def init_app(app: Flask) -> None:
    """Answer every exception of the app from the table, Flask's own included."""
    app.register_error_handler(HTTPException, respond)
    app.register_error_handler(Exception, respond)


def respond(error: Exception) -> Response:
    """The one answer to an exception; what nobody foresaw is logged and says nothing."""
    problem = PROBLEMS[_code(error)]
    if problem.code in ("internal_error", "database_unavailable"):
        log.error("%s %s failed", request.method, request.path, exc_info=error)
    response = problem_response(problem, **_members(error))
    if isinstance(error, HTTPException):
        kept = {"Allow", "Content-Range"}
        response.headers.extend(h for h in error.get_headers() if h[0] in kept)
    return response


def problem_response(problem: Problem, **members: Any) -> Response:
    """``problem`` as a response of its own media type that no cache keeps."""
    body = orjson.dumps(problem.body(**members), option=orjson.OPT_APPEND_NEWLINE)
    response = Response(body, problem.status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if problem.code in RETRY_AFTER_SECONDS:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS[problem.code]
    return response


def _code(error: Exception) -> str:
    if isinstance(error, models.NotFound):
        return f"{error.resource}_not_found"
    if isinstance(error, HTTPException):
        return STATUSES.get(error.code or 500, "internal_error")
    if isinstance(error, peewee.DatabaseError):
        return _sqlite_code(error)
    if isinstance(error, OSError) and error.errno in OPERATING_SYSTEM:
        return OPERATING_SYSTEM[error.errno]
    return EXCEPTIONS.get(type(error), "internal_error")


def _sqlite_code(error: Exception | None) -> str:
    """By the first of the chained exceptions that SQLite gave a result code."""
    while error is not None:
        result = getattr(error, "sqlite_errorcode", None)
        if result is not None:
            return SQLITE.get(result & 0xFF, "database_unavailable")
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "database_unavailable"


def _members(error: Exception) -> dict[str, Any]:
    """What this one problem adds to its row of the table."""
    if isinstance(error, BadJson):
        return {"detail": f"The body is not one valid JSON document: {error}."}
    if isinstance(error, ValidationFailed):
        return {"errors": error.errors}
    if isinstance(error, models.Refused):
        return {"errors": {"json": error.fields}}
    if isinstance(error, listings.BadCursor):
        return {"errors": {"query": {"cursor": [BAD_CURSOR]}}}
    if isinstance(error, snapshots.SnapshotTooOld):
        return {"age": error.age}
    return {}
