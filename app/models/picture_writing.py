"""How are rows of pictures and clips written and deleted?"""

import os
from collections.abc import Iterable
from typing import Any

from peewee import Tuple

from ..db.base import Parameter, Row, compiled
from .picture_folders import PictureFolder
from .pictures import IndexedPicture, Picture, batches


def put_pictures(camera: int, folder_id: int, pictures: list[IndexedPicture]) -> None:
    """Write the rows, and replace those of the same names; call it inside a change."""
    for some in batches(pictures):
        values: Row = {}
        for n, picture in enumerate(some):
            row = picture._asdict() | {"folder": folder_id, "camera": camera}
            row["name"] = os.fsencode(picture.name)
            values |= {f"{name}_{n}": value for name, value in row.items()}
        _replace(len(some)).insert(**values)


def remove_named(folder_id: int, names: Iterable[str]) -> None:
    """Delete the rows with these names in a folder; call it inside a change."""
    for some in batches([os.fsencode(name) for name in names]):
        values = {f"name_{n}": name for n, name in enumerate(some)}
        _delete_named(len(some)).change(folder=folder_id, **values)


def remove_some(camera: int, limit: int) -> int:
    """Delete rows of a camera's number, those of folders last; return their number."""
    values = {"camera": camera, "limit": limit}
    return _delete_some().change(**values) or _delete_folders().change(**values)


@compiled
def _replace(rows: int) -> Any:
    names = Picture._meta.sorted_field_names
    values = [{name: Parameter(f"{name}_{n}") for name in names} for n in range(rows)]
    return Picture.insert_many(values).on_conflict_replace()


@compiled
def _delete_named(names: int) -> Any:
    asked = [Parameter(f"name_{n}") for n in range(names)]
    return Picture.delete().where(Picture.folder == Parameter("folder"), Picture.name.in_(asked))


@compiled
def _delete_folders() -> Any:
    some = PictureFolder.select(PictureFolder.id).where(
        PictureFolder.camera == Parameter("camera")
    )
    return PictureFolder.delete().where(PictureFolder.id.in_(some.limit(Parameter("limit"))))


@compiled
def _delete_some() -> Any:
    key = (Picture.is_clip, Picture.taken_us, Picture.tag)
    some = Picture.select(*key).where(Picture.camera == Parameter("camera"))
    some = some.limit(Parameter("limit"))
    return Picture.delete().where(Picture.camera == Parameter("camera"), Tuple(*key).in_(some))
