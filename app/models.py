"""What exists? Cameras, what detectors saw, the events it adds up to, and who changed what.

All times are RFC 3339 text in UTC with six digits of a second (`clock.rfc3339`). Reads answer
plain dicts in the contract's order instead of model objects: they go to the wire as they are.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from peewee import (
    SQL,
    BooleanField,
    Check,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    ModelSelect,
    TextField,
)
from playhouse.sqlite_ext import AutoIncrementField

from app.db import database

STATUSES = ("online", "offline", "error")

RISK_LEVELS = ("low", "medium", "high", "critical")
RISK_LEVEL = (
    "GENERATED ALWAYS AS (CASE WHEN risk_score < 30 THEN 'low' WHEN risk_score < 60 THEN 'medium' "
    "WHEN risk_score < 85 THEN 'high' WHEN risk_score <= 100 THEN 'critical' END) VIRTUAL"
)

Row = dict[str, Any]


class Refused(Exception):
    """Values that fit their schema but not what is stored: field → messages."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__(fields)
        self.fields = fields


class NotFound(Exception):
    """There is no such row; ``resource`` says of what kind."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource


def rows(query: "ModelSelect[Any]") -> list[Row]:
    """The rows of ``query`` by column name, as SQLite's driver gives them."""
    return fetch(*query.sql())


def fetch(sql: str, parameters: Sequence[Any]) -> list[Row]:
    """The rows of a query in SQL by column name."""
    cursor = database.execute_sql(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor]


class Record(Model):
    """What all tables share."""

    class Meta:
        database = database
        legacy_table_names = False


class Camera(Record):
    """A device that uploads pictures into a folder."""

    # A random UUID in its canonical form of 36 characters.
    id = TextField(primary_key=True)
    name = TextField()
    # As the client sent it: absolute, or relative to the base path. Need not be unique.
    folder_path = TextField()
    status = TextField(constraints=[Check("status IN ('online', 'offline', 'error')")])
    created_at = TextField()
    # The last upload that completed; null before the first.
    last_seen_at = TextField(null=True)

    class Meta:
        indexes = ((("created_at", "id"), False),)

    @classmethod
    def listing(cls, status: str | None = None) -> list[Row]:
        """All cameras, or those of one status, oldest first.

        SQL and a dict display: peewee's making of the same SQL cost 0.08 ms a query, and naming
        the columns by `zip` 0.6 ms more in 1,000 rows.
        """
        where, parameters = ("WHERE status = ?", [status]) if status else ("", [])
        sql = f"{CAMERAS} {where} ORDER BY created_at, id"
        return [_camera(values) for values in database.execute_sql(sql, parameters).fetchall()]

    @classmethod
    def one(cls, camera_id: str) -> Row:
        """The camera's row; raises `NotFound`."""
        found = database.execute_sql(f"{CAMERAS} WHERE id = ?", [camera_id]).fetchone()
        if found is None:
            raise NotFound("camera")
        return _camera(found)

    @classmethod
    def add(cls, created_at: str, fields: Row) -> Row:
        """A new camera's row, under a new random id."""
        row = {"id": str(uuid.uuid4()), **fields, "created_at": created_at, "last_seen_at": None}
        cls.insert(row).execute()
        return {name: row[name] for name in cls._meta.sorted_field_names}

    @classmethod
    def change(cls, camera_id: str, fields: Row) -> None:
        """Write just these columns, so that nobody else's change to another one is undone."""
        cls.update(fields).where(cls.id == camera_id).execute()

    @classmethod
    def remove(cls, camera_id: str) -> Row:
        """Delete the camera with its detections and events; how many of each went.

        The detections go first: an event's own deletion would otherwise look up and update each
        detection that it claims.
        """
        went = {
            "detections": Detection.delete().where(Detection.camera == camera_id).execute(),
            "events": Event.delete().where(Event.camera == camera_id).execute(),
        }
        cls.delete().where(cls.id == camera_id).execute()
        return went


CAMERAS = "SELECT id, name, folder_path, status, created_at, last_seen_at FROM camera"


def _camera(values: tuple[Any, ...]) -> Row:
    identity, name, folder_path, status, created_at, last_seen_at = values
    return {
        "id": identity,
        "name": name,
        "folder_path": folder_path,
        "status": status,
        "created_at": created_at,
        "last_seen_at": last_seen_at,
    }


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

    class Meta:
        # Each begins with what a filter fixes, goes on in the order of the list, and ends with
        # what the other filters look at, so that they need not read the row.
        indexes = (
            (("started_at", "id", "camera", "risk_level", "reviewed"), False),
            (("camera", "started_at", "id", "risk_level", "reviewed"), False),
            (("risk_level", "started_at", "id", "camera", "reviewed"), False),
            (("reviewed", "started_at", "id", "camera", "risk_level"), False),
        )


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

    class Meta:
        indexes = (
            (("camera", "external_id"), True),
            (("detected_at", "id", "confidence"), False),
            (("camera", "detected_at", "id", "confidence"), False),
            (("object_type", "detected_at", "id", "confidence"), False),
            (("camera", "object_type", "detected_at", "id", "confidence"), False),
            (("event", "detected_at", "id", "object_type"), False),
        )


class AuditEntry(Record):
    """One change and who made it; outlives what it speaks of, so it refers to nothing by key."""

    id = AutoIncrementField()
    timestamp = TextField()
    action = TextField()
    resource_type = TextField()
    resource_id = TextField()
    # The name as it was when the change was made.
    resource_name = TextField(null=True)
    # `anonymous`, a token's name, or `monitor`.
    actor = TextField()
    ip_address = TextField(null=True)
    user_agent = TextField(null=True)
    # A JSON object; what it holds depends on the action.
    details = TextField()

    class Meta:
        indexes = (
            (("timestamp", "id"), False),
            (("action", "timestamp", "id"), False),
            (("resource_id", "timestamp", "id"), False),
        )

    @classmethod
    def newest_of(cls, resource_id: str, action: str) -> list[Row]:
        """The newest entry of this action on this resource, if any, ``details`` as an object."""
        query = cls.select().where(cls.resource_id == resource_id, cls.action == action)
        newest = query.order_by(cls.timestamp.desc(), cls.id.desc()).limit(1)
        return [{**row, "details": json.loads(row["details"])} for row in rows(newest)]


class Secret(Record):
    """A random key that the service made for itself; it goes where the database goes."""

    name = TextField(primary_key=True)
    # 64 hexadecimal digits.
    value = TextField()

    @classmethod
    def named(cls, name: str) -> str:
        """The key of this name."""
        return str(rows(cls.select(cls.value).where(cls.name == name))[0]["value"])


MODELS: Iterable[type[Record]] = (Camera, Event, Detection, AuditEntry, Secret)
