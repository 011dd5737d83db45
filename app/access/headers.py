"""How long may a request's URL and headers be, and which headers has every response?"""

from flask import Flask, Response, request
from werkzeug.exceptions import RequestHeaderFieldsTooLarge, RequestURITooLarge

# The headers that something here parses. Parsing takes quadratic time at worst: an Accept of
# 60,000 blanks cost 7 s, one of 2,048 costs 7 ms. Browsers send less than 300 characters.
PARSED = (
    *("Accept", "Accept-Encoding", "Authorization", "Content-Type", "Origin", "Range"),
    *("If-Match", "If-None-Match", "If-Modified-Since", "If-Range"),
)
# The same in the WSGI environment (PEP 3333).
PARSED_KEYS = tuple(
    key if key == "CONTENT_TYPE" else f"HTTP_{key}"
    for key in (name.upper().replace("-", "_") for name in PARSED)
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
CACHE_CONTROL = ("Cache-Control", "no-store")


def init_app(app: Flask) -> None:
    """Check every request before it is parsed, and complete every response, errors included."""
    app.before_request(_refuse_what_is_long)
    app.after_request(_complete)


def _refuse_what_is_long() -> None:
    """Raises `RequestURITooLarge` and `RequestHeaderFieldsTooLarge`.

    A header that is too long is taken away: the error handler parses Accept, too.
    """
    environ = request.environ
    if max(len(environ["PATH_INFO"]), len(environ["QUERY_STRING"])) > LONGEST_URL:
        raise RequestURITooLarge
    too_long = [key for key in PARSED_KEYS if len(environ.get(key, "")) > LONGEST_HEADER]
    for key in too_long:
        del environ[key]
    if too_long:
        raise RequestHeaderFieldsTooLarge


def _complete(response: Response) -> Response:
    for name, value in EVERY:
        response.headers.add(name, value)
    for name, value in (POLICY, CACHE_CONTROL):
        if name not in response.headers:
            response.headers.add(name, value)
    return response
