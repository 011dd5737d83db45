"""What crosses the wire about events?"""

from marshmallow import Schema, fields, validate

from ..models import RISK_LEVELS
from .common import CLEAN_PATTERN, PageQuerySchema, PageSchema, PeriodQuerySchema
from .detections import MOST_AT_ONCE
from .fields import Identity, Moment, QueryFlag, Text, Truth, Whole

LEVELS = "low 0-29, medium 30-59, high 60-84, critical 85-100; null without a score"


class EventUpdateSchema(Schema):
    """What a review changes; fields that are left out stay as they are."""

    ended_at = Moment(allow_none=True, metadata={"description": "Not before started_at"})
    risk_score = Whole(
        allow_none=True, validate=validate.Range(0, 100), metadata={"description": "0 to 100"}
    )
    summary = Text(validate=validate.Length(max=2000), metadata=CLEAN_PATTERN)
    reasoning = Text(validate=validate.Length(max=10000), metadata=CLEAN_PATTERN)
    reviewed = Truth(metadata={"description": "Whether a person has looked at it"})
    notes = Text(allow_none=True, validate=validate.Length(max=2000), metadata=CLEAN_PATTERN)


class EventCreateSchema(EventUpdateSchema):
    """Something that happened before a camera."""

    camera_id = Identity(required=True, metadata={"description": "The camera that saw it"})
    started_at = Moment(required=True)
    ended_at = Moment(load_default=None, allow_none=True)
    risk_score = Whole(load_default=None, allow_none=True, validate=validate.Range(0, 100))
    summary = Text(load_default="", validate=validate.Length(max=2000), metadata=CLEAN_PATTERN)
    reasoning = Text(load_default="", validate=validate.Length(max=10000), metadata=CLEAN_PATTERN)
    reviewed = Truth(load_default=False)
    notes = Text(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=2000),
        metadata=CLEAN_PATTERN,
    )
    detection_ids = fields.List(
        Whole(validate=validate.Range(min=1)),
        load_default=list,
        validate=validate.Length(max=MOST_AT_ONCE),
        metadata={"description": "Unclaimed detections of the same camera"},
    )


class EventSchema(Schema):
    """An event as it is answered."""

    id = fields.Integer(required=True)
    camera_id = fields.UUID(required=True)
    started_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    risk_score = fields.Integer(required=True, allow_none=True)
    risk_level = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf((*RISK_LEVELS, None)),
        metadata={"description": LEVELS},
    )
    summary = fields.String(required=True)
    reasoning = fields.String(required=True)
    reviewed = fields.Boolean(required=True)
    notes = fields.String(required=True, allow_none=True)
    detection_count = fields.Integer(required=True)


class EventListSchema(PageSchema):
    """A page of events, newest first."""

    events = fields.List(fields.Nested(EventSchema), required=True)


class EventFilterSchema(PeriodQuerySchema):
    """What the events can be filtered by; the period is that of started_at."""

    camera_id = Identity()
    risk_level = fields.String(validate=validate.OneOf(RISK_LEVELS))
    reviewed = QueryFlag()
    object_type = fields.String(
        metadata={"description": "Of one of the detections that it was given"}
    )


class EventQuerySchema(EventFilterSchema, PageQuerySchema):
    """Which events, and which page of them."""


class LevelsSchema(Schema):
    """How many events of each level."""

    low = fields.Integer(required=True)
    medium = fields.Integer(required=True)
    high = fields.Integer(required=True)
    critical = fields.Integer(required=True)


class CameraEventsSchema(Schema):
    """How many events of one camera."""

    camera_id = fields.UUID(required=True)
    camera_name = fields.String(required=True)
    event_count = fields.Integer(required=True)


class EventStatsSchema(Schema):
    """The events of a period in numbers; events without a score have no level."""

    total_events = fields.Integer(required=True)
    events_by_risk_level = fields.Nested(LevelsSchema, required=True)
    events_by_camera = fields.List(fields.Nested(CameraEventsSchema), required=True)
