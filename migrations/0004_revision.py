"""A mark that changes with every change of a camera, whoever makes it. Frozen."""

from peewee import IntegerField, Model, TextField

CHANGES = ("insert", "update", "delete")
TRIGGER = (
    "CREATE TRIGGER camera_after_{} AFTER {} ON camera BEGIN "
    "UPDATE revision SET value = random() WHERE name = 'camera'; END"
)


def up(migrator, db):
    class Revision(Model):
        name = TextField(primary_key=True)
        value = IntegerField()

        class Meta:
            database = db

    db.create_tables([Revision])
    db.execute_sql("INSERT INTO revision (name, value) VALUES ('camera', random())")
    for change in CHANGES:
        db.execute_sql(TRIGGER.format(change, change.upper()))
