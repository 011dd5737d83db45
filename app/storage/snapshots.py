"""Which picture does a camera show right now?

The newest whole picture in the camera's folder: never a part of an upload, and no file that only
has a picture's name while there is a real one.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from . import safe_open
from .checks import READ_ATTEMPTS, StoredPicture, describe, opened, read_up_to
from .clips import OpenClip
from .folder_entry import folder_key
from .folders import Folders
from .formats import CONTENT_TYPES, FOREIGN, HALF
from .storage_clock import EMPTY
from .versions import CheckedFile, Search

# How often a folder that is not watched is walked for one answer at the most.
MOST_WALKS = 4


class NoSnapshot(Exception):
    """The folder holds no picture that can be served."""


class PictureIncomplete(Exception):
    """Nothing is there but pictures that are still being written."""


class PictureNotFound(Exception):
    """The picture that is asked for by name is gone, or none is named."""


class SnapshotTooOld(Exception):
    """The newest picture is older than the client accepts; ``age`` in whole seconds."""

    def __init__(self, age: int) -> None:
        super().__init__(age)
        self.age = age


class SnapshotRequest(NamedTuple):
    """Which picture may be served, and from where.

    ``base``: the base path; ``folder_path``: the camera's folder, absolute or relative to it;
    ``folders`` knows what is newest; ``max_age`` in seconds; ``file_pattern``: what the pictures
    of the camera are called, None for any name; ``is_not_modified``: whether the client has a
    picture already, so that its bytes need not be read.
    """

    base: str
    folder_path: str
    now: datetime
    folders: Folders
    max_age: int | None = None
    file_pattern: str | None = None
    is_not_modified: Callable[[StoredPicture], bool] = lambda _: False


def latest(request: SnapshotRequest) -> StoredPicture:
    """The newest whole picture below the folder; where none is whole, the newest as it is.

    To be called by `Folders.ask`. Raises `NoSnapshot`, `PictureIncomplete`, `SnapshotTooOld`,
    `safe_open.OutsideBase`, `safe_open.FolderNotFound` and `safe_open.StorageNotAnswering`.
    """
    with _opened(request) as folder:
        picture, checked = _search(folder, request)
        if picture is None:
            return _incomplete(folder, checked, request)
    _refuse_old(picture, request)
    return picture._replace(data=None) if request.is_not_modified(picture) else picture


def newest_clip(request: SnapshotRequest, place: int) -> tuple[StoredPicture, OpenClip]:
    """The facts of a clip below the folder, and the clip itself, to be closed by the caller.

    ``place``: 0 for the newest of those that nobody is known to be writing, 1 for the next.

    To be called by `Folders.ask`. Raises `NoSnapshot` and what `latest` does.
    """
    with _opened(request) as folder:
        state = request.folders.query(folder, request.now, request.file_pattern)
        clips = [each for each in state.clips if each.idle and each.rank != EMPTY]
        for candidate in clips[place:]:
            components = candidate.path.split("/")
            with contextlib.suppress(safe_open.FileNotReadable, safe_open.OutsideFolder):
                file = safe_open.open_file(folder, components)
                where = request.base, request.folder_path
                clip = OpenClip(file, os.fstat(file), request.folders.threads, *where)
                facts = describe(file, components[-1], state.clock)
                if request.max_age is not None and facts.age(request.now) > request.max_age:
                    clip.close()
                _refuse_old(facts, request)
                return facts, clip
    raise NoSnapshot


def open_by_path(request: SnapshotRequest, file_path: str | None) -> StoredPicture:
    """The picture at ``file_path``, absolute or relative to the camera's folder.

    To be called by `Folders.ask`. Raises `PictureNotFound`, `SnapshotTooOld`,
    `safe_open.OutsideFolder`, `safe_open.OutsideBase`, `safe_open.FolderNotFound` and
    `safe_open.StorageNotAnswering`.
    """
    if file_path is None:
        raise PictureNotFound
    components = safe_open.components_within(request.base, request.folder_path, file_path)
    if os.path.splitext(components[-1])[1].lower() not in CONTENT_TYPES:
        raise PictureNotFound
    with _opened(request) as folder:
        try:
            picture = _read_as_it_is(folder, components, request)
        except safe_open.FileNotReadable:
            picture = None
    if picture is None:
        raise PictureNotFound
    return picture


@contextmanager
def _opened(request: SnapshotRequest) -> Iterator[int]:
    """The camera's folder, open in the block."""
    folder = safe_open.open_folder(request.base, request.folder_path)
    try:
        yield folder
    finally:
        os.close(folder)


def _search(
    folder: int, request: SnapshotRequest
) -> tuple[StoredPicture | None, list[CheckedFile]]:
    """The newest whole picture, if there is one, and the files that were read to find it.

    A walk may miss files that are completed while it runs. So where others went meanwhile or are
    being written, the folder is walked again, until the result is the same twice.
    """
    key = folder_key(folder, request.file_pattern)
    picture: StoredPicture | None = None
    checked: list[CheckedFile] = []
    for _ in range(MOST_WALKS):
        before = picture
        state = request.folders.query(folder, request.now, request.file_pattern)
        search = Search(
            request.folders.versions, folder, key, state.clock, request.is_not_modified
        )
        picture, checked = search.newest_whole(state.newest), search.checked
        is_same = before and picture and before.facts == picture.facts
        if is_same or state.polling is None or not (state.gone or search.is_disturbed):
            break
    return picture, checked


def _incomplete(
    folder: int, checked: list[CheckedFile], request: SnapshotRequest
) -> StoredPicture:
    """The newest candidate that is not being written, as it is: one that begins like a picture,
    else any other.

    Raises `PictureIncomplete` where something is being written, else `NoSnapshot`.
    """
    over = [file for file in checked if not file.check.is_being_written]
    over.sort(key=lambda file: (not file.candidate.idle, file.check.kind != HALF))
    for candidate, check, _ in over:
        if check.kind in (HALF, FOREIGN):
            with contextlib.suppress(safe_open.FileNotReadable, safe_open.OutsideFolder):
                if picture := _read_as_it_is(folder, candidate.path.split("/"), request):
                    return picture
    raise NoSnapshot if len(over) == len(checked) else PictureIncomplete


def _read_as_it_is(
    folder: int, components: list[str], request: SnapshotRequest
) -> StoredPicture | None:
    """The file at ``components``, whatever it is, or None where it cannot be served."""
    data = b""
    times = request.folders.clock(folder, request.now, request.file_pattern)
    with opened(folder, components) as file:
        for _ in range(READ_ATTEMPTS):
            picture = describe(file, components[-1], times)
            if not 0 < picture.size <= request.folders.most_bytes:
                return None
            _refuse_old(picture, request)
            if request.is_not_modified(picture):
                return picture
            data = read_up_to(file, picture.size)
            if len(data) == picture.size and describe(file, picture.name, times) == picture:
                return picture._replace(data=data)
    return picture._replace(size=len(data), data=data) if data else None


def _refuse_old(picture: StoredPicture, request: SnapshotRequest) -> None:
    age = picture.age(request.now)
    if request.max_age is not None and age > request.max_age:
        raise SnapshotTooOld(int(age))
