"""Which cameras are there, and which settings and handled observations has each?"""

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from peewee import (
    BigIntegerField,
    BooleanField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
    fn,
)

from ..db.base import BaseModel, Parameter, Row, compiled

STATUSES = ("online", "offline", "error")
# The fields that the service assigns; the client chooses all others.
ASSIGNED = ("id", "created_at", "last_seen_at")

# Called with the number of rows that are done since the last call.
Progress = Callable[[int], None]


class Camera(BaseModel):
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
    def chosen(cls, camera: Row) -> Row:
        """The fields that the client has chosen, in the order of the columns."""
        names = [name for name in cls._meta.sorted_field_names if name not in ASSIGNED]
        return {name: camera[name] for name in names}

    @classmethod
    def listing(cls, status: str | None = None) -> list[Row]:
        """All cameras, or those of one status, oldest first."""
        given = {} if status is None else {"status": status}
        return _select_all(bool(given)).rows(**given)

    @classmethod
    def add(cls, created_at: str, fields: Row) -> Row:
        """Insert a camera with a new random id and return its row."""
        given = {"id": str(uuid.uuid4()), "created_at": created_at, **fields}
        row = {name: given.get(name) for name in cls._meta.sorted_field_names}
        cls.insert_row(row)
        return row

    @classmethod
    def counts_by_status(cls) -> dict[str, int]:
        counts = {row["status"]: row["count"] for row in _count_by_status().rows()}
        return {status: counts.get(status, 0) for status in STATUSES}


class CameraRow(BaseModel):
    """A table with at most one row for each camera, which is deleted with the camera.

    A camera without a row has the ``defaults``: null, or false where a column cannot be null.
    """

    defaults: ClassVar[Row] = {}

    camera = ForeignKeyField(Camera, on_delete="CASCADE", primary_key=True)

    @classmethod
    def of(cls, camera_id: str) -> Row:
        """The columns of one camera."""
        row = cls.find(camera=camera_id)
        return cls.shape(row) if row else dict(cls.defaults)

    @classmethod
    def by_camera(cls) -> dict[str, Row]:
        """The columns of all cameras that have a row, by the camera's id."""
        return {row["camera_id"]: cls.shape(row) for row in cls.find_all()}

    @classmethod
    def write(cls, camera_id: str, fields: Row) -> None:
        """Set these columns; call it inside a change."""
        if cls.find(camera=camera_id):
            cls.change(camera_id, fields)
        else:
            cls.insert_row({"camera": camera_id, **cls.defaults, **fields})

    @classmethod
    def shape(cls, row: Row) -> Row:
        """The ``row`` without the camera's id, its booleans as `bool`."""
        return {
            name: bool(row[name]) if isinstance(default, bool) else row[name]
            for name, default in cls.defaults.items()
        }


class CameraSettings(CameraRow):
    """The settings of one camera, besides its fields; null means the default."""

    # Which files are the camera's pictures, in the form of `fnmatch`; null for all.
    file_pattern = TextField(null=True)
    # 0 for never; null for the setting of the box.
    offline_after_seconds = IntegerField(null=True)
    # 0 for no limit; null for the setting of the box.
    keep_days = IntegerField(null=True)
    keep_bytes = BigIntegerField(null=True)
    # Whether files from before the camera was given its folder may be deleted.
    prune_existing = BooleanField()
    group = TextField(null=True)
    position = BigIntegerField(null=True)
    moment_gap_seconds = IntegerField(null=True)


class CameraEvidence(CameraRow):
    """Which observations the monitor has handled, so that none changes the status twice."""

    # The last_seen_at whose silence made the camera offline.
    silent_since = TextField(null=True)
    # Whether the folder was found unreadable, and could not be read since.
    folder_lost = BooleanField()
    # The status to which a camera that never uploaded returns when its folder can be read again.
    status_before = TextField(null=True)


class CameraRetention(CameraRow):
    """When a camera was given its folder, and when a limit of its pictures was last changed.

    Without a ``folder_since``, every file may be from before the camera.
    """

    folder_since = TextField(null=True)
    limits_changed_at = TextField(null=True)


for model in (CameraSettings, CameraEvidence, CameraRetention):
    chosen = [field for field in model._meta.sorted_fields if field.name != "camera"]
    model.defaults = {field.name: None if field.null else False for field in chosen}


@compiled
def _select_all(of_one_status: bool) -> Any:
    query = Camera.select().order_by(Camera.created_at, Camera.id)
    return query.where(Camera.status == Parameter("status")) if of_one_status else query


@compiled
def _count_by_status() -> Any:
    count = fn.COUNT(Camera.id).alias("count")
    return Camera.select(Camera.status, count).group_by(Camera.status)
