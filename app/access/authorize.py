"""Is this request allowed, and who is its client?"""

import socket
from typing import Any

from flask import Flask, current_app, g, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from .. import clock, db
from ..logs import without_tokens
from ..models import Token
from ..services import tokens
from ..services.audit import Caller
from ..services.tokens import NotAllowed, NoToken, usage
from .headers import PROXY_HOST, AllowedHosts, ForeignPage, UnknownHost, is_foreign, is_loopback

USER_AGENT_CHARACTERS = 500
READING = ("GET", "HEAD", "OPTIONS")
# Endpoints that need no token, and those that also accept one as ?token=.
OPEN_ENDPOINTS = frozenset({"system.get_alive"})
QUERY_TOKEN_ENDPOINTS = frozenset(
    {"cameras.get_camera_snapshot", "detections.get_detection_image", "pictures.get_picture"}
)
# What a request without a token may do, by NVR_ANONYMOUS.
ANONYMOUS = {"write": ("read", "write"), "read": ("read",), "none": ()}


class Authorizer:
    """Decides whether a request reaches its view."""

    def __init__(self, app: Flask) -> None:
        self._anonymous = anonymous_rights(app)
        self._hosts = AllowedHosts((*app.config["NVR_TRUSTED_HOSTS"], socket.gethostname()))

    def authorize(self) -> None:
        """Return if the request is allowed.

        Raises `UnknownHost`, `ForeignPage`, `NoToken`, `NotAllowed`, `BadRequest` without a Host,
        `UnsupportedMediaType` for an encoded body.
        """
        environ = request.environ
        needed = "read" if environ["REQUEST_METHOD"] in READING else "write"
        self._check_host(environ)
        site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
        if needed == "write" and is_foreign(site, origin, environ.get("HTTP_HOST", "")):
            raise ForeignPage
        # A token that is given must be valid, also where none is needed.
        secret, endpoint = request_token(), request.endpoint
        if endpoint not in OPEN_ENDPOINTS and not (secret is None and needed in self._anonymous):
            _authenticate(secret, needed)
        # Bodies are not decompressed: a small one could become gigabytes.
        if "HTTP_CONTENT_ENCODING" in environ:
            raise UnsupportedMediaType

    def _check_host(self, environ: dict[str, Any]) -> None:
        """Only HTTP/1.0, which no browser speaks, may omit Host (RFC 9112, section 3.2)."""
        host = environ.get("HTTP_HOST")
        if host is None:
            if environ["SERVER_PROTOCOL"] != "HTTP/1.0":
                raise BadRequest
        elif not (
            self._hosts.is_allowed(host) and self._hosts.is_allowed(environ.get(PROXY_HOST, host))
        ):
            raise UnknownHost


def anonymous_rights(app: Flask) -> tuple[str, ...]:
    """What a request without a token may do, of `tokens.ROLES`."""
    policy = app.config["NVR_ANONYMOUS"]
    if policy == "auto":
        policy = "none" if _listens_on_network(app) else "write"
    return ANONYMOUS[policy]


def may_write() -> bool:
    """Whether the client of this request may also write."""
    if "token" in g:
        return bool(g.token["role"] == "write")
    return "write" in anonymous_rights(current_app)


def is_locked_out(app: Flask) -> bool:
    """Whether the service listens on the network, needs a token, and has none yet."""
    return _listens_on_network(app) and not anonymous_rights(app) and not Token.listing()


def init_app(app: Flask) -> None:
    """Check every request before its view runs."""
    usage.forget()
    app.before_request(Authorizer(app).authorize)


def request_token() -> str | None:
    """The secret of the token that the request sends; None if it sends none.

    It is sent in ``Authorization`` (Bearer, or the password of Basic) or, by clients that can only
    be given a URL, in ``?token=``. The text is empty if it cannot be read.
    """
    environ = request.environ
    header = environ.get("HTTP_AUTHORIZATION")
    if header is not None:
        # Werkzeug raises ValueError for Basic with other characters.
        shown = request.authorization if header.isascii() else None
        if shown and shown.type == "basic":
            return shown.password or ""
        return (shown.token if shown and shown.type == "bearer" else None) or ""
    if not environ["QUERY_STRING"] or request.endpoint not in QUERY_TOKEN_ENDPOINTS:
        return None
    given = request.args.getlist("token")
    if not given:
        return None
    return given[0] if len(given) == 1 else ""


def caller() -> Caller:
    """The client of this request for the audit log: token name, address and user agent."""
    agent = without_tokens(request.headers.get("User-Agent", ""))
    agent = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in agent)
    actor = g.token["name"] if "token" in g else "anonymous"
    return Caller(actor, request.remote_addr, agent[:USER_AGENT_CHARACTERS] or None)


def _listens_on_network(app: Flask) -> bool:
    return not is_loopback(app.config["NVR_HOST"]) or bool(app.config["NVR_TRUSTED_PROXIES"])


def _authenticate(secret: str | None, needed: str) -> None:
    """Note the request's token; raises `NoToken` and `NotAllowed`."""
    db.migrate()
    token = tokens.find(secret or "")
    if not token:
        raise NoToken
    if needed == "write" and token["role"] != "write":
        raise NotAllowed
    g.token = token
    usage.note(token, clock.now())
