"""What the monitor has judged of each camera already. Frozen."""

from peewee import BooleanField, ForeignKeyField, Model, TextField

# The last_seen_at of each camera when the monitor made it offline, as its audit entries tell.
SILENCES = (
    "INSERT INTO camera_evidence (camera_id, silent_since, folder_lost) "
    "SELECT resource_id, json_extract(details, '$.last_seen_at'), 0 FROM audit_entry "
    "WHERE id IN (SELECT max(id) FROM audit_entry WHERE action = 'camera_status_changed' "
    "GROUP BY resource_id) AND json_extract(details, '$.evidence') = 'silence' "
    "AND resource_id IN (SELECT id FROM camera)"
)


def up(migrator, db):
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Camera(Base):
        id = TextField(primary_key=True)

    class CameraEvidence(Base):
        camera = ForeignKeyField(Camera, on_delete="CASCADE", primary_key=True)
        silent_since = TextField(null=True)
        folder_lost = BooleanField()
        status_before = TextField(null=True)

    db.create_tables([CameraEvidence])
    db.execute_sql(SILENCES)
