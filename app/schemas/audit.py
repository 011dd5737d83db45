"""What crosses the wire about the audit log?"""

from marshmallow import Schema, fields

from .common import PageQuerySchema, PageSchema, PeriodQuerySchema


class AuditEntrySchema(Schema):
    """One change and who made it."""

    id = fields.Integer(required=True)
    timestamp = fields.AwareDateTime(required=True)
    action = fields.String(required=True, metadata={"description": "camera_created, …"})
    resource_type = fields.String(required=True)
    resource_id = fields.String(required=True)
    resource_name = fields.String(
        required=True, allow_none=True, metadata={"description": "The name as it was then"}
    )
    actor = fields.String(
        required=True, metadata={"description": "anonymous, a token's name, monitor or cli"}
    )
    ip_address = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)
    details = fields.Dict(required=True, metadata={"description": "What belongs to the action"})


class AuditListSchema(PageSchema):
    """A page of the audit log, newest first."""

    entries = fields.List(fields.Nested(AuditEntrySchema), required=True)


class AuditQuerySchema(PageQuerySchema, PeriodQuerySchema):
    """What the audit log can be filtered by."""

    action = fields.String()
    resource_type = fields.String()
    resource_id = fields.String()
    actor = fields.String()
