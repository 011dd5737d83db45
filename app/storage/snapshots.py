"""Which picture does a camera show right now?

The newest whole picture in the camera's folder: never half an upload, never a file of another
kind in a picture's clothes while a real one is there.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from . import safe_open
from .folders import Folders
from .formats import CONTENT_TYPES, Picture, describe, is_whole
from .newest_files import Candidate

# How often a file that changes while it is read is read before the next newest is taken.
READ_ATTEMPTS = 3


class NoSnapshot(Exception):
    """The folder holds no picture that can be served."""


class PictureNotFound(Exception):
    """The picture that is asked for by name is gone, or none is named."""


class SnapshotTooOld(Exception):
    """The newest picture is older than the client accepts; ``age`` in whole seconds."""

    def __init__(self, age: int) -> None:
        super().__init__(age)
        self.age = age


class SnapshotRequest(NamedTuple):
    """What may be served, and from where.

    ``base``: the base path; ``folder_path``: the camera's folder, absolute or relative to it;
    ``folders`` knows what is newest; ``most_bytes``: the largest picture; ``max_age`` in seconds;
    ``is_known``: whether the client has a picture already, so that its bytes need not be read.
    """

    base: str
    folder_path: str
    now: datetime
    folders: Folders
    most_bytes: int
    max_age: int | None = None
    is_known: Callable[[Picture], bool] = lambda _: False


def latest(request: SnapshotRequest) -> Picture:
    """The newest whole picture below the folder; where none is whole, the newest as it is.

    Raises `NoSnapshot`, `SnapshotTooOld`, `asking.FolderBusy`, `safe_open.OutsideBase` and
    `safe_open.FolderNotFound`.
    """
    with _opened(request) as folder:
        candidates = request.folders.query(folder, request.now).newest
        try:
            return _first(folder, candidates, request, whole=True)
        except NoSnapshot:
            return _first(folder, candidates, request, whole=False)


def open_by_path(request: SnapshotRequest, file_path: str | None) -> Picture:
    """The picture at ``file_path``, absolute or relative to the camera's folder.

    Raises `PictureNotFound`, `SnapshotTooOld`, `asking.FolderBusy`, `safe_open.OutsideFolder`,
    `safe_open.OutsideBase` and `safe_open.FolderNotFound`.
    """
    if file_path is None:
        raise PictureNotFound
    components = safe_open.components_within(request.base, request.folder_path, file_path)
    if os.path.splitext(components[-1])[1].lower() not in CONTENT_TYPES:
        raise PictureNotFound
    with _opened(request) as folder:
        try:
            picture = _open_and_read(folder, components, request, whole=False)
        except safe_open.FileNotReadable:
            picture = None
    if picture is None:
        raise PictureNotFound
    return picture


@contextmanager
def _opened(request: SnapshotRequest) -> Iterator[int]:
    """The camera's folder, open in the block, which takes one of the folder's slots."""
    with request.folders.slot(request.base, request.folder_path):
        folder = safe_open.open_folder(request.base, request.folder_path)
        try:
            yield folder
        finally:
            os.close(folder)


def _first(
    folder: int, candidates: list[Candidate], request: SnapshotRequest, whole: bool
) -> Picture:
    """The first candidate that can be served; raises `NoSnapshot`."""
    for candidate in candidates:
        try:
            picture = _open_and_read(folder, candidate.path.split("/"), request, whole)
        except (safe_open.FileNotReadable, safe_open.OutsideFolder):
            continue  # gone, or replaced by a link, since the folder was listed
        if picture:
            return picture
    raise NoSnapshot


def _open_and_read(
    folder: int, components: list[str], request: SnapshotRequest, whole: bool
) -> Picture | None:
    """The picture at ``components``, or None where it cannot be served."""
    file = safe_open.open_file(folder, components)
    try:
        return _read_whole(file, components[-1], request, whole)
    except OSError:  # a read error of the disk: the next newest may be readable
        return None
    finally:
        os.close(file)


def _read_whole(file: int, name: str, request: SnapshotRequest, whole: bool) -> Picture | None:
    data = b""
    for _ in range(READ_ATTEMPTS):
        picture = describe(file, name)
        if not 0 < picture.size <= request.most_bytes:
            return None
        if whole and not is_whole(file, picture, request.now):
            return None
        if request.max_age is not None and picture.age(request.now) > request.max_age:
            raise SnapshotTooOld(int(picture.age(request.now)))
        if request.is_known(picture):
            return picture
        data = read_up_to(file, picture.size)
        if len(data) == picture.size and describe(file, name) == picture:
            return picture._replace(data=data)
    return None if whole or not data else picture._replace(size=len(data), data=data)


def read_up_to(file: int, size: int) -> bytes:
    """At most ``size`` bytes from the start; fewer where the file became shorter."""
    data = os.pread(file, size, 0)
    while len(data) < size and (more := os.pread(file, size - len(data), len(data))):
        data += more
    return data
