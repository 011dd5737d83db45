"""How does somebody keep a picture, release it, or delete it? Each change has an audit entry."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from .. import clock
from ..db import writer
from ..models import Camera, KeptPicture, NotFound, Row
from ..models.pictures import IndexedPicture
from ..services import audit, database_number
from ..services.audit import Caller
from ..storage import safe_open
from ..storage.names import as_text, normalised
from ..storage.removal import remove_empty, removing
from .camera_index import CameraIndex
from .files import file_facts, id_of
from .index import PictureIndex
from .overlay import Batch, Change
from .reading import file_status, find
from .writing import write


class PictureKept(Exception):
    """A picture that is kept is not deleted."""


def set_kept(
    pictures: PictureIndex, camera_id: str, picture_id: str, kept: bool, by: Caller
) -> IndexedPicture:
    """Keep a picture, or release it; return its row as it is then.

    Raises `NotFound`, and what opening the camera's folder does.
    """
    camera, row = find(pictures, camera_id, picture_id)
    index, after = pictures.of(camera), row._replace(kept=kept)
    index.ask(partial(_set_kept, index, camera, row, after, by))
    return after


def _set_kept(
    index: CameraIndex, camera: Row, before: IndexedPicture, row: IndexedPicture, by: Caller
) -> None:
    with file_status(index, before) as status:

        def change() -> None:
            is_kept = bool(KeptPicture.of_file(camera["id"], row.path, status))
            if row.kept and not is_kept:
                KeptPicture.keep(camera["id"], row.path, status, clock.rfc3339(clock.now()))
            elif not row.kept:
                KeptPicture.release(camera["id"], row.path, status)
            changes = {row.folder: {row.name: Change(None, row)}}
            if write(index, Batch(index.row()["version"], changes, {}, 0)) is None:
                raise NotFound("picture")  # the camera has another folder now
            if is_kept != row.kept:  # else another request has changed it since
                _record("picture_kept" if row.kept else "picture_released", camera, row, by)
            # A copy of the database from before does not know the mark.
            database_number.renew_in_change()

        if row != before:
            writer.run(change)
            database_number.drop_old_numbers()


def delete(pictures: PictureIndex, camera_id: str, picture_id: str, by: Caller) -> None:
    """Delete the file of a picture, and its folder if that is empty then.

    Raises `NotFound`, `PictureKept`, `removal.NotDeletable`, and what opening the folder does.
    """
    camera, row = find(pictures, camera_id, picture_id)
    if row.kept:
        raise PictureKept
    index, stays = pictures.of(camera), camera_folders(pictures.base, camera)
    index.ask(partial(_delete, index, camera, row, stays, by))


def camera_folders(base: str, camera: Row) -> Callable[[list[str]], bool]:
    """Whether the folder at a path below the camera's folder, in components, is a camera's too."""
    known = set()
    for each in Camera.listing():
        with suppress(safe_open.OutsideBase):
            known.add(_as_read(safe_open.components_below(base, each["folder_path"])))
    own = safe_open.components_below(base, camera["folder_path"])
    return lambda components: _as_read([*own, *components]) in known


def _as_read(components: list[str]) -> tuple[str, ...]:
    return tuple(map(normalised, components))


def _delete(
    index: CameraIndex,
    camera: Row,
    row: IndexedPicture,
    stays: Callable[[list[str]], bool],
    by: Caller,
) -> None:
    lookups, found = index.lookups, list[os.stat_result]()

    def is_same(status: os.stat_result) -> bool:
        found.append(status)
        return _is_deletable(index, camera, row, status)

    def change() -> None:
        if KeptPicture.of_file(camera["id"], row.path, found[-1]):
            raise PictureKept  # it was kept meanwhile
        _record("picture_deleted", camera, row, by)

    with index.opened():
        folder, components = lookups.opened.folder, row.path.split("/")
        try:
            with removing(folder, components, is_same):
                writer.run(change)
            remove_empty(folder, components[:-1], stays)
        except (safe_open.FileNotReadable, safe_open.OutsideFolder):
            raise NotFound("picture") from None
        finally:
            lookups.compare_files(row.folder, [row.name])


def _is_deletable(
    index: CameraIndex, camera: Row, row: IndexedPicture, status: os.stat_result
) -> bool:
    """Whether the file is the one of the row; raises `PictureKept` if another camera keeps it."""
    has_stable_inodes = index.lookups.opened.has_stable_inodes
    is_row = file_facts(camera["id"], row.path, status, has_stable_inodes).tag == row.tag
    if is_row and KeptPicture.is_any_of(status):
        raise PictureKept
    return is_row


def _record(action: str, camera: Row, row: IndexedPicture, by: Caller) -> None:
    name = as_text(row.path)
    details = {"camera_id": camera["id"], "name": name, "size": row.size}
    audit.record(action, by, "picture", {"id": id_of(row), "name": name}, details)
