"""What crosses the wire about the audit log?"""

from marshmallow import fields

from .common import PageQuerySchema, PageSchema, PeriodQuerySchema, ResponseSchema

EXAMPLE_ENTRY = {
    "id": 2,
    "timestamp": "2025-12-23T12:05:00.000000Z",
    "action": "event_updated",
    "resource_type": "event",
    "resource_id": "1",
    "resource_name": None,
    "actor": "anonymous",
    "ip_address": "192.168.1.20",
    "user_agent": "curl/8.5.0",
    "details": {"changes": {"reviewed": {"old": False, "new": True}}},
}
EXAMPLE_LIST = {"entries": [EXAMPLE_ENTRY], "count": 1, "next_cursor": None}


class AuditEntrySchema(ResponseSchema):
    """One change and who made it."""

    id = fields.Integer()
    timestamp = fields.AwareDateTime()
    action = fields.String(metadata={"description": "camera_created, …"})
    resource_type = fields.String()
    resource_id = fields.String()
    resource_name = fields.String(
        allow_none=True, metadata={"description": "The name at that time"}
    )
    actor = fields.String(metadata={"description": "anonymous, a token's name, monitor or cli"})
    ip_address = fields.String(allow_none=True)
    user_agent = fields.String(allow_none=True)
    details = fields.Dict(metadata={"description": "Depends on the action"})


class AuditListSchema(PageSchema):
    """A page of the audit log, newest first."""

    entries = fields.List(fields.Nested(AuditEntrySchema), required=True)


class AuditQuerySchema(PageQuerySchema, PeriodQuerySchema):
    """The filters of the audit log."""

    action = fields.String()
    resource_type = fields.String()
    resource_id = fields.String()
    actor = fields.String()
