"""What a client chose for one camera, and for the whole box. Frozen."""

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, Model, TextField


def up(migrator, db):
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Camera(Base):
        id = TextField(primary_key=True)

    class CameraSettings(Base):
        camera = ForeignKeyField(Camera, on_delete="CASCADE", primary_key=True)
        file_pattern = TextField(null=True)
        offline_after_seconds = IntegerField(null=True)
        keep_days = IntegerField(null=True)
        keep_bytes = BigIntegerField(null=True)
        prune_existing = BooleanField()
        group = TextField(null=True)
        position = BigIntegerField(null=True)
        moment_gap_seconds = IntegerField(null=True)

    class BoxSetting(Base):
        name = TextField(primary_key=True)
        value = TextField()

    db.create_tables([CameraSettings, BoxSetting])
