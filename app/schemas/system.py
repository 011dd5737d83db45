"""What crosses the wire about the box?"""

from marshmallow import fields, validate

from .common import ResponseSchema

EXAMPLE_METRICS = """\
# HELP nvr_snapshots_total Snapshots asked for, by what was answered.
# TYPE nvr_snapshots_total counter
nvr_snapshots_total{outcome="200"} 97.0
nvr_snapshots_total{outcome="no_snapshot"} 1.0
"""


class AliveSchema(ResponseSchema):
    """The process answers."""

    status = fields.Constant("alive")


class CheckSchema(ResponseSchema):
    """One thing that was looked at, and a sentence about it."""

    status = fields.String(validate=validate.OneOf(("healthy", "degraded", "unhealthy")))
    message = fields.String()


class ChecksSchema(ResponseSchema):
    """Everything that is looked at."""

    database = fields.Nested(CheckSchema)
    base_path = fields.Nested(CheckSchema)
    free_space = fields.Nested(CheckSchema)
    watcher = fields.Nested(CheckSchema)
    server = fields.Nested(CheckSchema)


class HealthSchema(ResponseSchema):
    """Whether the service can do its work: the worst of its checks."""

    status = fields.String(validate=validate.OneOf(("healthy", "degraded", "unhealthy")))
    checks = fields.Nested(ChecksSchema)
    timestamp = fields.AwareDateTime()


class StatusesSchema(ResponseSchema):
    """How many cameras of each status."""

    online = fields.Integer()
    offline = fields.Integer()
    error = fields.Integer()


class StatsSchema(ResponseSchema):
    """What is stored, and since when the service runs."""

    total_cameras = fields.Integer()
    cameras_by_status = fields.Nested(StatusesSchema)
    total_detections = fields.Integer()
    total_events = fields.Integer()
    uptime_seconds = fields.Integer()
    version = fields.String()


class StorageSchema(ResponseSchema):
    """Bytes and rows."""

    free_bytes = fields.Integer(
        metadata={"description": "Of the file system that holds the base path"}
    )
    used_bytes = fields.Integer()
    database_bytes = fields.Integer(metadata={"description": "With its WAL"})
    rows = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "By table"},
    )
