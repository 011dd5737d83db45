"""Which lists grow, and by what can each be filtered?"""

import json

from . import BANDS, Event, Row, band, types_text
from .keyset import Listing, Part


def _detection(row: Row) -> Row:
    box = {side: row.pop(f"bbox_{side}") for side in ("x", "y", "width", "height")}
    row["bbox"] = None if box["x"] is None else box
    return {name: row[name] for name in DETECTION_FIELDS}


def _event(row: Row) -> Row:
    return row | {"reviewed": bool(row["reviewed"])}


def _entry(row: Row) -> Row:
    return row | {"details": json.loads(row["details"])}


def _bands(given: Row) -> list[Part]:
    """The bands at or above the least confidence; those of one event are few, and by time."""
    if "event_id" in given or not given.keys() & {"camera_id", "object_type", "min_confidence"}:
        return []
    return [Part(f"band = {number}") for number in BANDS[band(given.get("min_confidence", 0)) :]]


def _types(given: Row) -> list[Part]:
    """The sets of object types that hold the one asked for, where they are few; each costs 20 µs.

    Where none does, one that no event has: nobody looks through all events in vain.
    """
    known = Event.sets_of_types(MOST_SETS_OF_TYPES) if "object_type" in given else None
    if known is None:
        return []
    asked = types_text([given["object_type"]])
    return [
        Part("object_types = ?", (text,), BY_TYPES)
        for text in [text for text in known if asked in text] or [asked]
    ]


MOST_SETS_OF_TYPES = 100
BY_TYPES = "event_object_types_started_at_id_camera_id_risk_level_reviewed"
DETECTION_FIELDS = (
    *("id", "camera_id", "event_id", "detected_at", "object_type"),
    *("confidence", "bbox", "file_path", "external_id"),
)
DETECTIONS = Listing(
    name="detection",
    moment="detected_at",
    columns=(
        "id, camera_id, event_id, detected_at, object_type, confidence, "
        "bbox_x, bbox_y, bbox_width, bbox_height, file_path, external_id"
    ),
    filters={
        "camera_id": "camera_id = ?",
        "event_id": "event_id = ?",
        "object_type": "object_type = ?",
        "min_confidence": "confidence >= ?",
        "start_date": "detected_at >= ?",
        "end_date": "detected_at < ?",
    },
    shape=_detection,
    parts=_bands,
)
EVENTS = Listing(
    name="event",
    moment="started_at",
    columns=(
        "id, camera_id, started_at, ended_at, risk_score, risk_level, summary, reasoning, "
        "reviewed, notes, "
        "(SELECT count(*) FROM detection WHERE event_id = event.id) AS detection_count"
    ),
    filters={
        "camera_id": "camera_id = ?",
        "risk_level": "risk_level = ?",
        "reviewed": "reviewed = ?",
        # No name has a line end, so none is found by one: DEL stands in no name either.
        "object_type": (
            "instr(object_types, char(10) || replace(?, char(10), char(127)) || char(10))"
        ),
        "start_date": "started_at >= ?",
        "end_date": "started_at < ?",
    },
    shape=_event,
    parts=_types,
)
AUDIT = Listing(
    name="audit_entry",
    moment="timestamp",
    columns="*",
    filters={
        "action": "action = ?",
        "resource_type": "resource_type = ?",
        "resource_id": "resource_id = ?",
        "actor": "actor = ?",
        "start_date": "timestamp >= ?",
        "end_date": "timestamp < ?",
    },
    shape=_entry,
)
