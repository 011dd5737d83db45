"""Which picture does a camera show right now?

The newest whole picture in the camera's folder: never half an upload, never a file of another
kind in a picture's clothes while a real one is there.
"""

import os
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from . import safe_open
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


class Terms(NamedTuple):
    """What may be served: ``now``, the largest file in bytes, who knows the newest files of a
    folder, the greatest age in seconds (or None), and whether the client has a picture already,
    so that its bytes need not be read.
    """

    now: datetime
    most_bytes: int
    newest: Callable[[int, datetime], list[Candidate]]
    max_age: int | None = None
    known: Callable[[Picture], bool] = lambda _: False


def latest(base: str, folder_path: str, terms: Terms) -> Picture:
    """The newest whole picture below ``folder_path``; where none is whole, the newest as it is.

    Raises `NoSnapshot`, `SnapshotTooOld`, `safe_open.OutsideBase` and
    `safe_open.FolderNotFound`.
    """
    folder = safe_open.open_folder(base, folder_path)
    try:
        candidates = terms.newest(folder, terms.now)
        try:
            return _first(folder, candidates, terms, whole=True)
        except NoSnapshot:
            return _first(folder, candidates, terms, whole=False)
    finally:
        os.close(folder)


def named(base: str, folder_path: str, file_path: str | None, terms: Terms) -> Picture:
    """The picture at ``file_path``, absolute or relative to the camera's ``folder_path``.

    Raises `PictureNotFound`, `SnapshotTooOld`, `safe_open.OutsideFolder`,
    `safe_open.OutsideBase` and `safe_open.FolderNotFound`.
    """
    if file_path is None:
        raise PictureNotFound
    components = safe_open.components_within(base, folder_path, file_path)
    if os.path.splitext(components[-1])[1].lower() not in CONTENT_TYPES:
        raise PictureNotFound
    folder = safe_open.open_folder(base, folder_path)
    try:
        picture = _open_and_take(folder, components, terms, whole=False)
    except safe_open.FileNotReadable:
        picture = None
    finally:
        os.close(folder)
    if picture is None:
        raise PictureNotFound
    return picture


def _first(folder: int, candidates: list[Candidate], terms: Terms, whole: bool) -> Picture:
    """The first candidate that can be served; raises `NoSnapshot`."""
    for candidate in candidates:
        try:
            picture = _open_and_take(folder, candidate.path.split("/"), terms, whole)
        except (safe_open.FileNotReadable, safe_open.OutsideFolder):
            continue  # gone, or replaced by a link, since the folder was listed
        if picture:
            return picture
    raise NoSnapshot


def _open_and_take(
    folder: int, components: list[str], terms: Terms, whole: bool
) -> Picture | None:
    """The picture at ``components``, or None where it cannot be served."""
    file = safe_open.open_file(folder, components)
    try:
        return _take(file, components[-1], terms, whole)
    except OSError:  # a read error of the disk: the next newest may be readable
        return None
    finally:
        os.close(file)


def _take(file: int, name: str, terms: Terms, whole: bool) -> Picture | None:
    data = b""
    for _ in range(READ_ATTEMPTS):
        picture = describe(file, name)
        if not 0 < picture.size <= terms.most_bytes:
            return None
        if whole and not is_whole(file, picture, terms.now):
            return None
        if terms.max_age is not None and picture.age(terms.now) > terms.max_age:
            raise SnapshotTooOld(int(picture.age(terms.now)))
        if terms.known(picture):
            return picture
        data = _read(file, picture.size)
        if len(data) == picture.size and describe(file, name) == picture:
            return picture._replace(data=data)
    return None if whole or not data else picture._replace(size=len(data), data=data)


def _read(file: int, size: int) -> bytes:
    """At most ``size`` bytes from the start; fewer where the file became shorter."""
    data = os.pread(file, size, 0)
    while len(data) < size and (more := os.pread(file, size - len(data), len(data))):
        data += more
    return data
