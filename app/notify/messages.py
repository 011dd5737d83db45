"""What is the JSON body of a message, and which URL of the service does it contain?"""

from typing import Any

from flask import Flask

from ..config import public_url
from ..models import Row
from ..serialization import dump_json
from ..services.occurrences import Occurrence

TEST = "test"


def body(occurrence: Occurrence, now: str, address: str) -> str:
    """The message as JSON; ``address``: the URL at which receivers reach the service."""
    data: dict[str, Any] = {}
    if occurrence.camera is not None:
        url = f"{address}/api/cameras/{occurrence.camera['id']}/snapshot"
        data["camera"] = occurrence.camera | {"snapshot_url": url}
    return _encode(occurrence.kind, now, data | occurrence.data)


def trial_body(now: str) -> str:
    """The message of a test."""
    return _encode(TEST, now, {})


def public_address(app: Flask) -> str:
    """The URL at which others reach the service."""
    port, loop = app.config["NVR_PORT"], app.extensions.get("event_loop")
    if loop and not port:  # the system has chosen one; only `server` has a loop
        port = loop.addresses()[0][1]
    return public_url({**app.config, "NVR_PORT": port})


def _encode(kind: str, now: str, data: Row) -> str:
    return dump_json({"type": kind, "timestamp": now, "data": data}).decode()
