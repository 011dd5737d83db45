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


# Status → code → detail.
TABLE = {
    400: {
        "bad_request": "The request is not valid HTTP.",
        "malformed_json": "The body is not one valid JSON document.",
    },
    401: {
        "unauthorized": "The request shows no token, or one that is not known. Send a token of "
        "this service as Authorization: Bearer, or as the password of HTTP Basic.",
    },
    403: {
        "forbidden": "This token may only read; changes need one that may write.",
        "foreign_page": "A page of another origin must not change anything here (Origin, "
        "Sec-Fetch-Site).",
        "folder_outside_base": "The camera's folder_path is not inside the configured base path, "
        "or the way to it leads through a link. Change folder_path to a folder inside the base "
        "path.",
        "picture_outside_folder": "The detection's file_path is not inside its camera's folder, "
        "or the way to it leads through a link.",
        "picture_not_deletable": "The service may not delete files in the camera's folder. Let it "
        "write there.",
    },
    404: {
        "not_found": "There is nothing at this URL. The page /docs lists what there is.",
        "camera_not_found": "There is no camera with this id.",
        "detection_not_found": "There is no detection with this id.",
        "event_not_found": "There is no event with this id.",
        "notification_not_found": "There is no notification with this id.",
        "audit_entry_not_found": "There is no audit entry with this id.",
        "picture_not_found": "There is no such picture, or it is gone from the camera's folder.",
        "no_thumbnail": "No picture was taken near this clip.",
        "folder_not_found": "The camera's folder does not exist or cannot be read. Create it, or "
        "let the camera upload once.",
        "no_snapshot": "The camera's folder holds no picture yet. Let the camera upload one "
        "(.jpg, .jpeg, .png or .gif).",
        "snapshot_too_old": "The newest picture is older than max_age. Check that the camera "
        "still uploads.",
    },
    405: {
        "method_not_allowed": "This URL does not support the method. The Allow header lists the "
        "methods that it supports.",
    },
    409: {
        "picture_kept": "The picture is kept. Release it first.",
        "retention_running": "Pictures are being deleted by another run. Try again when that has "
        "ended.",
        "fixed_by_environment": "The service's environment sets this, so it cannot be changed "
        "here. Remove the variable from the environment, or leave the setting out.",
    },
    412: {
        "precondition_failed": "The resource has changed: none of the tags in If-Match is its "
        "ETag.",
    },
    413: {
        "payload_too_large": "The body is larger than this service takes.",
    },
    414: {
        "uri_too_long": "The URL is longer than this service takes.",
    },
    415: {
        "unsupported_media_type": "Send the body as JSON in UTF-8, with Content-Type: "
        "application/json and without a Content-Encoding.",
    },
    416: {
        "range_not_satisfiable": "The Range begins beyond the end of the picture.",
    },
    421: {
        "unknown_host": "The Host header names another host. Ask for this service by its address "
        "or its host name, or add the name to NVR_TRUSTED_HOSTS.",
    },
    422: {
        "validation_failed": "Some values cannot be used; errors lists every one.",
        "picture_not_resizable": "The picture cannot be decoded, or would take too much memory. "
        "Ask for it as it is, without width and height.",
    },
    431: {
        "headers_too_large": "A header is longer than this service takes, or all of them together "
        "are.",
    },
    500: {
        "internal_error": "The service failed; its log says how. Nothing was changed.",
    },
    501: {
        "notify_not_installed": "This service cannot send to this URL. In its folder, run "
        ".venv/bin/python -m pip install -e '.[notify]', or give the http:// or https:// URL of a "
        "webhook.",
        "resizing_not_installed": "This service cannot make pictures smaller. In its folder, run "
        ".venv/bin/python -m pip install -e '.[images]', or ask without width and height.",
    },
    503: {
        "base_path_missing": "The base path of the uploads does not exist or cannot be read. "
        "Create or mount it, and let the service's user read it.",
        "database_busy": "Another writer holds the database. Try again in a moment.",
        "folder_busy": "Other requests about this folder take long, and more of them would keep "
        "the others waiting. Try again in a moment.",
        "storage_not_answering": "The disk or network share that the camera's folder lies on does "
        "not answer. Check it, its network and its server; pictures show again as soon as it "
        "answers.",
        "picture_incomplete": "The camera's only pictures are still being uploaded. Try again in "
        "a moment.",
        "database_read_only": "The database cannot be written. Check the rights of its file and "
        "folder.",
        "database_unavailable": "The database cannot be used. The service's log says why.",
        "out_of_resources": "The service has no file descriptors or memory left. Try again in a "
        "moment.",
    },
    507: {
        "storage_full": "The disk is full, nothing was stored. Free some space.",
    },
}
PROBLEMS = {
    code: Problem(code, status, detail)
    for status, details in TABLE.items()
    for code, detail in details.items()
}
