"""How are detections stored, and how is an event created and reviewed?

Each change is one transaction, a batch of detections too.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

from .. import clock
from ..db import writer
from ..models import (
    EVENTS,
    Camera,
    ConflictError,
    Detection,
    Event,
    Row,
    decode_types,
    encode_types,
)
from . import audit, occurrences
from .audit import Caller

NO_CAMERA = "There is no camera with this id."
NO_EVENT = "There is no event with this id of the same camera."
# Side of a bounding box → its column.
BOX_COLUMNS = {side: f"bbox_{side}" for side in ("x", "y", "width", "height")}
NO_DETECTION = "There is no unclaimed detection with this id of the same camera: {}."
ENDS_FIRST = "Must not be before started_at, {}."


class CreatedDetections(NamedTuple):
    """The ids of a batch in its order, and how many of them are new."""

    ids: list[int]
    new: int


def create_detections(detections: list[Row], path: str = "") -> CreatedDetections:
    """Store all detections or none; `ConflictError` names every one that cannot be stored.

    A detection whose ``external_id`` its camera has already, also earlier in the batch, is not
    stored again. ``path`` is the prefix of field names in the error; ``{}`` in it becomes the
    index.
    """

    def create() -> CreatedDetections:
        check_references(detections, path)
        now = clock.rfc3339(clock.now())
        keys = [_key(detection, place) for place, detection in enumerate(detections)]
        known = _known_ids(detections)
        fresh: dict[Hashable, Row] = {}
        for key, detection in zip(keys, detections, strict=True):
            if key not in known:
                fresh.setdefault(key, detection)
        rows = [_columns(detection, now) for detection in fresh.values()]
        ids = Detection.insert_rows(rows)
        known |= zip(fresh, ids, strict=True)
        _add_event_types(fresh.values())
        occurrences.report_detections(rows, ids)
        return CreatedDetections([known[key] for key in keys], len(fresh))

    return writer.run(create, alone=len(detections) > 1)


def check_references(items: list[Row], path: str = "") -> None:
    """Raise `ConflictError` unless each camera exists, and each event, of the same camera."""
    camera_ids = {item["camera_id"] for item in items}
    cameras = {camera_id: Camera.find(id=camera_id) for camera_id in camera_ids}
    event_ids = {item["event_id"] for item in items if item.get("event_id") is not None}
    events = {event_id: Event.find(id=event_id) or {} for event_id in event_ids}
    errors = {}
    for place, item in enumerate(items):
        event_id = item.get("event_id")
        if cameras[item["camera_id"]] is None:
            errors[f"{path.format(place)}camera_id"] = [NO_CAMERA]
        elif event_id is not None and events[event_id].get("camera_id") != item["camera_id"]:
            errors[f"{path.format(place)}event_id"] = [NO_EVENT]
    if errors:
        raise ConflictError(errors)


def create_event(event: Row) -> Row:
    """Create an event that claims its ``detection_ids``; raises `ConflictError`."""
    claimed = sorted(set(event["detection_ids"]))
    row = {name: value for name, value in event.items() if name != "detection_ids"}

    def create() -> Row:
        check_references([row])
        _check_end(row["started_at"], row["ended_at"])
        types = _unclaimed_types(claimed, row["camera_id"])
        hidden = {"object_types": encode_types(types), "entered_at": clock.rfc3339(clock.now())}
        event_id = Event.insert_row(row | hidden)
        for detection_id in claimed:
            Detection.change(detection_id, {"event_id": event_id})
        created = Event.one(event_id)
        if occurrences.is_recent(created["started_at"]):
            occurrences.report_event("event", created)
        return created

    return writer.run(create, alone=len(claimed) > 1)


def export_events(query: Row) -> Iterator[Row]:
    """The events that match every filter, newest first, each with its ``camera_name``."""
    names: dict[str, str] = {}
    for event in EVENTS.iterate(query):
        camera_id = event["camera_id"]
        if camera_id not in names:
            # The camera may have been deleted meanwhile.
            names[camera_id] = (Camera.find(id=camera_id) or {"name": ""})["name"]
        yield event | {"camera_name": names[camera_id]}


def update_event(event_id: int, fields: Row, by: Caller) -> Row:
    """Set the ``fields`` that differ, with an audit entry, and return the event.

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
        updated = Event.one(event_id)
        if occurrences.has_risen(event["risk_level"], updated["risk_level"]):
            occurrences.report_event("event", updated)
        if updated["reviewed"] and not event["reviewed"]:
            occurrences.report_event("event_reviewed", updated)
        return updated

    return writer.run(update)


def _key(detection: Row, place: int) -> Hashable:
    """What identifies a detection in its batch: its external id, or else its ``place``."""
    name = detection["external_id"]
    return place if name is None else (detection["camera_id"], name)


def _known_ids(detections: list[Row]) -> dict[Hashable, int]:
    """The ids of the detections that are stored already, by `_key`."""
    names: dict[str, set[str]] = {}
    for detection in detections:
        if detection["external_id"] is not None:
            names.setdefault(detection["camera_id"], set()).add(detection["external_id"])
    return {
        (camera_id, name): detection_id
        for camera_id, asked in names.items()
        for name, detection_id in Detection.known_ids(camera_id, list(asked)).items()
    }


def _columns(detection: Row, now: str) -> Row:
    """The detection as it is stored."""
    row = detection | {"detected_at": detection["detected_at"] or now}
    box = row.pop("bbox") or {}
    return row | {column: box.get(side) for side, column in BOX_COLUMNS.items()}


def _add_event_types(detections: Iterable[Row]) -> None:
    """Add the object types of the ``detections`` to those of their events."""
    shown: dict[int, set[str]] = {}
    for detection in detections:
        if detection["event_id"] is not None:
            shown.setdefault(detection["event_id"], set()).add(detection["object_type"])
    for event_id, types in shown.items():
        event = Event.find(id=event_id)
        known = decode_types(event["object_types"]) if event else types
        if types - known:
            Event.change(event_id, {"object_types": encode_types(known | types)})


def _unclaimed_types(detection_ids: list[int], camera_id: str) -> list[str]:
    """The object types of the detections; `ConflictError` names those that cannot be claimed."""
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
