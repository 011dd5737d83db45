"""What crosses the wire about cameras?

A field that a client chooses stands in `CameraSchema`, in `CameraCreateSchema` and in the example.
"""

from typing import Any

from marshmallow import Schema, fields, validate

from ..models import ASSIGNED, STATUSES
from .common import CLEAN, CLEAN_PATTERN, CONTROLS
from .fields import Name, Text

EXAMPLE_CAMERA = {
    "id": "123e4567-e89b-12d3-a456-426614174000",
    "name": "Front Door Camera",
    "folder_path": "/export/foscam/front_door",
    "status": "online",
    "created_at": "2025-12-23T10:00:00.000000Z",
    "last_seen_at": "2025-12-23T12:00:00.000000Z",
}
EXAMPLE_LIST = {"cameras": [EXAMPLE_CAMERA], "count": 1}
EXAMPLE_CREATE = {name: value for name, value in EXAMPLE_CAMERA.items() if name not in ASSIGNED}
EXAMPLE_CREATED = EXAMPLE_CAMERA | {"last_seen_at": None}
EXAMPLE_UPDATE = {"name": "Front Door Camera - Updated", "status": "offline"}
EXAMPLE_UPDATED = EXAMPLE_CAMERA | EXAMPLE_UPDATE
NAME = {
    "description": "Display name; outer blanks are removed, a blank name is refused",
    "pattern": f"^{CLEAN}[^\\s{CONTROLS}]{CLEAN}$",
}
FOLDER_PATH = {
    "description": "Folder that the camera uploads to: absolute, or relative to the base path",
    **CLEAN_PATTERN,
}


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
    """What registers a camera: all that its client chooses."""

    name = Name(required=True, validate=validate.Length(1, 255), metadata=NAME)
    folder_path = Text(required=True, validate=validate.Length(1, 500), metadata=FOLDER_PATH)
    status = fields.String(
        load_default="online",
        validate=validate.OneOf(STATUSES),
        metadata={"description": "Initial status"},
    )


class CameraUpdateSchema(CameraCreateSchema):
    """What changes a camera; fields that are left out stay as they are."""

    status = fields.String(
        validate=validate.OneOf(STATUSES), metadata={"description": "New status"}
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(partial=True, **options)


class CameraImportSchema(Schema):
    """A file of cameras."""

    cameras = fields.List(fields.Nested(CameraCreateSchema), required=True)


class CameraQuerySchema(Schema):
    """What the camera list can be filtered by."""

    status = fields.String(
        validate=validate.OneOf(STATUSES),
        metadata={"description": "Only cameras of this status"},
    )
