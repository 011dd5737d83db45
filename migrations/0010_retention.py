"""Since when a camera has its folder and an event is known; the state of a run. Frozen."""

from datetime import UTC, datetime

from peewee import ForeignKeyField, Model, TextField

INDEX = ("camera_id", "entered_at", "started_at", "ended_at")
CHANGED_FOLDER = "$.changes.folder_path"
# The last change of a camera's folder that the audit log has. Without one, the camera's creation;
# where the log has lost that too, entries are missing before its oldest one.
FOLDERS = (
    "INSERT INTO camera_retention (camera_id, folder_since) SELECT id, coalesce("
    "(SELECT max(timestamp) FROM audit_entry WHERE resource_id = camera.id "
    "AND action = 'camera_updated' AND json_type(details, ?) IS NOT NULL), "
    "(SELECT max(created_at, timestamp) FROM audit_entry "
    "WHERE resource_id = camera.id AND action = 'camera_created' LIMIT 1), "
    "max(created_at, coalesce((SELECT min(timestamp) FROM audit_entry), ?))) FROM camera"
)


def up(migrator, db):
    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Camera(Base):
        id = TextField(primary_key=True)

    class CameraRetention(Base):
        camera = ForeignKeyField(Camera, on_delete="CASCADE", primary_key=True)
        folder_since = TextField(null=True)
        limits_changed_at = TextField(null=True)

    class RetentionFact(Base):
        name = TextField(primary_key=True)
        value = TextField()
        changed_at = TextField()

    class PruningRun(Base):
        token = TextField(primary_key=True)
        by = TextField()
        report = TextField()
        pending = TextField()

    db.create_tables([CameraRetention, RetentionFact, PruningRun])
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    db.execute_sql("ALTER TABLE event ADD COLUMN \"entered_at\" TEXT NOT NULL DEFAULT ''")
    db.execute_sql("UPDATE event SET entered_at = ?", (now,))
    listed = ", ".join(f'"{column}"' for column in INDEX)
    name = f"event_{'_'.join(INDEX)}"
    db.execute_sql(f'CREATE INDEX "{name}" ON "event" ({listed}) WHERE reviewed = 0')
    db.execute_sql(FOLDERS, (CHANGED_FOLDER, now))
