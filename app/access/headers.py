"""How long may a request's headers be, when is a response 304, and which headers has each?"""

from datetime import UTC, datetime

from flask import Flask, Response, request
from werkzeug.exceptions import (
    PreconditionFailed,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)

# The conditions of RFC 9110, section 13, that a GET may have; keys of the environ (PEP 3333).
CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")
# The headers that something here parses. Parsing takes quadratic time at worst: an Accept of
# 60,000 blanks cost 7 s, one of 2,048 costs 7 ms. Browsers send less than 300 characters.
PARSED = (
    *("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_AUTHORIZATION", "CONTENT_TYPE"),
    *("HTTP_ORIGIN", "HTTP_RANGE", "HTTP_IF_RANGE", *CONDITIONS),
)
LONGEST_HEADER = 2048
# Of the path, and of the query string, in characters: a longer one costs 100 ms, and a page that
# echoes its unused parameters would have a megabyte. RFC 9110, section 4.1, recommends at least
# 8,000.
LONGEST_URL = 8192
# For responses that are no page: nothing in them may run or load, no page may frame them.
POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
# `Referrer-Policy`: a picture's URL may hold a token.
EVERY = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
# A response without a validator cannot be revalidated, so it is not to be cached.
DEFAULTS = (POLICY, ("Cache-Control", "no-store"))


def init_app(app: Flask) -> None:
    """Check every request before it is parsed, and complete every response, errors included."""
    app.before_request(_refuse_long_headers)
    app.after_request(_complete)


def is_not_modified(tag: str, modified: int | None = None) -> bool:
    """Whether the client already has what the entity tag ``tag`` names (RFC 9110, 13.2.2).

    ``modified``: the time of the last change in seconds since the epoch. Raises
    `PreconditionFailed` where `If-Match` names other tags.
    """
    environ = request.environ
    given = [key for key in CONDITIONS if key in environ]
    if not given:
        return False
    if "HTTP_IF_MATCH" in given and request.if_match and not request.if_match.contains(tag):
        raise PreconditionFailed
    if tags := request.if_none_match:
        return tags.contains_weak(tag)
    # Equal, not "not later": the picture that is the newest after a deletion may be older.
    if modified is None or "HTTP_IF_MODIFIED_SINCE" not in given:
        return False
    return request.if_modified_since == datetime.fromtimestamp(modified, UTC)


def _refuse_long_headers() -> None:
    """Raise `RequestURITooLarge` or `RequestHeaderFieldsTooLarge` if the request needs it.

    A header that is too long is removed, because the error handler parses Accept too.
    """
    environ = request.environ
    if max(len(environ["PATH_INFO"]), len(environ["QUERY_STRING"])) > LONGEST_URL:
        raise RequestURITooLarge
    too_long = [key for key in PARSED if len(environ.get(key, "")) > LONGEST_HEADER]
    for key in too_long:
        del environ[key]
    if too_long:
        raise RequestHeaderFieldsTooLarge


def _complete(response: Response) -> Response:
    for name, value in EVERY:
        response.headers.add(name, value)
    for name, value in DEFAULTS:
        if name not in response.headers:
            response.headers.add(name, value)
    return response
