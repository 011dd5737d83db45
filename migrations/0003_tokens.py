"""The tokens that let their bearers in. Frozen."""

from peewee import Check, Model, TextField
from playhouse.sqlite_ext import AutoIncrementField


def up(migrator, db):
    class Token(Model):
        id = AutoIncrementField()
        name = TextField(unique=True)
        role = TextField(constraints=[Check("role IN ('read', 'write')")])
        hash = TextField(unique=True)
        created_at = TextField()
        last_used_at = TextField(null=True)

        class Meta:
            database = db
            legacy_table_names = False

    db.create_tables([Token])
