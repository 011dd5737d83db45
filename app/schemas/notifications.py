"""What crosses the wire about the rules of notifications and about deliveries?"""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from ..models import DELIVERY_STATES, KINDS, RISK_LEVELS
from ..notify.signing import is_secret
from .common import (
    BoundedList,
    CleanString,
    PageQuerySchema,
    PageSchema,
    QueryInteger,
    ResponseSchema,
    StrictBoolean,
    StrictFloat,
    StrictInteger,
    StrippedString,
    UpdateSchema,
    UUIDString,
)

WRONG_KEY = "Give whsec_ and the base64 of 24 to 64 bytes."
SAME_TIME = "Must not be the same as from."
MOST_CAMERAS, MOST_TYPES, MOST_SECONDS = 1000, 100, 10**9
EXAMPLE_CREATE = {
    "name": "Telephone",
    "url": "https://hooks.example.org/services/T024BE7LD",
    "kinds": ["detection", "camera_offline"],
    "cameras": None,
    "object_types": ["person"],
    "min_confidence": 0.6,
    "min_risk_level": None,
    "quiet_hours": {"from": "22:00", "to": "06:30"},
    "cooldown_seconds": 300,
    "with_picture": False,
    "enabled": True,
}
EXAMPLE_RULE = {"id": 1, **EXAMPLE_CREATE, "url": "https://hooks.example.org/***"}
EXAMPLE_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE_CREATED = EXAMPLE_RULE | {"secret": EXAMPLE_KEY}
EXAMPLE_LIST = {"notifications": [EXAMPLE_RULE], "count": 1}
EXAMPLE_UPDATE = {"enabled": False, "cooldown_seconds": 600}
EXAMPLE_TRIAL = {"ok": True, "status": 204, "error": None}
EXAMPLE_DELIVERY = {
    "id": 7,
    "notification_id": 1,
    "kind": "detection",
    "created_at": "2025-12-23T12:00:00.000000Z",
    "state": "delivered",
    "attempts": 1,
    "delivered_at": "2025-12-23T12:00:00.084213Z",
    "error": None,
}
EXAMPLE_DELIVERIES = {"deliveries": [EXAMPLE_DELIVERY], "count": 1, "next_cursor": None}
HOUR_OF_DAY = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"
HOUR = validate.Regexp(HOUR_OF_DAY, error="Give a time such as 22:30.")


def check_secret(secret: str) -> None:
    if not is_secret(secret):
        raise ValidationError(WRONG_KEY)


class _QuietHours(Schema):
    @validates_schema
    def check_length(self, data: Any, **_: Any) -> None:
        """Refuse hours that begin when they end."""
        if data["from"] == data["to"]:
            raise ValidationError(SAME_TIME, "to")


# Two times of the day in the time zone of the box; the hours between them may pass midnight.
QuietHoursSchema = _QuietHours.from_dict(
    {side: fields.String(required=True, validate=HOUR) for side in ("from", "to")},
    name="QuietHoursSchema",
)


class NotificationFieldsSchema(Schema):
    """The fields of a rule that are both sent and shown."""

    name = StrippedString(required=True, validate=validate.Length(1, 100))
    url = CleanString(
        required=True,
        validate=validate.Length(1, 2000),
        metadata={
            "description": "The receiver: http:// or https:// for a webhook, else a URL of "
            "Apprise. Shown with `***` for user, password, path and query, and for the host of "
            "most URLs of Apprise"
        },
    )
    kinds = BoundedList(
        fields.String(validate=validate.OneOf(KINDS)),
        required=True,
        validate=validate.Length(1, len(KINDS)),
        metadata={"description": "The kinds of occurrences that are reported"},
    )
    cameras = BoundedList(
        UUIDString(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(0, MOST_CAMERAS),
        metadata={"description": "Only these cameras; null: all"},
    )
    object_types = BoundedList(
        CleanString(validate=validate.Length(1, 50)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, MOST_TYPES),
        metadata={"description": "Only detections and events of these types; null: all"},
    )
    min_confidence = StrictFloat(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 1),
        metadata={"description": "Only detections that are at least this sure"},
    )
    min_risk_level = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(RISK_LEVELS),
        metadata={"description": "Only events of at least this risk level"},
    )
    quiet_hours = fields.Nested(
        QuietHoursSchema,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "What happens in these hours of the box's time zone is never reported. "
            "They may pass midnight"
        },
    )
    cooldown_seconds = StrictInteger(
        load_default=0,
        validate=validate.Range(0, MOST_SECONDS),
        metadata={
            "description": "How long after a message nothing more is reported of the same "
            "camera, kind and object type, except an event of a higher risk level"
        },
    )
    with_picture = StrictBoolean(
        load_default=False, metadata={"description": "Attach the picture where the service can"}
    )
    enabled = StrictBoolean(load_default=True)


class NotificationCreateSchema(NotificationFieldsSchema):
    secret = fields.String(
        validate=check_secret,
        metadata={
            "description": "Signs a webhook (Standard Webhooks): `whsec_` and the base64 of 24 to "
            "64 bytes. The service makes one if none is given"
        },
    )


class NotificationUpdateSchema(UpdateSchema, NotificationCreateSchema):
    """The body that changes a rule; fields that are left out stay as they are."""


class NotificationSchema(ResponseSchema, NotificationFieldsSchema):
    id = fields.Integer()


class NotificationCreatedSchema(NotificationSchema):
    secret = fields.String(
        metadata={"description": "Shown once, if the service has made the secret"}
    )

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Make every field required except the secret."""
        super().on_bind_field(field_name, field_obj)
        field_obj.required = field_name != "secret"


class NotificationListSchema(ResponseSchema):
    notifications = fields.List(fields.Nested(NotificationSchema))
    count = fields.Integer()


class TrialSchema(ResponseSchema):
    """Whether the receiver took the test message."""

    ok = fields.Boolean()
    status = fields.Integer(
        allow_none=True,
        metadata={"description": "The HTTP status, where the receiver answered with one"},
    )
    error = fields.String(allow_none=True)


class DeliverySchema(ResponseSchema):
    id = fields.Integer()
    notification_id = fields.Integer()
    kind = fields.String(validate=validate.OneOf(KINDS))
    created_at = fields.AwareDateTime()
    state = fields.String(validate=validate.OneOf(DELIVERY_STATES))
    attempts = fields.Integer()
    delivered_at = fields.AwareDateTime(allow_none=True)
    error = fields.String(allow_none=True, metadata={"description": "Why the last attempt failed"})


class DeliveryListSchema(PageSchema):
    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)


class DeliveryQuerySchema(PageQuerySchema):
    notification_id = QueryInteger()
    state = fields.String(validate=validate.OneOf(DELIVERY_STATES))
