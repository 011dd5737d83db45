"""Which events happened, and which detections belong to them?"""

from collections.abc import Iterable
from typing import Any

from peewee import SQL, BooleanField, FloatField, ForeignKeyField, IntegerField, TextField, fn

from .. import clock
from ..db.base import (
    AutoIncrementField,
    BaseModel,
    Parameter,
    Row,
    chunks,
    compiled,
    generated,
    indexed_by,
)
from .cameras import Camera

RISK_LEVELS = ("low", "medium", "high", "critical")
RISK_LEVEL = (
    "CASE WHEN risk_score < 30 THEN 'low' WHEN risk_score < 60 THEN 'medium' "
    "WHEN risk_score < 85 THEN 'high' WHEN risk_score <= 100 THEN 'critical' END"
)
# Twentieths of the confidence: 0 is from 0 to below 0.05, 20 is 1 itself.
CONFIDENCE_BUCKETS = range(21)
# The columns of an index in which each bucket has the order of the list.
BY_CONFIDENCE = ("confidence_bucket", "detected_at", "id", "confidence")
# Before and after every name in `Event.object_types`; no name contains it (`schemas.common`).
SEPARATOR = "\n"
# An event without an end counts as ended so many seconds after its start.
OPEN_SECONDS = 3600
# The columns of an event that only filters and retention use.
UNREVIEWED_INDEX = "event_camera_id_entered_at_started_at_ended_at"
HIDDEN_COLUMNS = ("object_types", "entered_at")


def confidence_bucket(confidence: float) -> int:
    """The bucket of a confidence from 0 to 1, as the database computes it."""
    return int(confidence * 20)


def encode_types(types: Iterable[str]) -> str:
    """A set of object types as it is stored in `Event.object_types`; empty for an empty set."""
    return SEPARATOR.join(["", *sorted(set(types)), ""]) if types else ""


def decode_types(text: str) -> set[str]:
    """The object types in a text of `encode_types`."""
    return set(text.split(SEPARATOR)) - {""}


class Event(BaseModel):
    """Something that happened in front of a camera; groups detections for review."""

    # Never used again, even after the newest row is gone (sqlite.org/autoinc.html).
    id = AutoIncrementField()
    camera = ForeignKeyField(Camera, on_delete="CASCADE", index=False)
    started_at = TextField()
    # Not before started_at; null while the event goes on.
    ended_at = TextField(null=True)
    # 0 to 100; null while it has no score.
    risk_score = IntegerField(null=True)
    risk_level = TextField(null=True, constraints=[generated(RISK_LEVEL)])
    summary = TextField()
    reasoning = TextField()
    reviewed = BooleanField()
    notes = TextField(null=True)
    # The types of all detections that it ever claimed (`encode_types`).
    object_types = TextField(constraints=[SQL("DEFAULT ''")])
    # When it was stored: until it is reviewed, or for 30 days, its pictures are not deleted.
    entered_at = TextField(constraints=[SQL("DEFAULT ''")])

    class Meta:
        # Each index begins with the column of one filter, continues in the order of the list, and
        # ends with the columns of the other filters, so that these need not read the row.
        indexes = (
            (("started_at", "id", "camera", "risk_level", "reviewed", "object_types"), False),
            (("camera", "started_at", "id", "risk_level", "reviewed", "object_types"), False),
            (("risk_level", "started_at", "id", "camera", "reviewed", "object_types"), False),
            (("reviewed", "started_at", "id", "camera", "risk_level", "object_types"), False),
            (("object_types", "started_at", "id", "camera", "risk_level", "reviewed"), False),
        )

    @classmethod
    def columns(cls) -> list[Any]:
        """All columns that a client sees, and the number of the event's detections."""
        own = [field for field in cls._meta.sorted_fields if field.name not in HIDDEN_COLUMNS]
        count = Detection.select(fn.COUNT(SQL("*"))).where(Detection.event == cls.id)
        return [*own, count.alias("detection_count")]

    @classmethod
    def shape(cls, row: Row) -> Row:
        return row | {"reviewed": bool(row["reviewed"])}

    @classmethod
    def is_unreviewed_between(
        cls, camera_id: str, first_us: int, last_us: int, entered_after: str
    ) -> bool:
        """Whether an unreviewed event of the camera lies in a period, ends included.

        Only those count that were entered after this time. An open event counts as ended an hour
        after its start.
        """
        first, last = (clock.rfc3339_us(us) for us in (first_us, last_us))
        open_us = first_us - OPEN_SECONDS * clock.SECOND_US
        values = {"camera_id": camera_id, "entered_after": entered_after, "first": first}
        open_since = clock.rfc3339_us(open_us)
        found = _unreviewed_between().one(**values, last=last, open_since=open_since)
        return found is not None

    @classmethod
    def sets_of_types(cls, most: int) -> list[str] | None:
        """Every `object_types` that an event has; None where there are more than ``most``.

        Each is found by one search in an index, so the cost does not depend on how many events
        exist.
        """
        found: list[str] = []
        text = _first_types().scalar()
        while text is not None and len(found) <= most:
            found.append(text)
            text = _next_types().scalar(text=text)
        return found if len(found) <= most else None


# The unreviewed events of a camera, by when they were entered.
Event.add_index(
    *(Event.camera, Event.entered_at, Event.started_at, Event.ended_at),
    where=SQL("reviewed = 0"),
)


class Detection(BaseModel):
    """One object that a detector saw in one picture."""

    id = AutoIncrementField()
    camera = ForeignKeyField(Camera, on_delete="CASCADE", index=False)
    # The event that claims it, of the same camera; a detection outlives its event.
    event = ForeignKeyField(Event, null=True, on_delete="SET NULL", index=False)
    detected_at = TextField()
    object_type = TextField()
    # 0 to 1.
    confidence = FloatField()
    # In pixels from the top left corner; all four are null or none is.
    bbox_x = IntegerField(null=True)
    bbox_y = IntegerField(null=True)
    bbox_width = IntegerField(null=True)
    bbox_height = IntegerField(null=True)
    # The picture it was seen in: absolute, or relative to the camera's folder.
    file_path = TextField(null=True)
    # The detector's own id; posting it again for the same camera stores nothing new.
    external_id = TextField(null=True)
    # Which of `CONFIDENCE_BUCKETS`. An index holds each bucket in the order of the list, so that a
    # filter by confidence reads only the rows that match.
    confidence_bucket = IntegerField(
        column_name="band", null=True, constraints=[generated("CAST(confidence * 20 AS INTEGER)")]
    )

    class Meta:
        indexes = (
            (("camera", "external_id"), True),
            (("detected_at", "id"), False),
            (BY_CONFIDENCE, False),
            (("camera", *BY_CONFIDENCE), False),
            (("object_type", *BY_CONFIDENCE), False),
            (("camera", "object_type", *BY_CONFIDENCE), False),
        )

    @classmethod
    def columns(cls) -> list[Any]:
        """All columns that not only filters use."""
        return [f for f in cls._meta.sorted_fields if f.name != "confidence_bucket"]

    @classmethod
    def shape(cls, row: Row) -> Row:
        """The detection with its bounding box as an object."""
        box = {side: row.pop(f"bbox_{side}") for side in ("x", "y", "width", "height")}
        last = {name: row.pop(name) for name in ("file_path", "external_id")}
        return row | {"bbox": None if box["x"] is None else box} | last

    @classmethod
    def frequent_types(cls, camera_id: str, since: str, most: int) -> dict[str, int]:
        """The object types of which the camera has the most detections since that time, and how
        many it has of each.
        """
        found = _count_types().rows(camera_id=camera_id, since=since, most=most)
        return {row["object_type"]: row["count"] for row in found}

    @classmethod
    def known_ids(cls, camera_id: str, external_ids: list[str]) -> dict[str, int]:
        """The ids of the camera's detections with these external ids: external id → id."""
        known: dict[str, int] = {}
        for some in chunks(external_ids):
            values = {f"external_id_{n}": value for n, value in enumerate(some)}
            found = _select_known(len(some)).rows(camera_id=camera_id, **values)
            known |= {row["external_id"]: row["id"] for row in found}
        return known


# A partial index, because most detections belong to no event.
Detection.add_index(
    *(Detection.event, Detection.detected_at, Detection.id, Detection.object_type),
    where=SQL("event_id IS NOT NULL"),
)


@compiled
def _first_types() -> Any:
    return Event.select(fn.MIN(Event.object_types))


@compiled
def _unreviewed_between() -> Any:
    is_open = Event.ended_at.is_null() & (Event.started_at >= Parameter("open_since"))
    query = (
        Event.select(Event.started_at)
        .from_(indexed_by(Event, UNREVIEWED_INDEX))
        .where(
            Event.camera == Parameter("camera_id"),
            Event.entered_at > Parameter("entered_after"),
            Event.started_at <= Parameter("last"),
            (Event.ended_at >= Parameter("first")) | is_open,
            SQL("reviewed = 0"),
        )
    )
    return query.limit(1)


@compiled
def _next_types() -> Any:
    return Event.select(fn.MIN(Event.object_types)).where(Event.object_types > Parameter("text"))


@compiled
def _count_types() -> Any:
    of_camera = Detection.camera == Parameter("camera_id")
    count = fn.COUNT(SQL("*")).alias("count")
    query = Detection.select(Detection.object_type, count).group_by(Detection.object_type)
    query = query.where(of_camera, Detection.detected_at >= Parameter("since"))
    return query.order_by(SQL("count").desc(), Detection.object_type).limit(Parameter("most"))


@compiled
def _select_known(names: int) -> Any:
    asked = [Parameter(f"external_id_{n}") for n in range(names)]
    of_camera = Detection.camera == Parameter("camera_id")
    query = Detection.select(Detection.external_id, Detection.id)
    return query.where(of_camera, Detection.external_id.in_(asked))
