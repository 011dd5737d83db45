"""May this request pass, and who asks?"""

from flask import Flask, request
from werkzeug.exceptions import UnsupportedMediaType

from app.audit import Caller

USER_AGENT_CHARACTERS = 500


def init_app(app: Flask) -> None:
    """Look at every request before its view does, and mark every answer."""
    app.before_request(_refuse_encoded_bodies)


def caller() -> Caller:
    """Who makes the request: the peer of the connection, whatever a header claims."""
    agent = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in _user_agent())
    return Caller("anonymous", request.remote_addr, agent[:USER_AGENT_CHARACTERS] or None)


def _user_agent() -> str:
    return request.headers.get("User-Agent", "")


def _refuse_encoded_bodies() -> None:
    """Nothing here unpacks a body: a small one could become gigabytes."""
    if "Content-Encoding" in request.headers:
        raise UnsupportedMediaType
