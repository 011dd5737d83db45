"""What crosses the wire about pictures and clips?"""

from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, validate, validates_schema

from ..pictures.files import TYPES
from ..pictures.listing import KINDS
from .cameras import EXAMPLE_CAMERA, SnapshotQuerySchema
from .common import (
    PageQuerySchema,
    PageSchema,
    PeriodQuerySchema,
    QueryBoolean,
    QueryInteger,
    ResponseSchema,
    RFC3339DateTime,
)

TWO_BEGINNINGS = "Give around or cursor, not both."
ORDERS = ("newest", "oldest")
EXAMPLE_PICTURE = {
    "id": "5d0f2c9a41b7e86f03ac-6469d3bd8a400",
    "camera_id": EXAMPLE_CAMERA["id"],
    "taken_at": "2025-12-23T03:12:05.000000Z",
    "kind": "picture",
    "name": "20251223/031205.jpg",
    "size": 204800,
    "content_type": "image/jpeg",
    "kept": False,
}
EXAMPLE_LIST = {
    "pictures": [EXAMPLE_PICTURE],
    "count": 1,
    "next_cursor": None,
    "previous_cursor": None,
}


class PictureSchema(ResponseSchema):
    """A picture or a clip."""

    id = fields.String(
        validate=validate.Regexp("^[A-Za-z0-9_-]{1,64}$"),
        metadata={"description": "Identifies these bytes: an overwritten file gets another id"},
    )
    camera_id = fields.UUID()
    taken_at = fields.AwareDateTime(metadata={"description": "When it was taken, UTC"})
    kind = fields.String(validate=validate.OneOf(KINDS))
    name = fields.String(metadata={"description": "Path below the camera's folder"})
    size = fields.Integer(metadata={"description": "In bytes"})
    content_type = fields.String(validate=validate.OneOf(sorted(set(TYPES.values()))))
    kept = fields.Boolean(metadata={"description": "Whether retention never deletes it"})


class PictureListSchema(PageSchema):
    """A page of pictures and clips."""

    pictures = fields.List(fields.Nested(PictureSchema), required=True)
    previous_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Null on the first page"}
    )


class EventPicturesQuerySchema(PageQuerySchema):
    """Which page of the pictures of an event."""


class PictureBytesQuerySchema(SnapshotQuerySchema):
    """How a picture or a clip is sent; unknown parameters are ignored."""

    class Meta:
        unknown = EXCLUDE
        exclude = ("max_age", "placeholder")

    thumbnail = QueryInteger(
        load_default=0,
        validate=validate.Range(0, 1),
        metadata={"description": "`1`: a picture of a clip instead of the clip", "example": 1},
    )


class PictureQuerySchema(PageQuerySchema, PeriodQuerySchema):
    """Which pictures and clips, and where the page begins."""

    kind = fields.String(
        validate=validate.OneOf(KINDS), metadata={"description": "Only pictures, or only clips"}
    )
    kept = QueryBoolean(metadata={"description": "Only those that are kept, or are not"})
    order = fields.String(
        load_default=ORDERS[0],
        validate=validate.OneOf(ORDERS),
        metadata={"description": "Which come first"},
    )
    around = RFC3339DateTime(
        load_default=None,
        metadata={
            "description": "Begin at the one nearest to this moment, of two the older; the "
            "cursors lead both ways from there"
        },
    )

    @validates_schema
    def refuse_two_beginnings(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse ``around`` with a cursor, which already says where the page begins."""
        if data["around"] is not None and data["cursor"] is not None:
            raise ValidationError(TWO_BEGINNINGS, "around")
