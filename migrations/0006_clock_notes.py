"""The times at which the clock was plausible, and the one since which it is not. Frozen."""

from peewee import BooleanField, Model, TextField


def up(migrator, db):
    class ClockNote(Model):
        moment = TextField(primary_key=True)
        is_doubt = BooleanField()

        class Meta:
            database = db
            legacy_table_names = False

    db.create_tables([ClockNote])
