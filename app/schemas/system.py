"""What crosses the wire about the box and its audit log?"""

from typing import Any

from marshmallow import Schema, fields, validate

from ..models import STATUSES
from ..pictures.suspension import MESSAGES
from .common import (
    PageQuerySchema,
    PageSchema,
    PeriodQuerySchema,
    QueryBoolean,
    ResponseSchema,
)

EXAMPLE_METRICS = """\
# HELP nvr_snapshots_total Snapshots asked for, by what was answered.
# TYPE nvr_snapshots_total counter
nvr_snapshots_total{outcome="200"} 97.0
nvr_snapshots_total{outcome="no_snapshot"} 1.0
"""
EXAMPLE_ALIVE = {"status": "alive"}
EXAMPLE_HEALTH: dict[str, Any] = {
    "status": "healthy",
    "checks": {
        "database": {"status": "healthy", "message": "The database can be written."},
        "base_path": {"status": "healthy", "message": "The base path of the uploads can be read."},
        "storage": {
            "status": "healthy",
            "message": "20480 MiB are free for uploads, enough for 28.0 days.",
        },
        "storage_answering": {"status": "healthy", "message": "All storage in use answers."},
        "watcher": {
            "status": "healthy",
            "message": "Requests are answered. The kernel reports new pictures in all folders in "
            "use (inotify). The monitor checks the uploads of all cameras.",
        },
        "clock": {"status": "healthy", "message": "The clock is plausible."},
        "deliveries": {
            "status": "healthy",
            "message": "No message was given up within 24 hours.",
        },
        "retention": {
            "status": "healthy",
            "message": "Pictures that exceed the limits are deleted once an hour.",
        },
    },
    "timestamp": "2025-12-23T12:00:00.000000Z",
}
EXAMPLE_STATS = {
    "total_cameras": 3,
    "cameras_by_status": {"online": 2, "offline": 1, "error": 0},
    "total_detections": 1200,
    "total_events": 37,
    "uptime_seconds": 86400,
    "version": "0.1.0",
}
EXAMPLE_STORAGE = {
    "free_bytes": 21474836480,
    "used_bytes": 10737418240,
    "database_bytes": 1048576,
    "rows": {"camera": 3, "event": 37, "detection": 1200, "audit_entry": 51},
    "cameras": [
        {
            "camera_id": "3f2b6c1e-8a4d-4e0b-9c57-2d1f0a9b8e7c",
            "name": "Front Door",
            "pictures": 17280,
            "clips": 96,
            "bytes": 5368709120,
            "oldest": "2025-12-16T12:00:00.000000Z",
            "newest": "2025-12-23T11:59:55.000000Z",
            "bytes_per_day": 766958446,
        }
    ],
    "days_left": 28.0,
}
EXAMPLE_RETENTION = {
    "dry_run": True,
    "suspended": None,
    "pictures": 1200,
    "clips": 30,
    "bytes": 734003200,
    "cameras": [
        {
            "camera_id": "6f0c7f2e-6e0b-4a51-9b1e-6a3b6f0d9a11",
            "name": "Front Door",
            "pictures": 1200,
            "clips": 30,
            "bytes": 734003200,
            "oldest": "2025-11-01T00:00:12.000000Z",
            "newest": "2025-11-23T11:59:48.000000Z",
            "existing": 12,
        }
    ],
}
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
EXAMPLE_ENTRIES = {"entries": [EXAMPLE_ENTRY], "count": 1, "next_cursor": None}


class AliveSchema(ResponseSchema):
    status = fields.Constant("alive")


class CheckSchema(ResponseSchema):
    status = fields.String(validate=validate.OneOf(("healthy", "degraded", "unhealthy")))
    message = fields.String()


# The results of all checks.
ChecksSchema = ResponseSchema.from_dict(
    {name: fields.Nested(CheckSchema) for name in EXAMPLE_HEALTH["checks"]}, name="ChecksSchema"
)


class HealthSchema(ResponseSchema):
    """Whether the service can do its work: the worst of its checks."""

    status = fields.String(validate=validate.OneOf(("healthy", "degraded", "unhealthy")))
    checks = fields.Nested(ChecksSchema)
    timestamp = fields.AwareDateTime()


# How many cameras of each status.
StatusesSchema = ResponseSchema.from_dict(
    {status: fields.Integer() for status in STATUSES}, name="StatusesSchema"
)


class StatsSchema(ResponseSchema):
    """How much is stored, and for how long the service has run."""

    total_cameras = fields.Integer()
    cameras_by_status = fields.Nested(StatusesSchema)
    total_detections = fields.Integer()
    total_events = fields.Integer()
    uptime_seconds = fields.Integer()
    version = fields.String()


class CameraFilesSchema(ResponseSchema):
    """How many pictures and clips of a camera, and of which times."""

    camera_id = fields.UUID()
    name = fields.String()
    pictures = fields.Integer()
    clips = fields.Integer()
    bytes = fields.Integer()
    oldest = fields.AwareDateTime(allow_none=True)
    newest = fields.AwareDateTime(allow_none=True)


class CameraStorageSchema(CameraFilesSchema):
    """What the pictures and clips of a camera occupy."""

    bytes_per_day = fields.Integer(
        metadata={"description": "Rate of the last 7 days, or since the camera's first picture"}
    )


class StorageSchema(ResponseSchema):
    free_bytes = fields.Integer(
        metadata={"description": "Of the file system that holds the base path"}
    )
    used_bytes = fields.Integer()
    database_bytes = fields.Integer(metadata={"description": "With its WAL"})
    rows = fields.Dict(
        keys=fields.String(), values=fields.Integer(), metadata={"description": "By table"}
    )
    cameras = fields.List(fields.Nested(CameraStorageSchema))
    days_left = fields.Float(
        allow_none=True,
        metadata={
            "description": "Until a disk is full; null where nothing is uploaded, a limit of "
            "the box holds earlier, or the base path is missing"
        },
    )


class RetentionQuerySchema(Schema):
    dry_run = QueryBoolean(
        load_default=False, metadata={"description": "Delete nothing, only say what would go"}
    )


class RetentionBodySchema(Schema):
    """A body without fields: ``dry_run`` in it would have no effect."""


class CameraRetentionSchema(CameraFilesSchema):
    """The files of a camera that go. One that several cameras have counts for each of them."""

    existing = fields.Integer(metadata={"description": "Files from before the camera, which stay"})


class RetentionSchema(ResponseSchema):
    """What a run has deleted, or would delete; each file counts once."""

    dry_run = fields.Boolean()
    suspended = fields.String(
        allow_none=True,
        validate=validate.OneOf((*MESSAGES, None)),
        metadata={"description": "Why nothing is deleted at the moment"},
    )
    pictures = fields.Integer()
    clips = fields.Integer()
    bytes = fields.Integer()
    cameras = fields.List(fields.Nested(CameraRetentionSchema))


class AuditEntrySchema(ResponseSchema):
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
    entries = fields.List(fields.Nested(AuditEntrySchema), required=True)


class AuditQuerySchema(PageQuerySchema, PeriodQuerySchema):
    action = fields.String()
    resource_type = fields.String()
    resource_id = fields.String()
    actor = fields.String()
