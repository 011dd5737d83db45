"""What crosses the wire about events?"""

from marshmallow import Schema, fields, validate

from ..models import RISK_LEVELS
from .cameras import EXAMPLE_CAMERA
from .common import (
    BoundedList,
    CleanString,
    PageQuerySchema,
    PageSchema,
    PeriodQuerySchema,
    QueryBoolean,
    ResponseSchema,
    RFC3339DateTime,
    StrictBoolean,
    StrictInteger,
    UpdateSchema,
    UUIDString,
)
from .detections import LARGEST_BATCH

EXAMPLE_CREATE = {
    "camera_id": EXAMPLE_CAMERA["id"],
    "started_at": "2025-12-23T12:00:00Z",
    "ended_at": "2025-12-23T12:00:40Z",
    "risk_score": 72,
    "summary": "A person at the front door",
    "detection_ids": [1, 2],
}
EXAMPLE_EVENT = {
    "id": 1,
    "camera_id": EXAMPLE_CAMERA["id"],
    "started_at": "2025-12-23T12:00:00.000000Z",
    "ended_at": "2025-12-23T12:00:40.000000Z",
    "risk_score": 72,
    "risk_level": "high",
    "summary": "A person at the front door",
    "reasoning": "",
    "reviewed": False,
    "notes": None,
    "detection_count": 2,
}
EXAMPLE_LIST = {"events": [EXAMPLE_EVENT], "count": 1, "next_cursor": None}
EXAMPLE_UPDATE = {"reviewed": True, "notes": "The postman"}
EXAMPLE_UPDATED = EXAMPLE_EVENT | EXAMPLE_UPDATE
EXAMPLE_STATS = {
    "total_events": 3,
    "events_by_risk_level": {"low": 2, "medium": 0, "high": 1, "critical": 0},
    "events_by_camera": [
        {"camera_id": EXAMPLE_CAMERA["id"], "camera_name": "Front Door Camera", "event_count": 3}
    ],
}


class EventFieldsSchema(Schema):
    """The fields of an event that can be set when it is created, and changed later."""

    ended_at = RFC3339DateTime(
        load_default=None, allow_none=True, metadata={"description": "Not before started_at"}
    )
    risk_score = StrictInteger(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 100),
        metadata={"description": "0 to 100"},
    )
    summary = CleanString(load_default="", validate=validate.Length(max=2000))
    reasoning = CleanString(load_default="", validate=validate.Length(max=10000))
    reviewed = StrictBoolean(
        load_default=False, metadata={"description": "Whether a person has reviewed it"}
    )
    notes = CleanString(load_default=None, allow_none=True, validate=validate.Length(max=2000))


class EventCreateSchema(EventFieldsSchema):
    camera_id = UUIDString(required=True, metadata={"description": "The camera that saw it"})
    started_at = RFC3339DateTime(required=True)
    detection_ids = BoundedList(
        StrictInteger(validate=validate.Range(min=1)),
        load_default=list,
        validate=validate.Length(max=LARGEST_BATCH),
        metadata={"description": "Unclaimed detections of the same camera"},
    )


class EventUpdateSchema(UpdateSchema, EventFieldsSchema):
    """The body of a review; fields that are left out stay as they are."""


class EventSchema(ResponseSchema, EventCreateSchema):
    class Meta:
        fields = (
            *("id", "camera_id", "started_at", "ended_at", "risk_score", "risk_level"),
            *("summary", "reasoning", "reviewed", "notes", "detection_count"),
        )

    id = fields.Integer()
    risk_level = fields.String(
        allow_none=True,
        validate=validate.OneOf((*RISK_LEVELS, None)),
        metadata={
            "description": "Of the score: low 0-29, medium 30-59, high 60-84, critical 85-100; "
            "null without a score"
        },
    )
    detection_count = fields.Integer()


class EventListSchema(PageSchema):
    events = fields.List(fields.Nested(EventSchema), required=True)


class EventFilterSchema(PeriodQuerySchema):
    """The filters of the events; the period is that of started_at."""

    camera_id = UUIDString()
    risk_level = fields.String(validate=validate.OneOf(RISK_LEVELS))
    reviewed = QueryBoolean()
    object_type = fields.String(metadata={"description": "That of one of its detections"})


class EventQuerySchema(EventFilterSchema, PageQuerySchema):
    """Which events, and which page of them."""


# How many events of each risk level.
LevelsSchema = ResponseSchema.from_dict(
    {level: fields.Integer() for level in RISK_LEVELS}, name="LevelsSchema"
)


class CameraEventsSchema(ResponseSchema):
    camera_id = fields.UUID()
    camera_name = fields.String()
    event_count = fields.Integer()


class EventStatsSchema(ResponseSchema):
    """The number of events in a period; an event without a score has no level."""

    total_events = fields.Integer()
    events_by_risk_level = fields.Nested(LevelsSchema)
    events_by_camera = fields.List(fields.Nested(CameraEventsSchema))
