"""How is an event created, and what do people make of it? Each change is one transaction."""

from ..db import writer
from ..models import ConflictError, Detection, Event, Row, encode_types
from . import audit
from .audit import Caller
from .detections import check_references

NO_DETECTION = "There is no unclaimed detection with this id of the same camera: {}."
ENDS_FIRST = "Must not be before started_at, {}."


def create_event(event: Row) -> Row:
    """Create an event that claims its ``detection_ids``; raises `ConflictError`."""
    claimed = sorted(set(event["detection_ids"]))
    row = {name: value for name, value in event.items() if name != "detection_ids"}

    def create() -> Row:
        check_references([row])
        _check_end(row["started_at"], row["ended_at"])
        types = _unclaimed_types(claimed, row["camera_id"])
        event_id = Event.insert_row(row | {"object_types": encode_types(types)})
        for detection_id in claimed:
            Detection.change(detection_id, {"event_id": event_id})
        return Event.one(event_id)

    return writer.run(create, alone=len(claimed) > 1)


def update_event(event_id: int, fields: Row, by: Caller) -> Row:
    """Set these ``fields``; the event. Writes an audit entry of what differs.

    Raises `models.NotFound` and `ConflictError`.
    """

    def update() -> Row:
        event = Event.one(event_id)
        _check_end(event["started_at"], fields.get("ended_at"))
        changes = audit.differences(event, fields)
        if not changes:
            return event
        Event.change(event_id, {name: fields[name] for name in changes})
        audit.record("event_updated", by, "event", event, {"changes": changes})
        return Event.one(event_id)

    return writer.run(update)


def _unclaimed_types(detection_ids: list[int], camera_id: str) -> list[str]:
    """What the detections show; `ConflictError` names those that cannot be claimed."""
    found = {
        detection_id: Detection.find(id=detection_id, camera_id=camera_id)
        for detection_id in detection_ids
    }
    free = {key: row for key, row in found.items() if row and row["event_id"] is None}
    refused = ", ".join(str(key) for key in detection_ids if key not in free)
    if refused:
        raise ConflictError({"detection_ids": [NO_DETECTION.format(refused)]})
    return [row["object_type"] for row in free.values()]


def _check_end(started_at: str, ended_at: str | None) -> None:
    if ended_at is not None and ended_at < started_at:
        raise ConflictError({"ended_at": [ENDS_FIRST.format(started_at)]})
