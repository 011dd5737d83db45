"""What does a message say? As JSON to a program, and in words to a person."""

from datetime import tzinfo
from typing import Any

from flask import Flask

from .. import clock
from ..config import public_url
from ..models import Row
from ..serialization import dump_json
from ..services.occurrences import Occurrence

TEST = "test"
STATUSES = {
    "online": "uploads pictures again",
    "offline": "uploads nothing any more",
    "error": "has a folder that cannot be read",
}


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


def title_and_text(message: Row, zone: tzinfo) -> tuple[str, str]:
    """A title and a text with local times, for a message in the form of its JSON body."""
    kind, data = message["type"], message["data"]
    camera = data.get("camera", {})
    name, at = camera.get("name", ""), _local(message["timestamp"], zone)
    if kind == TEST:
        return "Test message", f"NVR cameras can reach you. {at}"
    if "storage" in data:
        return _storage(data["storage"], at)
    if "detection" in data:
        return _detection(name, data["detection"], zone)
    if "event" in data:
        return _event(name, data["event"], kind == "event_reviewed", zone)
    if "moment" in data:
        start = _local(data["moment"]["start"], zone)
        return f"{name}: uploads begin", f"The first upload after a pause came at {start}."
    status = camera["status"]
    before = f"Its status was {camera['previous_status']} before."
    text = f"The camera {STATUSES[status]}. {before} {at}"
    return f"{name}: {status}", text


def _encode(kind: str, now: str, data: Row) -> str:
    return dump_json({"type": kind, "timestamp": now, "data": data}).decode()


def _detection(name: str, detection: Row, zone: tzinfo) -> tuple[str, str]:
    sure, what = f"{detection['confidence']:.0%}", detection["object_type"]
    many = f"{detection['count']} times {what}, the surest" if detection["count"] > 1 else what
    return f"{name}: {what}", f"{many} {sure}, {_local(detection['detected_at'], zone)}"


def _event(name: str, event: Row, is_reviewed: bool, zone: tzinfo) -> tuple[str, str]:
    level = f", {event['risk_level']} risk" if event["risk_level"] else ""
    what = "event reviewed" if is_reviewed else "event"
    summary = f"{event['summary']}\n" if event["summary"] else ""
    return f"{name}: {what}{level}", f"{summary}Began at {_local(event['started_at'], zone)}."


def _storage(storage: Row, at: str) -> tuple[str, str]:
    text = f"{storage['message']} {at}"
    if storage["free_bytes"] is None:
        return "The storage cannot be reached", text
    low = storage["status"] != "healthy"
    return "Little space is left" if low else "There is enough space again", text


def _local(moment: str, zone: tzinfo) -> str:
    return clock.parse(moment).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z").strip()
