"""Which pictures and clips are there, by time? An index that can be rebuilt from the files.

Paths and names are the bytes that the disk has. Times are in microseconds since the epoch.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from peewee import (
    SQL,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    IntegerField,
    Tuple,
    fn,
)

from ..db.base import BaseModel, Parameter, Row, chunks, compiled, indexed_by
from .picture_folders import PictureCamera, PictureFolder

# How many names one query looks up, and how many rows it writes.
NAMES_AT_ONCE = 64
KEPT_INDEX = "picture_camera_is_clip_taken_us_tag"
# Where a page begins: after the picture with this time and tag.
Key = tuple[int, bytes]


class IndexedPicture(NamedTuple):
    """A row of the index. ``folder``: the path of its folder below the camera's, empty for that
    itself; the other fields are columns of `Picture`.
    """

    is_clip: bool
    taken_us: int
    tag: bytes
    folder: str
    name: str
    size: int
    changed_us: int
    own_us: int | None
    kept: bool

    @property
    def key(self) -> Key:
        """Its place among all pictures, or among all clips, of the camera."""
        return self.taken_us, self.tag

    @property
    def path(self) -> str:
        """Relative to the camera's folder."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


class Picture(BaseModel):
    """A picture or a clip, in the order of time."""

    # The number of its `PictureCamera`.
    camera = IntegerField()
    is_clip = BooleanField()
    # When it was taken; if its own time was not trusted, when it was first seen.
    taken_us = BigIntegerField()
    # 10 bytes of a hash of camera, path, inode, size and times.
    tag = BlobField()
    # The id of its `PictureFolder`, and its name in that.
    folder = IntegerField()
    name = BlobField()
    size = BigIntegerField()
    # Its ctime, which no program can set.
    changed_us = BigIntegerField()
    # Its own time; null where that is `taken_us`.
    own_us = BigIntegerField(null=True)
    # Whether a `KeptPicture` is this one.
    kept = BooleanField()

    class Meta:
        primary_key = CompositeKey("camera", "is_clip", "taken_us", "tag")
        without_rowid = True
        indexes = ((("folder", "name"), True),)

    @classmethod
    def camera_of(cls, camera_id: str) -> Row | None:
        """The row of `PictureCamera` of a camera, unless it has pictures but no rows of them."""
        row = _select_camera().one(camera_id=camera_id)
        has_rows = row is not None and row.pop("has_rows")
        return row if row and (has_rows or not row["pictures"] + row["clips"]) else None

    @classmethod
    def ordered(
        cls,
        camera: int,
        is_clip: bool,
        given: Row,
        beyond: Key | None,
        limit: int,
        newest_first: bool = True,
    ) -> list[IndexedPicture]:
        """At most ``limit`` rows after the key ``beyond`` that match the ``given`` filters:
        ``start_us`` (not before), ``end_us`` (before) and ``kept``.
        """
        key = dict(zip(("key_us", "key_tag"), beyond or (), strict=False))
        query = _select_ordered(*_form(given), beyond is not None, newest_first)
        values = given | key | {"camera": camera, "is_clip": is_clip, "limit": limit}
        return [_indexed(row) for row in query.rows(**values)]

    @classmethod
    def count_of(cls, camera: int, is_clip: bool, given: Row) -> int:
        """How many match; see `ordered`."""
        values = given | {"camera": camera, "is_clip": is_clip}
        return int(_count(*_form(given)).scalar(**values))

    @classmethod
    def tagged(cls, camera: int, tag: bytes, own_us: int) -> IndexedPicture | None:
        """The picture with this tag and own time."""
        found = [
            *_select_by_time().rows(camera=camera, tag=tag, own_us=own_us),
            *_select_by_tag().rows(camera=camera, tag=tag, own_us=own_us),
        ]
        return _indexed(found[0]) if found else None

    @classmethod
    def named(cls, camera: int, folder: str, names: Iterable[str]) -> list[IndexedPicture]:
        """The pictures with these names in a folder."""
        found = PictureFolder.at(camera, folder)
        return cls.in_folder(found["id"], names) if found else []

    @classmethod
    def in_folder(cls, folder_id: int, names: Iterable[str]) -> list[IndexedPicture]:
        """The pictures with these names in the folder of this id."""
        rows: list[Row] = []
        for some in batches([os.fsencode(name) for name in names]):
            values = {f"name_{n}": name for n, name in enumerate(some)}
            rows += _select_named(len(some)).rows(folder=folder_id, **values)
        return [_indexed(row) for row in rows]

    @classmethod
    def names_in(cls, camera: int, folder: str, after: str, limit: int) -> list[str]:
        """The next names in a folder, in their own order."""
        found = PictureFolder.at(camera, folder)
        values = {"folder": found["id"] if found else 0, "after": os.fsencode(after)}
        return [os.fsdecode(row["name"]) for row in _select_names().rows(limit=limit, **values)]


Picture.add_index(
    *(Picture.camera, Picture.is_clip, Picture.taken_us, Picture.tag), where=SQL("kept = 1")
)
Picture.add_index(Picture.camera, Picture.tag, where=SQL("own_us IS NOT NULL"))


def _indexed(row: Row) -> IndexedPicture:
    row["folder"], row["name"] = os.fsdecode(row["folder"]), os.fsdecode(row["name"])
    row["is_clip"], row["kept"] = bool(row["is_clip"]), bool(row["kept"])
    return IndexedPicture(**row)


def batches(items: list[Any]) -> Iterator[list[Any]]:
    """Parts of the list for one query each; a query that is larger takes megabytes of memory."""
    for start in range(0, len(items), NAMES_AT_ONCE):
        yield from chunks(items[start : start + NAMES_AT_ONCE])


def _form(given: Row) -> tuple[tuple[str, ...], bool | None]:
    """The parts of the filters that the SQL depends on: which bounds are given, and ``kept``."""
    return tuple(name for name in given if name != "kept"), given.get("kept")


def _conditions(names: tuple[str, ...], kept: bool | None) -> list[Any]:
    bounds = {
        "start_us": Picture.taken_us >= Parameter("start_us"),
        "end_us": Picture.taken_us < Parameter("end_us"),
    }
    conditions = [Picture.camera == Parameter("camera"), Picture.is_clip == Parameter("is_clip")]
    # No parameter, so that SQLite can use the partial index of kept pictures.
    marks = [] if kept is None else [SQL("kept = 1" if kept else "kept = 0")]
    return conditions + [bounds[name] for name in names] + marks


def _source(kept: bool | None) -> Any:
    """Kept pictures are few, but without statistics SQLite searches all by the primary key."""
    return indexed_by(Picture, KEPT_INDEX) if kept else Picture


def _select(kept: bool | None = None) -> Any:
    columns = [
        PictureFolder.path.alias("folder") if name == "folder" else getattr(Picture, name)
        for name in IndexedPicture._fields
    ]
    query = Picture.select(*columns).from_(_source(kept), PictureFolder)
    return query.where(Picture.folder == PictureFolder.id)


@compiled
def _select_camera() -> Any:
    of_camera, is_in = Picture.camera == PictureCamera.id, Picture.folder == PictureFolder.id
    rows = Picture.select(SQL("1")).from_(Picture, PictureFolder).where(of_camera, is_in)
    query = PictureCamera.select(PictureCamera, fn.EXISTS(rows).alias("has_rows"))
    return query.where(PictureCamera.camera_id == Parameter("camera_id"))


@compiled
def _select_ordered(
    names: tuple[str, ...], kept: bool | None, is_continued: bool, newest_first: bool
) -> Any:
    conditions = _conditions(names, kept)
    place, key = Tuple(Picture.taken_us, Picture.tag), (Parameter("key_us"), Parameter("key_tag"))
    if is_continued:
        conditions.append(place < Tuple(*key) if newest_first else place > Tuple(*key))
    columns = (Picture.taken_us, Picture.tag)
    order = [column.desc() if newest_first else column.asc() for column in columns]
    return _select(kept).where(*conditions).order_by(*order).limit(Parameter("limit"))


@compiled
def _count(names: tuple[str, ...], kept: bool | None) -> Any:
    query = Picture.select(fn.COUNT(SQL("*"))).from_(_source(kept))
    return query.where(*_conditions(names, kept))


@compiled
def _select_by_time() -> Any:
    is_same = (Picture.taken_us == Parameter("own_us")) & (Picture.tag == Parameter("tag"))
    kinds = Picture.is_clip.in_([False, True])
    return _select().where(Picture.camera == Parameter("camera"), kinds, is_same)


@compiled
def _select_by_tag() -> Any:
    is_same = (Picture.own_us == Parameter("own_us")) & (Picture.tag == Parameter("tag"))
    return _select().where(
        Picture.camera == Parameter("camera"), is_same, SQL("own_us IS NOT NULL")
    )


@compiled
def _select_named(names: int) -> Any:
    asked = [Parameter(f"name_{n}") for n in range(names)]
    return _select().where(Picture.folder == Parameter("folder"), Picture.name.in_(asked))


@compiled
def _select_names() -> Any:
    of_folder = Picture.folder == Parameter("folder")
    query = Picture.select(Picture.name).where(of_folder, Picture.name > Parameter("after"))
    return query.order_by(Picture.name).limit(Parameter("limit"))
