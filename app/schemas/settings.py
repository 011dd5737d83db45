"""What crosses the wire about the settings of a camera and of the box?"""

from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validate

from ..config import MOST_BYTES, SETTINGS
from ..parsers import MOST_TITLE, Integer, is_time_zone, title
from ..services.settings import NAMES, EffectiveSettings, variable
from .common import (
    CLEAN_PATTERN,
    CleanString,
    ResponseSchema,
    StrictBoolean,
    StrictInteger,
    StrippedString,
)

EXAMPLE_EFFECTIVE = {
    "file_pattern": "CH01_*",
    "offline_after_seconds": 3600,
    "keep_days": 30,
    "keep_bytes": 0,
    "moment_gap_seconds": 60,
}
EXAMPLE_CAMERA_SETTINGS = {
    "file_pattern": "CH01_*",
    "offline_after_seconds": 3600,
    "keep_days": None,
    "keep_bytes": None,
    "prune_existing": False,
    "group": "Garden",
    "position": 1,
    "moment_gap_seconds": None,
    "effective": EXAMPLE_EFFECTIVE,
}
EXAMPLE_CAMERA_UPDATE = {"file_pattern": "CH01_*", "offline_after_seconds": 3600}
EXAMPLE_BOX_SETTINGS = {
    "offline_after_seconds": 86400,
    "retention_days": 90,
    "retention_rows": 0,
    "audit_retention_days": 0,
    "keep_days": 30,
    "keep_bytes": 0,
    "keep_free_bytes": 0,
    "timezone": None,
    "wall_title": "Wall",
    "wall_refresh_seconds": 10,
    "fixed": ["retention_days"],
}
EXAMPLE_BOX_UPDATE = {"offline_after_seconds": 3600, "timezone": "Europe/Berlin"}
MOST_DAYS, MOST_SECONDS = 36500, 10**9
# By the names of the variables.
BY_VARIABLE = {setting.name: setting for setting in SETTINGS}


def _integer(least: int, most: int, description: str) -> StrictInteger:
    return StrictInteger(
        allow_none=True,
        validate=validate.Range(least, most),
        metadata={"description": description},
    )


def check_time_zone(name: str) -> None:
    if not is_time_zone(name):
        raise ValidationError("Give an IANA name such as Europe/Berlin.")


def _box_field(name: str) -> fields.Field[Any]:
    """The field of a setting of the box, with the limits of its environment variable."""
    setting = BY_VARIABLE[variable(name)]
    if isinstance(setting.parse, Integer):
        return _integer(setting.parse.least, setting.parse.most, setting.help)
    if setting.parse is title:
        return StrippedString(
            allow_none=True,
            validate=validate.Length(1, MOST_TITLE),
            metadata={"description": setting.help, **CLEAN_PATTERN},
        )
    return fields.String(
        allow_none=True,
        validate=check_time_zone,
        metadata={"description": "IANA name of the box's time zone; null: the system's"},
    )


class CameraSettingsUpdateSchema(Schema):
    """The body that changes a camera's settings; fields that are left out stay as they are."""

    file_pattern = CleanString(
        allow_none=True,
        validate=validate.Length(1, 255),
        metadata={
            "description": "Only files whose whole name matches are the camera's, letter case "
            "aside: `*`, `?`, `[x]`, `[!x]`; null for every file",
            **CLEAN_PATTERN,
        },
    )
    offline_after_seconds = _integer(
        0,
        MOST_SECONDS,
        "Seconds without an upload until offline; 0: never, null: the box's",
    )
    keep_days = _integer(
        0, MOST_DAYS, "Days to keep pictures and clips; 0: no limit, null: the box's"
    )
    keep_bytes = _integer(
        0, MOST_BYTES, "Bytes that pictures and clips may take; 0 or null: no limit"
    )
    prune_existing = StrictBoolean(
        metadata={
            "description": "Whether files from before the camera was given its folder may be "
            "deleted"
        }
    )
    group = CleanString(
        allow_none=True,
        validate=validate.Length(1, 100),
        metadata={"description": "Name of a group of cameras", **CLEAN_PATTERN},
    )
    position = _integer(-MOST_BYTES, MOST_BYTES, "Place among the other cameras")
    moment_gap_seconds = _integer(1, 86400, "Pause that ends a series of uploads; null: 60")


class EffectiveSettingsSchema(ResponseSchema):
    """The settings in effect for the camera, with all defaults."""

    class Meta:
        include: ClassVar[dict[str, Any]] = {
            "file_pattern": fields.String(allow_none=True),
            **{name: fields.Integer() for name in EffectiveSettings._fields[1:]},
        }


class CameraSettingsSchema(ResponseSchema, CameraSettingsUpdateSchema):
    effective = fields.Nested(EffectiveSettingsSchema)


class BoxSettingsUpdateSchema(Schema):
    """The body that changes settings of the box; null returns to the default."""

    class Meta:
        include: ClassVar[dict[str, Any]] = {name: _box_field(name) for name in NAMES}


class BoxSettingsSchema(ResponseSchema, BoxSettingsUpdateSchema):
    """The settings of the box in a response, as they hold now."""

    fixed = fields.List(
        fields.String(),
        metadata={"description": "Settings that the environment sets, which cannot be changed"},
    )

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Adapt a field: only the time zone can be null."""
        super().on_bind_field(field_name, field_obj)
        field_obj.allow_none = field_name == "timezone"
