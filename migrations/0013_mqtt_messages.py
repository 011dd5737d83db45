"""Detections and events that wait to be published by MQTT. Frozen."""

from peewee import Model, TextField
from playhouse.sqlite_ext import AutoIncrementField


def up(migrator, db):
    class MqttMessage(Model):
        id = AutoIncrementField()
        created_at = TextField()
        camera_id = TextField()
        kind = TextField()
        body = TextField()

        class Meta:
            database = db
            legacy_table_names = False

    db.create_tables([MqttMessage])
