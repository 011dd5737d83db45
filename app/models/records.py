"""What did detectors see, and what did it add up to?"""

from collections.abc import Iterable

from peewee import SQL, BooleanField, FloatField, ForeignKeyField, IntegerField, TextField
from playhouse.sqlite_ext import AutoIncrementField

from ..db import database
from .base import Record
from .cameras import Camera

RISK_LEVELS = ("low", "medium", "high", "critical")
RISK_LEVEL = (
    "GENERATED ALWAYS AS (CASE WHEN risk_score < 30 THEN 'low' WHEN risk_score < 60 THEN 'medium' "
    "WHEN risk_score < 85 THEN 'high' WHEN risk_score <= 100 THEN 'critical' END) VIRTUAL"
)
# Twentieths of the confidence: 0 is from 0 to below 0.05, 20 is 1 itself.
BANDS = range(21)
BAND = "GENERATED ALWAYS AS (CAST(confidence * 20 AS INTEGER)) VIRTUAL"
SETS_OF_TYPES = (
    "WITH RECURSIVE known(text) AS (SELECT min(object_types) FROM event UNION ALL "
    "SELECT (SELECT min(object_types) FROM event WHERE object_types > text) FROM known "
    "WHERE text IS NOT NULL LIMIT ?) SELECT text FROM known WHERE text IS NOT NULL"
)
# Stands around every name in `Event.object_types`; no name holds it (`fields.Text`).
SEPARATOR = "\n"


def band(confidence: float) -> int:
    """The band of a confidence from 0 to 1, as SQLite computes it."""
    return int(confidence * 20)


def types_text(types: Iterable[str]) -> str:
    """A set of object types as `Event.object_types` keeps it; nothing where there is none."""
    return SEPARATOR.join(["", *sorted(set(types)), ""]) if types else ""


def types_of(text: str) -> set[str]:
    """The object types that `types_text` made ``text`` of."""
    return set(text.split(SEPARATOR)) - {""}


class Event(Record):
    """Something that happened before one camera: detections that a person reviews as one."""

    # Never used again, even after the newest row is gone (sqlite.org/autoinc.html).
    id = AutoIncrementField()
    camera = ForeignKeyField(Camera, on_delete="CASCADE", index=False)
    started_at = TextField()
    # Not before started_at; null while the event goes on.
    ended_at = TextField(null=True)
    # 0 to 100; null while nobody has judged it.
    risk_score = IntegerField(null=True)
    # Computed by SQLite, so that it can stand in an index.
    risk_level = TextField(null=True, constraints=[SQL(RISK_LEVEL)])
    summary = TextField()
    reasoning = TextField()
    reviewed = BooleanField()
    notes = TextField(null=True)
    # What its detections showed when they came (`types_text`), also after they have gone.
    object_types = TextField(constraints=[SQL("DEFAULT ''")])

    class Meta:
        # Each begins with what a filter fixes, goes on in the order of the list, and ends with
        # what the other filters look at, so that they need not read the row.
        indexes = (
            (("started_at", "id", "camera", "risk_level", "reviewed", "object_types"), False),
            (("camera", "started_at", "id", "risk_level", "reviewed", "object_types"), False),
            (("risk_level", "started_at", "id", "camera", "reviewed", "object_types"), False),
            (("reviewed", "started_at", "id", "camera", "risk_level", "object_types"), False),
            (("object_types", "started_at", "id", "camera", "risk_level", "reviewed"), False),
        )

    @classmethod
    def sets_of_types(cls, most: int) -> list[str] | None:
        """Every `object_types` that an event has; None where there are more than ``most``.

        Looked up one after the other, 4 µs each, however many events there are.
        """
        found = [str(text) for (text,) in database.execute_sql(SETS_OF_TYPES, [most + 2])]
        return found if len(found) <= most else None


class Detection(Record):
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
    # The detector's own name for it; posting it again for the same camera stores nothing new.
    external_id = TextField(null=True)
    # Which of `BANDS`: an index has each band in the order of the list, so that a least
    # confidence that hardly a row reaches does not walk through all the others.
    band = IntegerField(null=True, constraints=[SQL(BAND)])

    class Meta:
        indexes = (
            (("camera", "external_id"), True),
            (("detected_at", "id"), False),
            (("band", "detected_at", "id", "confidence"), False),
            (("camera", "band", "detected_at", "id", "confidence"), False),
            (("object_type", "band", "detected_at", "id", "confidence"), False),
            (("camera", "object_type", "band", "detected_at", "id", "confidence"), False),
        )


# Most detections belong to no event: they stay out of it.
Detection.add_index(
    *(Detection.event, Detection.detected_at, Detection.id, Detection.object_type),
    where=SQL("event_id IS NOT NULL"),
)
