"""May this request pass, and who asks?"""

import socket
from typing import Any

from flask import Flask, current_app, g, request
from flask_httpauth import HTTPBasicAuth, HTTPTokenAuth
from werkzeug.datastructures import Authorization
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from .. import clock, db
from ..logs import without_tokens
from ..models import Token
from ..services import tokens
from ..services.audit import Caller
from ..services.tokens import NotAllowed, NoToken, usage
from .hosts import ForeignPage, Names, UnknownHost, is_foreign, is_loopback
from .proxies import ASKED_AS

USER_AGENT_CHARACTERS = 500
READING = ("GET", "HEAD", "OPTIONS")
# Endpoints that answer without a token, and those that take one as ?token= too.
OPEN_ENDPOINTS = frozenset({"system.get_alive"})
QUERY_TOKEN_ENDPOINTS = frozenset(
    {"cameras.get_camera_snapshot", "detections.get_detection_image"}
)
# What a request without a token may do, by NVR_ANONYMOUS.
ANONYMOUS = {"write": ("read", "write"), "read": ("read",), "none": ()}


class TokenInQuery(HTTPTokenAuth):
    """``?token=``, for what can only be given a URL: an img tag, a dashboard."""

    def get_auth(self) -> Authorization:
        """What the query string holds; nothing where it holds several."""
        given = request.args.getlist("token")
        return Authorization("Bearer", token=given[0] if len(given) == 1 else "")


basic, bearer, in_query = HTTPBasicAuth(), HTTPTokenAuth("Bearer"), TokenInQuery("Bearer")
SCHEMES = {"basic": basic, "bearer": bearer}


class Gate:
    """What every request passes before its view."""

    def __init__(self, app: Flask) -> None:
        self._anonymous = anonymous_may(app)
        self._names = Names((*app.config["NVR_TRUSTED_HOSTS"], socket.gethostname()))

    def admit(self) -> None:
        """Let the request through, or say why not."""
        environ = request.environ
        needed = "read" if environ["REQUEST_METHOD"] in READING else "write"
        self._refuse_strangers_names(environ)
        if needed == "write":
            _refuse_foreign_pages(environ)
        self._refuse_unknown(environ, needed)
        # Nothing here unpacks a body: a small one could become gigabytes.
        if "HTTP_CONTENT_ENCODING" in environ:
            raise UnsupportedMediaType

    def _refuse_strangers_names(self, environ: dict[str, Any]) -> None:
        """Only HTTP/1.0, which no browser speaks, may leave Host out (RFC 9112, section 3.2)."""
        host = environ.get("HTTP_HOST")
        if host is None:
            if environ["SERVER_PROTOCOL"] != "HTTP/1.0":
                raise BadRequest
        elif not (self._names.know(host) and self._names.know(environ.get(ASKED_AS, host))):
            raise UnknownHost

    def _refuse_unknown(self, environ: dict[str, Any], needed: str) -> None:
        """A token that is given must be right, also where none is needed."""
        scheme = _scheme(environ)
        if (scheme is None and needed in self._anonymous) or request.endpoint in OPEN_ENDPOINTS:
            return
        _show_token(scheme, needed)


def anonymous_may(app: Flask) -> tuple[str, ...]:
    """What a request without a token may do, of `tokens.ROLES`."""
    policy = app.config["NVR_ANONYMOUS"]
    if policy == "auto":
        policy = "none" if _is_reached_from_beyond(app) else "write"
    return ANONYMOUS[policy]


def may_write() -> bool:
    """Whether whoever makes the request may change things too."""
    if "token" in g:
        return bool(g.token["role"] == "write")
    return "write" in anonymous_may(current_app)


def lets_nobody_in(app: Flask) -> bool:
    """Whether the service is reached from beyond the box and nobody has a token yet."""
    return _is_reached_from_beyond(app) and not anonymous_may(app) and not Token.listing()


def init_app(app: Flask) -> None:
    """Look at every request before its view does."""
    usage.forget()
    app.before_request(Gate(app).admit)


def request_token() -> str | None:
    """The token that the request was let in with, as it was shown; None where it showed none."""
    if "token" not in g:
        return None
    shown = request.authorization
    return (shown.token or shown.password) if shown else request.args.get("token")


def caller() -> Caller:
    """Who makes the request: the token's name, and the peer of the connection."""
    agent = without_tokens(request.headers.get("User-Agent", ""))
    agent = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in agent)
    actor = g.token["name"] if "token" in g else "anonymous"
    return Caller(actor, request.remote_addr, agent[:USER_AGENT_CHARACTERS] or None)


def _is_reached_from_beyond(app: Flask) -> bool:
    return not is_loopback(app.config["NVR_HOST"]) or bool(app.config["NVR_TRUSTED_PROXIES"])


@basic.verify_password
def _of_password(_: str, password: str) -> Any:
    return _of_secret(password)


@bearer.verify_token
@in_query.verify_token
def _of_secret(secret: str) -> Any:
    db.migrate()
    return tokens.find(secret)


def _refuse_foreign_pages(environ: dict[str, Any]) -> None:
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if is_foreign(site, origin, environ.get("HTTP_HOST", "")):
        raise ForeignPage


def _scheme(environ: dict[str, Any]) -> Any:
    """How the request shows a token, or None where it shows none.

    A scheme that nobody here knows goes to `bearer`, which finds no token in it.
    """
    header = environ.get("HTTP_AUTHORIZATION")
    if header is not None:
        return SCHEMES.get(header.partition(" ")[0].lower(), bearer)
    if request.endpoint in QUERY_TOKEN_ENDPOINTS and "token" in request.args:
        return in_query
    return None


def _show_token(scheme: Any, needed: str) -> None:
    token = scheme and scheme.authenticate(scheme.get_auth(), None)
    if not token:
        raise NoToken
    if needed == "write" and token["role"] != "write":
        raise NotAllowed
    g.token = token
    usage.note(token, clock.now())
