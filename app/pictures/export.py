"""How are pictures and clips copied out of a camera's folder, into a folder or a zip file?"""

import errno
import os
import secrets
import shutil
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import count
from typing import IO, Protocol
from zipfile import ZipFile, ZipInfo

from ..config import MIB
from ..db import files
from ..models import NotFound, Row
from ..models.pictures import IndexedPicture
from ..storage.clips import ClipChanged, OpenClip
from .camera_index import CameraIndex
from .files import saved_name
from .listing import Filters, Listing
from .reading import open_clip

# How much of a file is read at once; and up to which size a file for a zip file is kept in memory,
# not in a temporary file.
PIECE_BYTES, MEMORY_BYTES = MIB, 16 * MIB
# How many bytes of the camera's name a file name has, which may have 255 bytes.
NAME_BYTES = 200
# The years that a zip file can hold, and the extra field for a time in seconds since the epoch
# (PKWARE's APPNOTE 4.4.6, Info-ZIP's extrafld.txt "UT").
FIRST_YEAR, LAST_YEAR, LAST_SECOND = 1980, 2107, 2**31 - 1
UT_FIELD = 0x5455


@dataclass(slots=True)
class Exported:
    """How many pictures, clips and bytes were copied.

    ``already_there``: how many files an earlier export had copied; ``gone``: how many were deleted
    or changed during the export.
    """

    pictures: int = 0
    clips: int = 0
    bytes: int = 0
    already_there: int = 0
    gone: int = 0

    def add(self, row: IndexedPicture, is_new: bool) -> None:
        """Count a file; ``is_new``: whether it was copied now."""
        if is_new:
            self.pictures += not row.is_clip
            self.clips += row.is_clip
            self.bytes += row.size
        else:
            self.already_there += 1


class Target(Protocol):
    """Where the copies go."""

    def add(self, names: Iterator[str], file: OpenClip) -> tuple[str, bool]:
        """Copy the file under the first free name; return the name, and False if it was there.

        Raises `ClipChanged`, and leaves nothing of the file then.
        """


def export(
    camera: Row,
    index: CameraIndex,
    filters: Filters,
    target: Target,
    zone: tzinfo,
    done: Exported,
    progress: Callable[[int], None],
) -> None:
    """Copy the files that match, named by their local times; add them to ``done``.

    Raises `OSError` and what `CameraIndex.ask` raises.
    """
    last, used = "", set[str]()
    words = os.fsencode(camera["name"])[:NAME_BYTES].decode(errors="ignore")
    for row in Listing(index).iterate(filters):
        base = saved_name(words, row.taken_us, row.name, zone)
        stem = os.path.splitext(base)[0]
        if stem != last:  # files of another second have other names
            last, used = stem, set()
        try:
            with closing(open_clip(index, row)) as file:
                free = (name for name in _names(base) if name not in used)
                name, is_new = target.add(free, file)
        except (NotFound, ClipChanged):
            done.gone += 1
        else:
            used.add(name)
            done.add(row, is_new)
        progress(1)


def _names(base: str) -> Iterator[str]:
    """``a.jpg``, ``a_2.jpg``, ``a_3.jpg``, …"""
    stem, suffix = os.path.splitext(base)
    yield base
    for number in count(2):
        yield f"{stem}_{number}{suffix}"


@contextmanager
def opened(path: str, zone: tzinfo) -> Iterator[Target]:
    """A zip file where ``path`` ends in ``.zip``, which exists only at the end; else a folder.

    Raises `FileExistsError` where the zip file exists.
    """
    if not path.lower().endswith(".zip"):
        os.makedirs(path, exist_ok=True)
        yield FolderTarget(path)
        return
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    with _partial(folder) as (partial, file):
        with ZipFile(file, "w") as archive:
            yield ZipTarget(archive, folder, zone)
        _finish(file)
        files.rename_new(partial, path)


class FolderTarget:
    """A folder, in which each file is complete or absent."""

    def __init__(self, path: str) -> None:
        self._path = path

    def add(self, names: Iterator[str], file: OpenClip) -> tuple[str, bool]:
        """See `Target`."""
        is_copied = False
        with _partial(self._path) as (partial, copy):
            for name in names:
                path = os.path.join(self._path, name)
                if os.path.lexists(path):
                    if _is_same(path, file):
                        return name, False
                    continue
                if not is_copied:
                    _copy(file, copy)
                    _finish(copy, file.status.st_mtime_ns)
                    is_copied = True
                with suppress(FileExistsError):  # another program has made it meanwhile
                    files.rename_new(partial, path)
                    return name, True
        raise AssertionError("there is always another name")


class ZipTarget:
    """A zip file, of which each entry takes about 600 bytes of memory."""

    def __init__(self, archive: ZipFile, folder: str, zone: tzinfo) -> None:
        self._archive, self._folder, self._zone = archive, folder, zone

    def add(self, names: Iterator[str], file: OpenClip) -> tuple[str, bool]:
        """See `Target`."""
        name = next(names)
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES, dir=self._folder) as whole:
            _copy(file, whole)
            whole.seek(0)
            with self._archive.open(self._entry(name, file), "w") as entry:
                shutil.copyfileobj(whole, entry, PIECE_BYTES)
        return name, True

    def _entry(self, name: str, file: OpenClip) -> ZipInfo:
        seconds = file.status.st_mtime_ns // 10**9
        local = datetime.fromtimestamp(seconds, self._zone)
        year = min(max(local.year, FIRST_YEAR), LAST_YEAR)
        entry = ZipInfo(name, (year, *local.timetuple()[1:6]))
        entry.extra = struct.pack("<HHBl", UT_FIELD, 5, 1, min(max(seconds, 0), LAST_SECOND))
        entry.external_attr = (stat.S_IFREG | 0o644) << 16
        entry.file_size = file.end
        return entry


def _copy(file: OpenClip, copy: IO[bytes]) -> None:
    file.position = 0
    while piece := file.read(PIECE_BYTES):
        copy.write(piece)
    file.check()


def _is_same(path: str, file: OpenClip) -> bool:
    """Whether the file at ``path`` has the same bytes."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size != file.end:
        return False
    file.position = 0
    with open(path, "rb") as other:
        while piece := file.read(PIECE_BYTES):
            if other.read(len(piece)) != piece:
                return False
    return True


@contextmanager
def _partial(folder: str) -> Iterator[tuple[str, IO[bytes]]]:
    """A new file with a hidden name, which is deleted at the end unless it was renamed."""
    path = os.path.join(folder, f".{secrets.token_hex(8)}.partial")
    try:
        with open(path, "xb") as file:
            yield path, file
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _finish(file: IO[bytes], modified_ns: int | None = None) -> None:
    """Set the file's time, and write it to the disk, which may say only then that it is full."""
    file.flush()
    if modified_ns is not None:
        os.utime(file.fileno(), ns=(modified_ns, modified_ns))
    os.fsync(file.fileno())
