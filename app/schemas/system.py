"""What crosses the wire about the box?"""

from marshmallow import Schema, fields, validate

EXAMPLE_METRICS = """\
# HELP nvr_snapshots_total Snapshots asked for, by what was answered.
# TYPE nvr_snapshots_total counter
nvr_snapshots_total{outcome="200"} 97.0
nvr_snapshots_total{outcome="no_snapshot"} 1.0
"""


class AliveSchema(Schema):
    """The process answers."""

    status = fields.Constant("alive", required=True)


class CheckSchema(Schema):
    """One thing that was looked at, and a sentence about it."""

    status = fields.String(
        required=True, validate=validate.OneOf(("healthy", "degraded", "unhealthy"))
    )
    message = fields.String(required=True)


class ChecksSchema(Schema):
    """Everything that is looked at."""

    database = fields.Nested(CheckSchema, required=True)
    base_path = fields.Nested(CheckSchema, required=True)
    free_space = fields.Nested(CheckSchema, required=True)
    watcher = fields.Nested(CheckSchema, required=True)
    server = fields.Nested(CheckSchema, required=True)


class HealthSchema(Schema):
    """Whether the service can do its work: the worst of its checks."""

    status = fields.String(
        required=True, validate=validate.OneOf(("healthy", "degraded", "unhealthy"))
    )
    checks = fields.Nested(ChecksSchema, required=True)
    timestamp = fields.AwareDateTime(required=True)


class StatusesSchema(Schema):
    """How many cameras of each status."""

    online = fields.Integer(required=True)
    offline = fields.Integer(required=True)
    error = fields.Integer(required=True)


class StatsSchema(Schema):
    """What is stored, and since when the service runs."""

    total_cameras = fields.Integer(required=True)
    cameras_by_status = fields.Nested(StatusesSchema, required=True)
    total_detections = fields.Integer(required=True)
    total_events = fields.Integer(required=True)
    uptime_seconds = fields.Integer(required=True)
    version = fields.String(required=True)


class StorageSchema(Schema):
    """Bytes and rows."""

    free_bytes = fields.Integer(
        required=True, metadata={"description": "Of the file system that holds the base path"}
    )
    used_bytes = fields.Integer(required=True)
    database_bytes = fields.Integer(required=True, metadata={"description": "With its WAL"})
    rows = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "By table"},
    )
