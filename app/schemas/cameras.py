"""What crosses the wire about cameras?

A field that a client chooses is declared in `CameraCreateSchema` and stands in the example.
"""

from marshmallow import EXCLUDE, Schema, fields, validate

from ..images.resize import LEAST, MOST
from ..models import ASSIGNED, STATUSES
from .common import (
    CLEAN,
    CONTROLS,
    CleanString,
    QueryInteger,
    ResponseSchema,
    StrippedString,
    UpdateSchema,
)
from .settings import CameraSettingsUpdateSchema

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
    "description": "Display name; blanks around it are removed, and it must not be blank",
    "pattern": f"^{CLEAN}[^\\s{CONTROLS}]{CLEAN}$",
}
FOLDER_PATH = {
    "description": "Folder that the camera uploads to: absolute, or relative to the base path"
}


class CameraCreateSchema(Schema):
    name = StrippedString(required=True, validate=validate.Length(1, 255), metadata=NAME)
    folder_path = CleanString(
        required=True, validate=validate.Length(1, 500), metadata=FOLDER_PATH
    )
    status = fields.String(
        load_default="online",
        validate=validate.OneOf(STATUSES),
        metadata={"description": "Current status"},
    )


class CameraUpdateSchema(UpdateSchema, CameraCreateSchema):
    """The body that changes a camera; fields that are left out stay as they are."""


class CameraSchema(ResponseSchema, CameraCreateSchema):
    id = fields.UUID(metadata={"description": "Camera UUID"})
    created_at = fields.AwareDateTime(metadata={"description": "When the camera was created, UTC"})
    last_seen_at = fields.AwareDateTime(
        allow_none=True,
        metadata={"description": "Last upload that completed, UTC; null before the first"},
    )


class CameraListResponseSchema(ResponseSchema):
    cameras = fields.List(fields.Nested(CameraSchema))
    count = fields.Integer(metadata={"description": "How many cameras match"})


class CameraEntrySchema(CameraCreateSchema):
    """A camera in a file for import, with its settings."""

    settings = fields.Nested(CameraSettingsUpdateSchema)


class CameraImportSchema(Schema):
    """A file for import."""

    cameras = fields.List(fields.Nested(CameraEntrySchema), required=True)


class CameraQuerySchema(Schema):
    status = fields.String(
        validate=validate.OneOf(STATUSES), metadata={"description": "Only cameras of this status"}
    )


class SnapshotQuerySchema(Schema):
    """How a picture is sent; unknown parameters are ignored, because people add cache busters."""

    class Meta:
        unknown = EXCLUDE

    disposition = fields.String(
        load_default="attachment",
        validate=validate.OneOf(("attachment", "inline")),
        metadata={"description": "Whether a browser saves the picture or shows it"},
    )
    max_age = QueryInteger(
        load_default=None,
        validate=validate.Range(min=0),
        metadata={"description": "Greatest acceptable age of the picture, in seconds"},
    )
    width = QueryInteger(
        load_default=None,
        validate=validate.Range(LEAST, MOST),
        metadata={
            "description": "Greatest width in pixels: a larger picture is made smaller in "
            "proportion, none is enlarged; a GIF becomes a PNG of its first frame",
            "example": 320,
        },
    )
    height = QueryInteger(
        load_default=None,
        validate=validate.Range(LEAST, MOST),
        metadata={
            "description": "Greatest height in pixels; with `width`, both hold",
            "example": 240,
        },
    )
    placeholder = QueryInteger(
        load_default=0,
        validate=validate.Range(0, 1),
        metadata={
            "description": "`1`: where there is no picture, a placeholder with the camera's name "
            "and the reason instead of 404; PNG, or SVG where Accept prefers it",
            "example": 1,
        },
    )
