"""Does the client already have what would be sent? The conditions of RFC 9110, section 13."""

from datetime import UTC, datetime

from flask import request
from werkzeug.exceptions import PreconditionFailed

CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since")


def has_conditions() -> bool:
    """Whether the request is conditional."""
    return any(name in request.headers for name in CONDITIONS)


def is_not_modified(tag: str, modified: int | None = None) -> bool:
    """Whether the client already has what the entity tag ``tag`` names (section 13.2.2).

    ``modified``: the time of the last change in seconds since the epoch. Raises
    `PreconditionFailed` where `If-Match` names other tags.
    """
    if not has_conditions():
        return False
    if request.if_match and not request.if_match.contains(tag):
        raise PreconditionFailed
    if request.if_none_match:
        return request.if_none_match.contains_weak(tag)
    # Equal, not "not later": the picture that is the newest after a deletion may be older.
    if modified is None or request.if_modified_since is None:
        return False
    return request.if_modified_since == datetime.fromtimestamp(modified, UTC)
