"""What did people choose for one camera, and for the whole box?"""

import json
from typing import Any

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, TextField

from ..db.base import BaseModel, Row, compiled
from .cameras import Camera


class CameraSettings(BaseModel):
    """What a client chose for one camera beside its fields; null leaves it to the default.

    A camera for which nothing was ever chosen has no row.
    """

    camera = ForeignKeyField(Camera, on_delete="CASCADE", primary_key=True)
    # Which files are the camera's pictures, in the form of `fnmatch`; null for all.
    file_pattern = TextField(null=True)
    # 0 for never; null for what holds for the box.
    offline_after_seconds = IntegerField(null=True)
    # 0 for no limit; null for what holds for the box.
    keep_days = IntegerField(null=True)
    keep_bytes = BigIntegerField(null=True)
    # Whether files from before the camera was given its folder may be deleted.
    prune_existing = BooleanField()
    group = TextField(null=True)
    position = BigIntegerField(null=True)
    moment_gap_seconds = IntegerField(null=True)

    @classmethod
    def defaults(cls) -> Row:
        """The settings of a camera without a row."""
        names = cls._meta.sorted_field_names
        return {name: None for name in names if name != "camera"} | {"prune_existing": False}

    @classmethod
    def of(cls, camera_id: str) -> Row:
        """The settings of one camera."""
        row = cls.find(camera=camera_id)
        return _settings(row) if row else cls.defaults()

    @classmethod
    def by_camera(cls) -> dict[str, Row]:
        """The settings of all cameras for which something was chosen, by the camera's id."""
        return {row["camera_id"]: _settings(row) for row in _all_settings().rows()}

    @classmethod
    def write(cls, camera_id: str, fields: Row) -> None:
        """Set these fields; to be called inside a change."""
        if cls.find(camera=camera_id):
            cls.change(camera_id, fields)
        else:
            cls.insert_row({"camera": camera_id, **cls.defaults(), **fields})


class BoxSetting(BaseModel):
    """A setting of the box that somebody changed while the service ran."""

    name = TextField(primary_key=True)
    # As JSON.
    value = TextField()

    @classmethod
    def stored(cls) -> Row:
        """The value of each setting that was changed."""
        return {row["name"]: json.loads(row["value"]) for row in _all_box_settings().rows()}

    @classmethod
    def write(cls, name: str, value: Any) -> None:
        """Store a value; None forgets what is stored. To be called inside a change."""
        cls.remove(name)
        if value is not None:
            cls.insert_row({"name": name, "value": json.dumps(value, ensure_ascii=False)})


def _settings(row: Row) -> Row:
    """A row as it goes to the wire."""
    del row["camera_id"]
    return row | {"prune_existing": bool(row["prune_existing"])}


@compiled
def _all_settings() -> Any:
    return CameraSettings.select()


@compiled
def _all_box_settings() -> Any:
    return BoxSetting.select()
