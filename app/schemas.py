"""What crosses the wire? One schema per body and per query string.

They check what comes in, strictly, and describe what goes out. Unknown fields are refused
(marshmallow's default) and all bad fields are reported at once. Nothing here touches the database.
"""

import unicodedata
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from app.models import STATUSES

EXAMPLE_CAMERA = {
    "id": "123e4567-e89b-12d3-a456-426614174000",
    "name": "Front Door Camera",
    "folder_path": "/export/foscam/front_door",
    "status": "online",
    "created_at": "2025-12-23T10:00:00.000000Z",
    "last_seen_at": "2025-12-23T12:00:00.000000Z",
}
CLEAN = "[^\\u0000-\\u001f\\u007f-\\u009f]*"
NAME = {
    "description": "Display name; outer blanks are removed, a blank name is refused",
    "pattern": f"^{CLEAN}\\S{CLEAN}$",
}
FOLDER_PATH = {
    "description": "Folder that the camera uploads to: absolute, or relative to the base path",
    "pattern": f"^{CLEAN}$",
}


class Text(fields.String):
    """A string that UTF-8 and SQLite can hold exactly: no control characters, no surrogates."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise ValidationError("Control characters and lone surrogates cannot be used.")
        return text


class Name(Text):
    """A name for people: outer blanks do not count."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).strip()


class WholeNumber(fields.Integer):
    """An integer in a query string: digits and nothing else."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not (isinstance(value, str) and value.isascii() and value.isdigit()):
            raise self.make_error("invalid")
        return int(value) if len(value) <= 18 else 10**18


class NothingSchema(Schema):
    """A query string that must be empty."""


class CameraSchema(Schema):
    """A camera as it is answered."""

    id = fields.UUID(required=True, metadata={"description": "Camera UUID"})
    name = fields.String(required=True, metadata={"description": "Camera display name"})
    folder_path = fields.String(
        required=True, metadata={"description": "Filesystem path for camera uploads"}
    )
    status = fields.String(
        required=True,
        validate=validate.OneOf(STATUSES),
        metadata={"description": "Current status"},
    )
    created_at = fields.AwareDateTime(
        required=True, metadata={"description": "When the camera was created, UTC"}
    )
    last_seen_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Last upload that completed, UTC; null before the first"},
    )


class CameraListResponseSchema(Schema):
    """All cameras that match, oldest first."""

    cameras = fields.List(fields.Nested(CameraSchema), required=True)
    count = fields.Integer(required=True, metadata={"description": "How many cameras match"})


class CameraCreateSchema(Schema):
    """What registers a camera."""

    name = Name(required=True, validate=validate.Length(1, 255), metadata=NAME)
    folder_path = Text(required=True, validate=validate.Length(1, 500), metadata=FOLDER_PATH)
    status = fields.String(
        load_default="online",
        validate=validate.OneOf(STATUSES),
        metadata={"description": "Initial status"},
    )


class CameraUpdateSchema(Schema):
    """What changes a camera; fields that are left out stay as they are."""

    name = Name(validate=validate.Length(1, 255), metadata=NAME)
    folder_path = Text(validate=validate.Length(1, 500), metadata=FOLDER_PATH)
    status = fields.String(
        validate=validate.OneOf(STATUSES), metadata={"description": "New status"}
    )


class CameraQuerySchema(Schema):
    """What the camera list can be filtered by."""

    status = fields.String(
        validate=validate.OneOf(STATUSES),
        metadata={"description": "Only cameras of this status"},
    )


class SnapshotQuerySchema(Schema):
    """How a picture is wanted; other parameters are ignored, so that cache busters work."""

    class Meta:
        unknown = EXCLUDE

    disposition = fields.String(
        load_default="attachment",
        validate=validate.OneOf(("attachment", "inline")),
        metadata={"description": "Whether a browser saves the picture or shows it"},
    )
    max_age = WholeNumber(
        load_default=None,
        validate=validate.Range(min=0),
        metadata={"description": "Greatest acceptable age of the picture, in seconds"},
    )


class ProblemSchema(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True, metadata={"description": "Always about:blank"})
    title = fields.String(required=True, metadata={"description": "The status in words"})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status"})
    detail = fields.String(required=True, metadata={"description": "A sentence that helps"})
    code = fields.String(required=True, metadata={"description": "A stable word for programs"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.List(fields.String())),
        metadata={"description": "On 422: location → field → messages"},
    )
    age = fields.Integer(metadata={"description": "On snapshot_too_old: the age in seconds"})
