"""What crosses the wire about moments and timelines?"""

from marshmallow import Schema, fields, validate

from ..pictures.timeline import MINUTES, MOST_BUCKETS
from .cameras import EXAMPLE_CAMERA
from .common import (
    CursorQuerySchema,
    PeriodQuerySchema,
    ResponseSchema,
    RFC3339DateTime,
    UUIDString,
)
from .pictures import EXAMPLE_PICTURE
from .settings import check_time_zone

EXAMPLE_MOMENT = {
    "camera_id": EXAMPLE_CAMERA["id"],
    "start": "2025-12-23T03:12:05.000000Z",
    "end": "2025-12-23T03:13:10.000000Z",
    "pictures": 14,
    "clips": 1,
    "cover": EXAMPLE_PICTURE["id"],
    "object_types": ["person"],
    "event_ids": [1],
    "continuous": False,
}
EXAMPLE_MOMENTS = {"moments": [EXAMPLE_MOMENT], "next_cursor": None}
EXAMPLE_TIMELINE = {
    "buckets": [
        {
            "start": "2025-12-23T03:00:00.000000Z",
            "pictures": 14,
            "clips": 1,
            "detections": 2,
            "events": 1,
        }
    ]
}


class MomentSchema(ResponseSchema):
    """Uploads of a camera that follow each other closely."""

    camera_id = fields.UUID()
    start = fields.AwareDateTime(metadata={"description": "When the first was taken, UTC"})
    end = fields.AwareDateTime(metadata={"description": "When the last was taken, UTC"})
    pictures = fields.Integer()
    clips = fields.Integer()
    cover = fields.String(
        metadata={
            "description": "Id of the picture of the most confident detection, else of the middle "
            "one; a clip's where there are only clips"
        },
    )
    object_types = fields.List(
        fields.String(), metadata={"description": "What was detected in it, by name"}
    )
    event_ids = fields.List(fields.Integer(), metadata={"description": "Events that began in it"})
    continuous = fields.Boolean(
        metadata={"description": "Whether it is one hour of a longer run of uploads"}
    )


class MomentListSchema(Schema):
    """A page of moments, newest first."""

    moments = fields.List(fields.Nested(MomentSchema), required=True)
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Null on the last page"}
    )


class MomentQuerySchema(CursorQuerySchema, PeriodQuerySchema):
    """Which moments of a camera; the period is that of their start."""


class AllMomentsQuerySchema(MomentQuerySchema):
    """Which moments of all cameras, or of one."""

    camera_id = UUIDString()


class TimelineQuerySchema(Schema):
    """Which period, in steps of which length."""

    start_date = RFC3339DateTime(
        required=True, metadata={"description": "Not before this moment (RFC 3339)"}
    )
    end_date = RFC3339DateTime(
        required=True, metadata={"description": "Before this moment (RFC 3339)"}
    )
    bucket = fields.String(
        required=True,
        validate=validate.OneOf(list(MINUTES)),
        metadata={"description": f"At most {MOST_BUCKETS} in the period, empty ones too"},
    )
    timezone = fields.String(
        validate=check_time_zone,
        metadata={"description": "Time zone whose days are counted (IANA); by default the box's"},
    )


class BucketSchema(ResponseSchema):
    """Counts for a part of the period."""

    start = fields.AwareDateTime(metadata={"description": "When the part begins, UTC"})
    pictures = fields.Integer()
    clips = fields.Integer()
    detections = fields.Integer()
    events = fields.Integer()


class TimelineSchema(Schema):
    """The parts of a period that are not empty, oldest first."""

    buckets = fields.List(fields.Nested(BucketSchema), required=True)
