"""How long may a request's URL and headers be, and which headers has every response?"""

from flask import Flask, Response, request
from werkzeug.exceptions import RequestHeaderFieldsTooLarge, RequestURITooLarge

# The headers that something here parses. Parsing takes quadratic time at worst: an Accept of
# 60,000 blanks cost 7 s, one of 2,048 costs 7 ms. Browsers send less than 300 characters.
PARSED = (
    *("Accept", "Accept-Encoding", "Authorization", "Content-Type", "Origin", "Range"),
    *("If-Match", "If-None-Match", "If-Modified-Since", "If-Range"),
)
LONGEST_HEADER = 2048
# Of the path, and of the query string: a longer one costs 100 ms, and the page that repeats what
# it cannot use of it a megabyte. RFC 9110, section 4.1, asks for at least 8,000.
LONGEST_URL = 8192
# `Referrer-Policy`: a picture's URL may hold a token.
EVERY = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
# For what is no page: nothing in it may run or load, no other page may frame it.
POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
# Without a validator a stored copy could not be asked about again.
CACHE_CONTROL = "no-store"


def init_app(app: Flask) -> None:
    """Check every request before it is parsed, and complete every response, errors included."""
    app.before_request(_refuse_long_headers)
    app.before_request(_refuse_long_urls)
    app.after_request(_complete)


def _refuse_long_headers() -> None:
    """Raises `RequestHeaderFieldsTooLarge`; what is too long is not there for error handlers."""
    too_long = [name for name in PARSED if len(request.headers.get(name, "")) > LONGEST_HEADER]
    for name in too_long:
        key = name.upper().replace("-", "_")
        del request.environ[key if name == "Content-Type" else f"HTTP_{key}"]
    if too_long:
        raise RequestHeaderFieldsTooLarge


def _refuse_long_urls() -> None:
    if max(len(request.path), len(request.query_string)) > LONGEST_URL:
        raise RequestURITooLarge


def _complete(response: Response) -> Response:
    response.headers.update(EVERY)
    response.headers.setdefault(*POLICY)
    response.headers.setdefault("Cache-Control", CACHE_CONTROL)
    return response
