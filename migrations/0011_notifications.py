"""Rules of whom to tell what, the messages for each, and what was told last. Frozen."""

from peewee import (
    SQL,
    BooleanField,
    Check,
    CompositeKey,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)
from playhouse.sqlite_ext import AutoIncrementField


def up(migrator, db):
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Notification(Base):
        id = AutoIncrementField()
        name = TextField()
        url = TextField()
        secret = TextField()
        kinds = TextField()
        cameras = TextField(null=True)
        object_types = TextField(null=True)
        min_confidence = FloatField(null=True)
        min_risk_level = TextField(null=True)
        quiet_from = TextField(null=True)
        quiet_to = TextField(null=True)
        cooldown_seconds = IntegerField()
        with_picture = BooleanField()
        enabled = BooleanField()

    class Delivery(Base):
        id = AutoIncrementField()
        notification = ForeignKeyField(Notification, on_delete="CASCADE", index=False)
        kind = TextField()
        created_at = TextField()
        state = TextField(constraints=[Check("state IN ('waiting', 'delivered', 'given_up')")])
        attempts = IntegerField()
        first_tried_at = TextField(null=True)
        ended_at = TextField(null=True)
        error = TextField(null=True)
        message_id = TextField()
        body = TextField()

        class Meta:
            indexes = (
                (("created_at", "id", "state"), False),
                (("notification", "created_at", "id", "state"), False),
            )

    Delivery.add_index(Delivery.notification, Delivery.id, where=SQL("state = 'waiting'"))
    Delivery.add_index(Delivery.ended_at, where=SQL("state = 'given_up'"))

    class NotificationCooldown(Base):
        notification = ForeignKeyField(Notification, on_delete="CASCADE", index=False)
        camera = TextField()
        kind = TextField()
        object_type = TextField()
        sent_at = TextField()
        risk_level = TextField(null=True)

        class Meta:
            primary_key = CompositeKey("notification", "camera", "kind", "object_type")
            without_rowid = True

    class BoxState(Base):
        name = TextField(primary_key=True)
        value = TextField()

    db.create_tables([Notification, Delivery, NotificationCooldown, BoxState])
