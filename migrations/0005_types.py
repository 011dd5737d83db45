"""An index by what an event's detections showed. Frozen."""

COLUMNS = ("object_types", "started_at", "id", "camera_id", "risk_level", "reviewed")


def up(migrator, db):
    listed = ", ".join(f'"{column}"' for column in COLUMNS)
    db.execute_sql(f'CREATE INDEX "event_{"_".join(COLUMNS)}" ON "event" ({listed})')
