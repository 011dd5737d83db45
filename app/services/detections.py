"""How is what detectors saw stored? A batch is one transaction, and one statement per table."""

from collections.abc import Collection
from typing import Any, NamedTuple

from .. import clock
from ..db import database, writer
from ..models import Refused, Row, fetch, types_of, types_text

NO_CAMERA = "There is no camera with this id."
NO_EVENT = "There is no event with this id of the same camera."

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

    def create() -> Stored:
        refuse_strangers(detections, path)
        known = _known(names)
        fresh: dict[Name, Row] = {}
        for name, detection in zip(names, detections, strict=True):
            if name not in known:
                fresh.setdefault(name, detection)
        known |= _insert(fresh, clock.rfc3339(clock.now()))
        _tell_events(fresh.values())
        return Stored([known[name] for name in names], len(fresh))

    return writer.run(create, alone=len(detections) > 1)


def _name(place: int, detection: Row) -> Name:
    external_id = detection["external_id"]
    return place if external_id is None else (detection["camera_id"], external_id)


def refuse_strangers(items: list[Row], path: str = "") -> None:
    """Every camera must exist, and every event, before the same camera; else `Refused`."""
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
    return fetch(f"{sql} IN ({marks(values)})", list(values)) if values else []


def _known(names: list[Name]) -> dict[Name, int]:
    """The ids of those that are stored already."""
    pairs = {name for name in names if isinstance(name, tuple)}
    if not pairs:
        return {}
    marks = ", ".join(["(?, ?)"] * len(pairs))
    # CROSS: SQLite looks each pair up; asked with IN it reads the whole index instead.
    found = fetch(
        f"SELECT id, camera_id, external_id FROM (VALUES {marks}) CROSS JOIN detection "  # noqa: S608
        "ON camera_id = column1 AND external_id = column2",
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


def _tell_events(detections: Collection[Row]) -> None:
    """Add what ``detections`` showed to the object types of their events."""
    coming: dict[int, set[str]] = {}
    for detection in detections:
        if detection["event_id"] is not None:
            coming.setdefault(detection["event_id"], set()).add(detection["object_type"])
    if not coming:
        return
    told = {
        row["id"]: types_of(row["object_types"])
        for row in fetch(
            f"SELECT id, object_types FROM event WHERE id IN ({marks(coming)})",  # noqa: S608 as above
            list(coming),
        )
    }
    pairs = [(e, types_text(told[e] | types)) for e, types in coming.items() if types - told[e]]
    if pairs:
        values = ", ".join(["(?, ?)"] * len(pairs))
        database.execute_sql(
            "UPDATE event SET object_types = news.column2 "  # noqa: S608 as above
            f"FROM (VALUES {values}) AS news WHERE id = news.column1",
            [part for pair in pairs for part in pair],
        )


def _values(detection: Row, now: str) -> tuple[Any, ...]:
    """In the order of `COLUMNS`."""
    box = detection["bbox"] or {"x": None, "y": None, "width": None, "height": None}
    return (
        *(detection["camera_id"], detection["event_id"], detection["detected_at"] or now),
        *(detection["object_type"], detection["confidence"]),
        *(box["x"], box["y"], box["width"], box["height"]),
        *(detection["file_path"], detection["external_id"]),
    )


def marks(values: Collection[Any]) -> str:
    """So many placeholders."""
    return ", ".join("?" * len(values))
