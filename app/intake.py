"""How is what detectors and people say of a camera stored? Each call is one transaction."""

from collections.abc import Collection
from typing import Any, NamedTuple

from app import audit, clock
from app.audit import Caller
from app.db import database, transaction
from app.listings import EVENTS
from app.models import Event, Refused, Row, fetch

NO_CAMERA = "There is no camera with this id."
NO_EVENT = "There is no event with this id of the same camera."
NO_DETECTION = "There is no unclaimed detection with this id of the same camera: {}."
ENDS_FIRST = "Must not be before started_at, {}."

COLUMNS = (
    *("camera_id", "event_id", "detected_at", "object_type", "confidence"),
    *("bbox_x", "bbox_y", "bbox_width", "bbox_height", "file_path", "external_id"),
)
PLACEHOLDERS = f"({', '.join('?' * len(COLUMNS))})"


# A detection's name within its batch: by its camera's external_id, or by its place.
Name = tuple[str, str] | int


class Stored(NamedTuple):
    """The ids of a batch in its order, and how many of them are new."""

    ids: list[int]
    new: int


def store_detections(detections: list[Row], path: str = "") -> Stored:
    """All detections, or none: `Refused` names every one that does not fit.

    One whose ``external_id`` its camera knows already is the stored one, also within the batch.
    ``path`` stands before a refused field's name; its ``{}`` is the place in the batch.
    """
    names = [_name(place, detection) for place, detection in enumerate(detections)]
    with transaction():
        _refuse_strangers(detections, path)
        known = _known(names)
        fresh: dict[Name, Row] = {}
        for name, detection in zip(names, detections, strict=True):
            if name not in known:
                fresh.setdefault(name, detection)
        known |= _insert(fresh, clock.rfc3339(clock.now()))
    return Stored([known[name] for name in names], len(fresh))


def store_event(event: Row) -> Row:
    """A new event that claims its ``detection_ids``; raises `Refused`."""
    claimed = sorted(set(event.pop("detection_ids")))
    with transaction():
        _refuse_strangers([event])
        _refuse_wrong_end(event["started_at"], event["ended_at"])
        event_id = int(Event.insert(event).execute())
        _claim(claimed, event_id, event["camera_id"])
    return EVENTS.one(event_id)


def review_event(event_id: int, fields: Row, by: Caller) -> Row:
    """The event after ``fields`` were set, with an audit entry of what differs.

    Raises `models.NotFound` and `Refused`.
    """
    with transaction():
        event = EVENTS.one(event_id)
        _refuse_wrong_end(event["started_at"], fields.get("ended_at"))
        changes = audit.differences(event, fields)
        if changes:
            Event.update({name: fields[name] for name in changes}).where(
                Event.id == event_id
            ).execute()
            audit.record("event_updated", by, "event", event, {"changes": changes})
    return EVENTS.one(event_id)


def _name(place: int, detection: Row) -> Name:
    external_id = detection["external_id"]
    return place if external_id is None else (detection["camera_id"], external_id)


def _refuse_strangers(items: list[Row], path: str = "") -> None:
    """Every camera must exist, and every event, before the same camera."""
    cameras = {row["id"] for row in _among("SELECT id FROM camera WHERE id", items, "camera_id")}
    events = {
        (row["id"], row["camera_id"])
        for row in _among("SELECT id, camera_id FROM event WHERE id", items, "event_id")
    }
    refused = {}
    for place, item in enumerate(items):
        event_id = item.get("event_id")
        if item["camera_id"] not in cameras:
            refused[f"{path.format(place)}camera_id"] = [NO_CAMERA]
        elif event_id is not None and (event_id, item["camera_id"]) not in events:
            refused[f"{path.format(place)}event_id"] = [NO_EVENT]
    if refused:
        raise Refused(refused)


def _among(sql: str, items: list[Row], field: str) -> list[Row]:
    """The rows of ``sql`` whose column is among the values of ``field``."""
    values = {item[field] for item in items if item.get(field) is not None}
    return fetch(f"{sql} IN ({_marks(values)})", list(values)) if values else []


def _known(names: list[Name]) -> dict[Name, int]:
    """The ids of those that are stored already."""
    pairs = {name for name in names if isinstance(name, tuple)}
    if not pairs:
        return {}
    marks = ", ".join(["(?, ?)"] * len(pairs))
    found = fetch(
        "SELECT id, camera_id, external_id FROM detection "  # noqa: S608 only marks are put in
        f"WHERE (camera_id, external_id) IN (VALUES {marks})",
        [part for pair in pairs for part in pair],
    )
    return {(row["camera_id"], row["external_id"]): row["id"] for row in found}


def _insert(fresh: dict[Name, Row], now: str) -> dict[Name, int]:
    """One statement for all; AUTOINCREMENT numbers its rows in their order, without gaps."""
    if not fresh:
        return {}
    marks = ", ".join([PLACEHOLDERS] * len(fresh))
    cursor = database.execute_sql(
        f"INSERT INTO detection ({', '.join(COLUMNS)}) VALUES {marks}",  # noqa: S608 as above
        [value for detection in fresh.values() for value in _values(detection, now)],
    )
    first_id = cursor.lastrowid - len(fresh) + 1
    return {name: first_id + place for place, name in enumerate(fresh)}


def _values(detection: Row, now: str) -> tuple[Any, ...]:
    """In the order of `COLUMNS`."""
    box = detection["bbox"] or {"x": None, "y": None, "width": None, "height": None}
    return (
        *(detection["camera_id"], detection["event_id"], detection["detected_at"] or now),
        *(detection["object_type"], detection["confidence"]),
        *(box["x"], box["y"], box["width"], box["height"]),
        *(detection["file_path"], detection["external_id"]),
    )


def _claim(detection_ids: list[int], event_id: int, camera_id: str) -> None:
    """Give the detections to the event: all of them, or `Refused` names those that cannot be."""
    if not detection_ids:
        return
    marks = _marks(detection_ids)
    free = {
        row["id"]
        for row in fetch(
            f"SELECT id FROM detection WHERE id IN ({marks}) "  # noqa: S608 as above
            "AND camera_id = ? AND event_id IS NULL",
            [*detection_ids, camera_id],
        )
    }
    strangers = [str(detection_id) for detection_id in detection_ids if detection_id not in free]
    if strangers:
        raise Refused({"detection_ids": [NO_DETECTION.format(", ".join(strangers))]})
    database.execute_sql(
        f"UPDATE detection SET event_id = ? WHERE id IN ({marks})",  # noqa: S608 as above
        [event_id, *detection_ids],
    )


def _refuse_wrong_end(started_at: str, ended_at: str | None) -> None:
    if ended_at is not None and ended_at < started_at:
        raise Refused({"ended_at": [ENDS_FIRST.format(started_at)]})


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))
