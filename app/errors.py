"""Which problem does each exception become, and how is it sent?"""

import errno
import logging
from base64 import b64encode
from hashlib import sha256
from typing import Any

import orjson
import peewee
from flask import Flask, Response, g, render_template, request
from marshmallow.exceptions import SCHEMA
from werkzeug.exceptions import HTTPException

from . import db, models
from .access import headers
from .diagnostics import unassigned_folders
from .images import resize
from .layout import COMMAND
from .logs import without_tokens
from .notify import apprise_sender
from .pictures import keeping, pruning, reading, timeline
from .problems import CONTENT_TYPE, PROBLEMS, Problem
from .serialization import BadJson, TooManyMembers
from .services import settings, tokens
from .storage import clips, mount_threads, removal, safe_open, snapshots

log = logging.getLogger(__name__)

MANY_BUCKETS = (
    f"The period holds more than {timeline.MOST_BUCKETS}; give a shorter one, or longer buckets."
)
BAD_CURSOR = "Give next_cursor of the page before, with the same filters, or leave it out."


class ValidationFailed(Exception):
    """Values of a request are invalid: location → field → list of messages.

    ``unlisted``: how many more fields are invalid.
    """

    def __init__(self, errors: dict[str, dict[str, list[str]]], unlisted: int = 0) -> None:
        super().__init__(errors)
        self.errors = errors
        self.unlisted = unlisted


EXCEPTIONS: dict[type[Exception], str] = {
    BadJson: "malformed_json",
    ValidationFailed: "validation_failed",
    TooManyMembers: "validation_failed",
    models.ConflictError: "validation_failed",
    models.BadCursor: "validation_failed",
    timeline.TooManyBuckets: "validation_failed",
    safe_open.OutsideBase: "folder_outside_base",
    safe_open.OutsideFolder: "picture_outside_folder",
    safe_open.FolderNotFound: "folder_not_found",
    safe_open.StorageNotAnswering: "storage_not_answering",
    mount_threads.FolderBusy: "folder_busy",
    snapshots.NoSnapshot: "no_snapshot",
    reading.NoThumbnail: "no_thumbnail",
    keeping.PictureKept: "picture_kept",
    removal.NotDeletable: "picture_not_deletable",
    pruning.RetentionRunning: "retention_running",
    snapshots.PictureIncomplete: "picture_incomplete",
    clips.ClipChanged: "picture_incomplete",
    snapshots.PictureNotFound: "picture_not_found",
    snapshots.SnapshotTooOld: "snapshot_too_old",
    unassigned_folders.BaseMissing: "base_path_missing",
    settings.FixedByEnvironment: "fixed_by_environment",
    tokens.NoToken: "unauthorized",
    tokens.NotAllowed: "forbidden",
    headers.ForeignPage: "foreign_page",
    headers.UnknownHost: "unknown_host",
    resize.NotResizable: "picture_not_resizable",
    resize.NotInstalled: "resizing_not_installed",
    apprise_sender.NotInstalled: "notify_not_installed",
    db.DatabaseBusy: "database_busy",
    db.NewerDatabase: "database_unavailable",
    db.FolderNotMade: "database_unavailable",
    db.InvalidDatabaseFile: "database_unavailable",
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
# By `db.failure_of`.
DATABASE = {
    "busy": "database_busy",
    "full": "storage_full",
    "read_only": "database_read_only",
    "unavailable": "database_unavailable",
}
OPERATING_SYSTEM = {
    errno.EMFILE: "out_of_resources",
    errno.ENFILE: "out_of_resources",
    errno.ENOMEM: "out_of_resources",
    errno.ENOSPC: "storage_full",
}
TRY_AGAIN = [("Retry-After", "1")]
# Browsers ask for a password where the first challenge is Basic.
CHALLENGES = [
    ("WWW-Authenticate", 'Basic realm="NVR cameras", charset="UTF-8"'),
    ("WWW-Authenticate", 'Bearer realm="NVR cameras"'),
]
HEADERS = {
    "unauthorized": CHALLENGES,
    "database_busy": TRY_AGAIN,
    "folder_busy": TRY_AGAIN,
    "out_of_resources": TRY_AGAIN,
    "picture_incomplete": TRY_AGAIN,
    "storage_not_answering": [("Retry-After", "5")],
}

# The blueprints with pages; all others send problems as JSON only.
PAGES = ("web", "docs")
HTML = "text/html"
STYLE = (
    ":root{color-scheme:light dark;font:100%/1.5 system-ui,sans-serif;overflow-wrap:anywhere;"
    "background:light-dark(#f4f6f8,#12161a);color:light-dark(#14191f,#e8edf2)}"
    "body{max-inline-size:40rem;margin:12vh auto;padding:0 1rem}"
    "code{white-space:pre-wrap}"
    "a{color:light-dark(#0b5d8c,#7cc4f0);display:inline-block;padding:.65rem 1rem .65rem 0}"
)
STYLE_DIGEST = b64encode(sha256(STYLE.encode()).digest()).decode()
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Nobody reloads a kiosk screen by hand, so it tries again by itself.
AGAIN_SECONDS = 30


def init_app(app: Flask) -> None:
    """Let `respond` handle every exception, those of Flask and Werkzeug too."""
    app.register_error_handler(HTTPException, respond)
    app.register_error_handler(Exception, respond)


def respond(error: Exception) -> Response:
    """The response for ``error``; only the log says what an unforeseen error was."""
    problem = problem_of(error)
    g.problem = problem.code
    if problem.code in ("internal_error", "database_unavailable"):
        log.error("%s %s failed", request.method, request.path, exc_info=error)
    response = problem_response(problem, **_members(error))
    if isinstance(error, HTTPException):
        kept = {"Allow", "Content-Range"}
        response.headers.extend(h for h in error.get_headers() if h[0] in kept)
    return response


def problem_of(error: Exception) -> Problem:
    """The problem that stands for ``error``; ``internal_error`` where the table has none."""
    return PROBLEMS[_code(error)]


def problem_response(problem: Problem, **members: Any) -> Response:
    """``problem`` as ``application/problem+json``, or as a page where the client wants one."""
    body = problem.body(**members)
    if _wants_page():
        response = _page(problem, body["detail"])
    else:
        # A message may repeat a token that the client sent.
        shown = without_tokens(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE).decode())
        response = Response(shown, problem.status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend(HEADERS.get(problem.code, []))
    return response


def _code(error: Exception) -> str:
    if isinstance(error, models.NotFound):
        return f"{error.resource}_not_found"
    if isinstance(error, HTTPException):
        return STATUSES.get(error.code or 500, "internal_error")
    if isinstance(error, peewee.DatabaseError):
        return DATABASE[db.failure_of(error)]
    if isinstance(error, OSError) and error.errno in OPERATING_SYSTEM:
        return OPERATING_SYSTEM[error.errno]
    return EXCEPTIONS.get(type(error), "internal_error")


def _members(error: Exception) -> dict[str, Any]:
    """The members that ``error`` itself adds to its problem."""
    if isinstance(error, BadJson):
        return {"detail": f"The body is not one valid JSON document: {error}."}
    if isinstance(error, ValidationFailed):
        more = f"Some values cannot be used; errors lists all but {error.unlisted} of them."
        return {"detail": more if error.unlisted else "", "errors": error.errors}
    if isinstance(error, TooManyMembers):
        return {"errors": {"json": {SCHEMA: [f"Give at most {error.most} fields in all."]}}}
    if isinstance(error, models.ConflictError):
        return {"errors": {"json": error.fields}}
    if isinstance(error, models.BadCursor):
        return {"errors": {"query": {"cursor": [BAD_CURSOR]}}}
    if isinstance(error, timeline.TooManyBuckets):
        return {"errors": {"query": {"bucket": [MANY_BUCKETS]}}}
    if isinstance(error, settings.FixedByEnvironment):
        return {"detail": str(error)}
    if isinstance(error, snapshots.SnapshotTooOld):
        return {"age": error.age}
    return {}


def _wants_page() -> bool:
    """Whether the client prefers HTML to JSON, for a URL of a page."""
    if request.blueprint not in PAGES:
        return False
    return request.accept_mimetypes.best_match((CONTENT_TYPE, "application/json", HTML)) == HTML


def _page(problem: Problem, detail: str) -> Response:
    """The problem as a page, which loads no other file: the problem may concern files too."""
    is_trouble = problem.status >= 500
    again = AGAIN_SECONDS if is_trouble and request.args.get("kiosk") == "1" else None
    values = {"problem": problem, "detail": detail, "is_trouble": is_trouble, "again": again}
    text = render_template("problem.html", style=STYLE, command=COMMAND, **values)
    response = Response(text, problem.status, {"Content-Security-Policy": PAGE_POLICY})
    if again:
        response.headers["Refresh"] = str(again)
    return response
