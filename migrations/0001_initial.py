"""The tables as they were first: cameras, events, detections, audit entries. Frozen."""

from peewee import (
    SQL,
    BooleanField,
    Check,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)
from playhouse.sqlite_ext import AutoIncrementField

RISK_LEVEL = (
    "GENERATED ALWAYS AS (CASE WHEN risk_score < 30 THEN 'low' WHEN risk_score < 60 THEN 'medium' "
    "WHEN risk_score < 85 THEN 'high' WHEN risk_score <= 100 THEN 'critical' END) VIRTUAL"
)


def up(migrator, db):
    class Record(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Camera(Record):
        id = TextField(primary_key=True)
        name = TextField()
        folder_path = TextField()
        status = TextField(constraints=[Check("status IN ('online', 'offline', 'error')")])
        created_at = TextField()
        last_seen_at = TextField(null=True)

        class Meta:
            indexes = ((("created_at", "id"), False),)

    class Event(Record):
        id = AutoIncrementField()
        camera = ForeignKeyField(Camera, on_delete="CASCADE", index=False)
        started_at = TextField()
        ended_at = TextField(null=True)
        risk_score = IntegerField(null=True)
        risk_level = TextField(null=True, constraints=[SQL(RISK_LEVEL)])
        summary = TextField()
        reasoning = TextField()
        reviewed = BooleanField()
        notes = TextField(null=True)

        class Meta:
            indexes = (
                (("started_at", "id", "camera", "risk_level", "reviewed"), False),
                (("camera", "started_at", "id", "risk_level", "reviewed"), False),
                (("risk_level", "started_at", "id", "camera", "reviewed"), False),
                (("reviewed", "started_at", "id", "camera", "risk_level"), False),
            )

    class Detection(Record):
        id = AutoIncrementField()
        camera = ForeignKeyField(Camera, on_delete="CASCADE", index=False)
        event = ForeignKeyField(Event, null=True, on_delete="SET NULL", index=False)
        detected_at = TextField()
        object_type = TextField()
        confidence = FloatField()
        bbox_x = IntegerField(null=True)
        bbox_y = IntegerField(null=True)
        bbox_width = IntegerField(null=True)
        bbox_height = IntegerField(null=True)
        file_path = TextField(null=True)
        external_id = TextField(null=True)

        class Meta:
            indexes = (
                (("camera", "external_id"), True),
                (("detected_at", "id", "confidence"), False),
                (("camera", "detected_at", "id", "confidence"), False),
                (("object_type", "detected_at", "id", "confidence"), False),
                (("camera", "object_type", "detected_at", "id", "confidence"), False),
                (("event", "detected_at", "id", "object_type"), False),
            )

    class AuditEntry(Record):
        id = AutoIncrementField()
        timestamp = TextField()
        action = TextField()
        resource_type = TextField()
        resource_id = TextField()
        resource_name = TextField(null=True)
        actor = TextField()
        ip_address = TextField(null=True)
        user_agent = TextField(null=True)
        details = TextField()

        class Meta:
            indexes = (
                (("timestamp", "id"), False),
                (("action", "timestamp", "id"), False),
                (("resource_id", "timestamp", "id"), False),
            )

    class Secret(Record):
        name = TextField(primary_key=True)
        value = TextField()

    db.create_tables([Camera, Event, Detection, AuditEntry, Secret])
    db.execute_sql(
        "INSERT INTO secret (name, value) VALUES ('cursor', lower(hex(randomblob(32))))"
    )
