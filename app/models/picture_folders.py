"""Of which folders are the pictures indexed, and which pictures are kept?

Paths are the bytes that the disk has.
"""

import os
from typing import Any

from peewee import BigIntegerField, BlobField, IntegerField, TextField

from ..db.base import AutoIncrementField, BaseModel, Parameter, Row, compiled
from .cameras import Camera

# Totals that are updated with each change, so that they need not be counted.
TOTALS = ("pictures", "picture_bytes", "clips", "clip_bytes")


class PictureCamera(BaseModel):
    """The pictures of one folder, whose rows have this number instead of the camera's long id."""

    # Never used again.
    id = AutoIncrementField()
    # Null if the rows are only waiting to be deleted.
    camera_id = TextField(null=True, unique=True)
    # The folder and pattern by which the pictures were found.
    folder_path = TextField()
    file_pattern = TextField(null=True)
    pictures = IntegerField()
    picture_bytes = BigIntegerField()
    clips = IntegerField()
    clip_bytes = BigIntegerField()
    # Increased with each change of the rows.
    version = IntegerField()
    # When every file was compared with its row, 0 for never.
    compared_us = BigIntegerField()

    @classmethod
    def begin(cls, camera_id: str, folder_path: str, file_pattern: str | None) -> Row:
        """Insert and return a new row; mark those of another folder or pattern for deletion."""
        _detach().change(camera_id=camera_id)
        zeros = ("pictures", "picture_bytes", "clips", "clip_bytes", "version", "compared_us")
        row: Row = {
            "camera_id": camera_id,
            "folder_path": folder_path,
            "file_pattern": file_pattern,
        }
        row |= dict.fromkeys(zeros, 0)
        return row | {"id": cls.insert_row(row)}

    @classmethod
    def detached(cls) -> list[int]:
        """The numbers whose rows are waiting to be deleted, those of deleted cameras too."""
        return [row["id"] for row in _select_detached().rows()]

    @classmethod
    def add(cls, number: int, differences: Row) -> None:
        """Add to the totals, and increase the version; call it inside a change."""
        totals = {name: differences.get(name, 0) for name in TOTALS}
        _add_to_totals().change(id=number, **totals)


class PictureFolder(BaseModel):
    """A folder as it was when its files were compared; all zero while they were not."""

    id = AutoIncrementField()
    camera = IntegerField()
    path = BlobField()
    inode = BigIntegerField()
    mtime_ns = BigIntegerField()
    ctime_ns = BigIntegerField()

    class Meta:
        indexes = ((("camera", "path"), True),)

    @classmethod
    def begin(cls, camera: int, path: str) -> int:
        """Insert a folder that is not compared yet; return its id. Call it inside a change."""
        facts = dict.fromkeys(("inode", "mtime_ns", "ctime_ns"), 0)
        return cls.insert_row({"camera": camera, "path": os.fsencode(path), **facts})

    @classmethod
    def at(cls, camera: int, path: str) -> Row | None:
        """The folder at this path, if it is known."""
        return cls.find(camera=camera, path=os.fsencode(path))

    @classmethod
    def below(cls, camera: int, path: str, after: str | None, limit: int) -> list[str]:
        """The next known paths below ``path`` that come ``after`` one, in the order of bytes."""
        # A slash is followed by the digit 0; no path begins with 4,096 bytes 0xFF.
        first, last = (f"{path}/", f"{path}0") if path else ("", None)
        values = {
            "first": os.fsencode(first if after is None else after),
            "last": b"\xff" * 4096 if last is None else os.fsencode(last),
        }
        found = _select_folders().rows(camera=camera, limit=limit, **values)
        return [os.fsdecode(row["path"]) for row in found]


class KeptPicture(BaseModel):
    """A picture that a person decided to keep. It survives the loss of the index.

    It is the file of its path, size and mtime, or of its inode, size and mtime.
    """

    id = AutoIncrementField()
    camera_id = TextField()
    path = BlobField()
    size = BigIntegerField()
    mtime_ns = BigIntegerField()
    inode = BigIntegerField()
    kept_at = TextField()
    # Since when no such file is there; null while it is.
    missing_since = TextField(null=True)

    class Meta:
        indexes = ((("camera_id", "size", "mtime_ns"), False),)

    @classmethod
    def keep(cls, camera_id: str, path: str, status: os.stat_result, kept_at: str) -> None:
        """Keep the file of this status; to be called inside a change."""
        facts = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino}
        names = {"camera_id": camera_id, "path": os.fsencode(path), "kept_at": kept_at}
        cls.insert_row({**names, **facts, "missing_since": None})

    @classmethod
    def is_any_of(cls, status: os.stat_result) -> bool:
        """Whether any camera has a mark of the file of this inode, size and mtime."""
        facts = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "inode": status.st_ino}
        return bool(_select_marks_of_inode().rows(**facts))

    @classmethod
    def of_camera(cls, camera_id: str, after: int, limit: int) -> list[Row]:
        """The next marks of a camera that come ``after`` an id."""
        return _select_marks_of_camera().rows(camera_id=camera_id, after=after, limit=limit)

    @classmethod
    def release(cls, camera_id: str, path: str, status: os.stat_result) -> None:
        """Forget every mark of the file; to be called inside a change."""
        for mark in cls.of_file(camera_id, path, status):
            cls.remove(mark["id"])

    @classmethod
    def of_file(cls, camera_id: str, path: str, status: os.stat_result) -> list[Row]:
        """The marks that the file has."""
        found = _select_marks().rows(
            camera_id=camera_id, size=status.st_size, mtime_ns=status.st_mtime_ns
        )
        name, inode = os.fsencode(path), status.st_ino
        return [mark for mark in found if mark["path"] == name or mark["inode"] == inode]


@compiled
def _select_folders() -> Any:
    of_camera = PictureFolder.camera == Parameter("camera")
    first, last = PictureFolder.path > Parameter("first"), PictureFolder.path < Parameter("last")
    query = PictureFolder.select(PictureFolder.path).where(of_camera, first, last)
    return query.order_by(PictureFolder.path).limit(Parameter("limit"))


@compiled
def _select_marks() -> Any:
    of_camera = KeptPicture.camera_id == Parameter("camera_id")
    is_size, mtime = KeptPicture.size == Parameter("size"), Parameter("mtime_ns")
    return KeptPicture.select().where(of_camera, is_size, KeptPicture.mtime_ns == mtime)


@compiled
def _select_marks_of_inode() -> Any:
    names = ("size", "mtime_ns", "inode")
    is_same = [getattr(KeptPicture, name) == Parameter(name) for name in names]
    of_camera = KeptPicture.camera_id.in_(Camera.select(Camera.id))  # one that was not deleted
    return KeptPicture.select(KeptPicture.id).where(of_camera, *is_same).limit(1)


@compiled
def _select_marks_of_camera() -> Any:
    of_camera, is_next = KeptPicture.camera_id == Parameter("camera_id"), Parameter("after")
    query = KeptPicture.select().where(of_camera, KeptPicture.id > is_next)
    return query.order_by(KeptPicture.id).limit(Parameter("limit"))


@compiled
def _detach() -> Any:
    update = PictureCamera.update({PictureCamera.camera_id: None})
    return update.where(PictureCamera.camera_id == Parameter("camera_id"))


@compiled
def _select_detached() -> Any:
    known = Camera.select(Camera.id)
    is_detached = PictureCamera.camera_id.is_null() | PictureCamera.camera_id.not_in(known)
    return PictureCamera.select(PictureCamera.id).where(is_detached)


@compiled
def _add_to_totals() -> Any:
    fields = {name: getattr(PictureCamera, name) + Parameter(name) for name in TOTALS}
    update = PictureCamera.update({**fields, PictureCamera.version: PictureCamera.version + 1})
    return update.where(PictureCamera.id == Parameter("id"))
