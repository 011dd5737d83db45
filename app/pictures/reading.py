"""How are exactly the bytes of a picture or clip with a given id read?"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from .. import clock
from ..clock import SECOND_US, pause
from ..models import Camera, NotFound, Row
from ..models.pictures import IndexedPicture
from ..storage import safe_open
from ..storage.checks import READ_ATTEMPTS, StoredPicture, describe, opened, read_up_to
from ..storage.clips import TICK_NS, OpenClip
from .camera_index import CameraIndex
from .files import file_facts, id_of
from .index import NOT_FOLLOWED, PictureIndex
from .listing import Filters, Listing, picture_row

# How long before a clip's end its thumbnail may have been taken, in seconds.
BESIDE_SECONDS = 120


class NoThumbnail(Exception):
    """There is no picture near the clip."""


def find(pictures: PictureIndex, camera_id: str, picture_id: str) -> tuple[Row, IndexedPicture]:
    """The camera, and the row of one of its pictures; raises `NotFound`.

    If the index has no such row, it is searched again after the latest changes.
    """
    camera = Camera.one(camera_id)
    try:
        return camera, Listing(pictures.of(camera)).find(picture_id)
    except NotFound:
        return camera, Listing(pictures.follow(camera)).find(picture_id)


def first_upload(pictures: PictureIndex, camera: Row, start: str, gap: int) -> Row:
    """The moment of an upload that came after a pause of ``gap`` seconds: its start, and the id of
    its first picture or clip.

    The newest one where all have older times, as a camera with a wrong clock gives them; None
    where there is none.
    """
    first = Filters(start_us=clock.microseconds(start) - gap * SECOND_US, newest_first=False)
    with suppress(*NOT_FOLLOWED):
        listing = Listing(pictures.follow(camera))
        for row in listing.page(first, 1).rows:
            found = picture_row(row, camera["id"])
            return {"start": found["taken_at"], "picture_id": found["id"]}
        for row in listing.page(Filters(), 1).rows:
            return {"start": start, "picture_id": picture_row(row, camera["id"])["id"]}
    return {"start": start, "picture_id": None}


def read_picture(
    index: CameraIndex, row: IndexedPicture, is_not_modified: Callable[[StoredPicture], bool]
) -> StoredPicture:
    """The picture with its bytes, or without those where the client has them.

    Raises `NotFound` where the file is another one now, and what `CameraIndex.ask` does.
    """
    return index.ask(partial(_read, index, row, is_not_modified))


def open_clip(index: CameraIndex, row: IndexedPicture) -> OpenClip:
    """The clip, open; to be closed by the caller. Raises what `read_picture` does."""
    return index.ask(partial(_open, index, row))


def facts_of_frame(row: IndexedPicture, clip: OpenClip) -> StoredPicture:
    """The facts of a frame of the clip: those of the clip's file, with the name of a JPEG."""
    status, name = clip.status, f"{os.path.splitext(row.name)[0]}.jpg"
    return StoredPicture(
        *(name, status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns, row.taken_us * 1000, 0),
    )


def nearest_picture(index: CameraIndex, clip: IndexedPicture) -> IndexedPicture:
    """The picture nearest to a clip, which cameras upload beside it; raises `NoThumbnail`."""
    first = clip.taken_us - BESIDE_SECONDS * SECOND_US
    filters = Filters(start_us=first, end_us=clip.taken_us + 1, kind="picture")
    page = Listing(index).page(filters, 1, around=clip.taken_us)
    if not page.rows:
        raise NoThumbnail
    return page.rows[0]


@contextmanager
def file_status(index: CameraIndex, row: IndexedPicture) -> Iterator[os.stat_result]:
    """The status of the file, which the service does not delete in the block.

    To be called by `CameraIndex.ask`. Raises `NotFound`.
    """
    with _folder_of(index, row), opened(index.lookups.opened.folder, row.path.split("/")) as file:
        yield _require_same(index, row, file)


def _read(
    index: CameraIndex, row: IndexedPicture, is_not_modified: Callable[[StoredPicture], bool]
) -> StoredPicture:
    with _folder_of(index, row), opened(index.lookups.opened.folder, row.path.split("/")) as file:
        clock = index.lookups.opened.clock
        for _ in range(READ_ATTEMPTS):
            _require_same(index, row, file)
            picture = describe(file, row.name, clock)
            if is_not_modified(picture):
                return picture
            data = read_up_to(file, picture.size)
            if len(data) == picture.size and describe(file, row.name, clock) == picture:
                return picture._replace(data=data)
    raise NotFound("picture")


def _open(index: CameraIndex, row: IndexedPicture) -> OpenClip:
    with _folder_of(index, row):
        file = safe_open.open_file(index.lookups.opened.folder, row.path.split("/"))
        try:
            status = _require_same(index, row, file)
        except BaseException:  # raised again: the descriptor must not leak
            os.close(file)
            raise
        return index.clip(file, status)


@contextmanager
def _folder_of(index: CameraIndex, row: IndexedPicture) -> Iterator[None]:
    """Open the camera's folder for the block; if the file is gone, update its row."""
    with index.opened():
        try:
            yield
        except (safe_open.FileNotReadable, safe_open.OutsideFolder, NotFound):
            index.lookups.compare_files(row.folder, [row.name])
            raise NotFound("picture") from None


def _require_same(index: CameraIndex, row: IndexedPicture, file: int) -> os.stat_result:
    """The status of the open file; raises `NotFound` where its id is another one.

    Two changes within one tick of the kernel's clock give the same id, so the status of a file
    that has just changed is read after that tick.
    """
    status = os.fstat(file)
    if 0 <= time.time_ns() - status.st_ctime_ns < TICK_NS:
        pause(TICK_NS / 1e9)
        status = os.fstat(file)
    lookups = index.lookups
    facts = file_facts(
        lookups.finder.camera_id, row.path, status, lookups.opened.has_stable_inodes
    )
    if facts.picture_id != id_of(row):
        raise NotFound("picture")
    return status
