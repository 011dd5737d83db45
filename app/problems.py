"""Which problems can a response report? One table, in the terms of RFC 9457."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A row: a stable code for programs, its HTTP status, and a sentence for people."""

    code: str
    status: int
    detail: str

    def body(self, detail: str = "", **members: Any) -> dict[str, Any]:
        """The members of RFC 9457, then ``code`` and the ``members`` of this one problem."""
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
            "unauthorized",
            401,
            "The request shows no token, or one that is not known. Send a token of this "
            "service as Authorization: Bearer, or as the password of HTTP Basic.",
        ),
        Problem("forbidden", 403, "This token may only read; changes need one that may write."),
        Problem(
            "foreign_page",
            403,
            "A page of another origin must not change anything here (Origin, Sec-Fetch-Site).",
        ),
        Problem(
            "folder_outside_base",
            403,
            "The camera's folder_path is not inside the configured base path, or the way to "
            "it leads through a link. Change folder_path to a folder inside the base path.",
        ),
        Problem(
            "picture_outside_folder",
            403,
            "The detection's file_path is not inside its camera's folder, or the way to it "
            "leads through a link.",
        ),
        Problem(
            "not_found",
            404,
            "There is nothing at this URL. The page /docs lists what there is.",
        ),
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
            "The camera's folder does not exist or cannot be read. Create it, or let the "
            "camera upload once.",
        ),
        Problem(
            "no_snapshot",
            404,
            "The camera's folder holds no picture yet. Let the camera upload one (.jpg, "
            ".jpeg, .png or .gif).",
        ),
        Problem(
            "snapshot_too_old",
            404,
            "The newest picture is older than max_age. Check that the camera still uploads.",
        ),
        Problem(
            "method_not_allowed",
            405,
            "This URL does not support the method. The Allow header lists the methods that it"
            " supports.",
        ),
        Problem(
            "fixed_by_environment",
            409,
            "The service's environment sets this, so it cannot be changed here. Remove the "
            "variable from the environment, or leave the setting out.",
        ),
        Problem(
            "precondition_failed",
            412,
            "The resource has changed: none of the tags in If-Match is its ETag.",
        ),
        Problem("payload_too_large", 413, "The body is larger than this service takes."),
        Problem("uri_too_long", 414, "The URL is longer than this service takes."),
        Problem(
            "unsupported_media_type",
            415,
            "Send the body as JSON in UTF-8, with Content-Type: application/json and without "
            "a Content-Encoding.",
        ),
        Problem("range_not_satisfiable", 416, "The Range begins beyond the end of the picture."),
        Problem(
            "unknown_host",
            421,
            "The Host header names another host. Ask for this service by its address or its "
            "host name, or add the name to NVR_TRUSTED_HOSTS.",
        ),
        Problem("validation_failed", 422, "Some values cannot be used; errors lists every one."),
        Problem(
            "picture_not_resizable",
            422,
            "The picture cannot be decoded, or would take too much memory. Ask for it as it is, "
            "without width and height.",
        ),
        Problem(
            "headers_too_large",
            431,
            "A header is longer than this service takes, or all of them together are.",
        ),
        Problem(
            "internal_error",
            500,
            "The service failed; its log says how. Nothing was changed.",
        ),
        Problem(
            "resizing_not_installed",
            501,
            "This service cannot make pictures smaller. In its folder, run .venv/bin/python "
            "-m pip install -e '.[images]', or ask without width and height.",
        ),
        Problem(
            "base_path_missing",
            503,
            "The base path of the uploads does not exist or cannot be read. Create or mount "
            "it, and let the service's user read it.",
        ),
        Problem("database_busy", 503, "Another writer holds the database. Try again in a moment."),
        Problem(
            "folder_busy",
            503,
            "Other requests about this folder take long, and more of them would keep the "
            "others waiting. Try again in a moment.",
        ),
        Problem(
            "storage_not_answering",
            503,
            "The disk or network share that the camera's folder lies on does not answer. Check "
            "it, its network and its server; pictures show again as soon as it answers.",
        ),
        Problem(
            "picture_incomplete",
            503,
            "The camera's only pictures are still being uploaded. Try again in a moment.",
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
