"""The index of pictures and clips by time, and which of them somebody keeps. Frozen."""

from peewee import (
    SQL,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
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

    class PictureCamera(Base):
        id = AutoIncrementField()
        camera_id = TextField(null=True, unique=True)
        folder_path = TextField()
        file_pattern = TextField(null=True)
        pictures = IntegerField()
        picture_bytes = BigIntegerField()
        clips = IntegerField()
        clip_bytes = BigIntegerField()
        version = IntegerField()
        compared_us = BigIntegerField()

    class PictureFolder(Base):
        id = AutoIncrementField()
        camera = IntegerField()
        path = BlobField()
        inode = BigIntegerField()
        mtime_ns = BigIntegerField()
        ctime_ns = BigIntegerField()

        class Meta:
            indexes = ((("camera", "path"), True),)

    class Picture(Base):
        camera = IntegerField()
        is_clip = BooleanField()
        taken_us = BigIntegerField()
        tag = BlobField()
        folder = IntegerField()
        name = BlobField()
        size = BigIntegerField()
        changed_us = BigIntegerField()
        own_us = BigIntegerField(null=True)
        kept = BooleanField()

        class Meta:
            primary_key = CompositeKey("camera", "is_clip", "taken_us", "tag")
            without_rowid = True
            indexes = ((("folder", "name"), True),)

    Picture.add_index(
        *(Picture.camera, Picture.is_clip, Picture.taken_us, Picture.tag), where=SQL("kept = 1")
    )
    Picture.add_index(Picture.camera, Picture.tag, where=SQL("own_us IS NOT NULL"))

    class KeptPicture(Base):
        id = AutoIncrementField()
        camera_id = TextField()
        path = BlobField()
        size = BigIntegerField()
        mtime_ns = BigIntegerField()
        inode = BigIntegerField()
        kept_at = TextField()
        missing_since = TextField(null=True)

        class Meta:
            indexes = ((("camera_id", "size", "mtime_ns"), False),)

    db.create_tables([PictureCamera, PictureFolder, Picture, KeptPicture])
