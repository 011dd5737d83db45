"""How many bytes of pictures were taken in each hour; the index is built anew. Frozen."""

from peewee import BigIntegerField, CompositeKey, IntegerField, Model


def up(migrator, db):
    class PictureHour(Model):
        hour = IntegerField()
        camera = IntegerField()
        bytes = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            primary_key = CompositeKey("hour", "camera")
            without_rowid = True

    db.create_tables([PictureHour])
    db.execute_sql('DELETE FROM "picture"')
    db.execute_sql('DELETE FROM "picture_folder"')
    db.execute_sql('DELETE FROM "picture_camera"')
