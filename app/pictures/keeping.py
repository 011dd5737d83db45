"""How does somebody keep a picture, release it, or delete it? Each change has an audit entry."""

import os
from functools import partial

from .. import clock
from ..db import writer
from ..models import KeptPicture, NotFound, Row
from ..models.pictures import IndexedPicture
from ..services import audit
from ..services.audit import Caller
from ..storage import safe_open
from ..storage.names import as_text
from ..storage.removal import removing
from .camera_index import CameraIndex
from .files import facts_of, id_of
from .index import PictureIndex, write
from .overlay import Batch, Change
from .reading import find, status_of


class PictureKept(Exception):
    """A picture that is kept is not deleted."""


def set_kept(
    pictures: PictureIndex, camera_id: str, picture_id: str, kept: bool, by: Caller
) -> tuple[Row, IndexedPicture]:
    """Keep a picture, or release it; the camera and the row as it is then.

    Raises `NotFound`, and what opening the camera's folder does.
    """
    camera, row = find(pictures, camera_id, picture_id)
    index = pictures.of(camera)
    if row.kept == kept:
        return camera, row
    status = index.ask(partial(status_of, index, row))
    row = row._replace(kept=kept)

    def change() -> None:
        if kept:
            KeptPicture.keep(camera_id, row.path, status, clock.rfc3339(clock.now()))
        else:
            KeptPicture.release(camera_id, row.path, status)
        changes = {row.folder: {row.name: Change(None, row)}}
        if write(index, Batch(index.row()["version"], changes, {}, 0)) is None:
            raise NotFound("picture")  # the camera has another folder now
        _record("picture_kept" if kept else "picture_released", camera, row, by)

    writer.run(change)
    return camera, row


def delete(pictures: PictureIndex, camera_id: str, picture_id: str, by: Caller) -> None:
    """Delete the file of a picture.

    Raises `NotFound`, `PictureKept`, `removal.NotDeletable`, and what opening the folder does.
    """
    camera, row = find(pictures, camera_id, picture_id)
    if row.kept:
        raise PictureKept
    index = pictures.of(camera)
    index.ask(partial(_delete, index, camera, row, by))


def _delete(index: CameraIndex, camera: Row, row: IndexedPicture, by: Caller) -> None:
    lookups = index.lookups

    def is_same(status: os.stat_result) -> bool:
        inodes_last = lookups.opened.inodes_last
        return facts_of(camera["id"], row.path, status, inodes_last).tag == row.tag

    with index.opened():
        try:
            with removing(lookups.opened.folder, row.path.split("/"), is_same):
                writer.run(partial(_record, "picture_deleted", camera, row, by))
        except (safe_open.FileNotReadable, safe_open.OutsideFolder):
            raise NotFound("picture") from None
        finally:
            lookups.look_at(row.folder, [row.name])


def _record(action: str, camera: Row, row: IndexedPicture, by: Caller) -> None:
    name = as_text(row.path)
    details = {"camera_id": camera["id"], "name": name, "size": row.size}
    audit.record(action, by, "picture", {"id": id_of(row), "name": name}, details)
