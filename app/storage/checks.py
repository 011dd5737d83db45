"""Does a file hold a whole picture, and is it still being written?"""

import contextlib
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from . import safe_open
from .formats import CONTENT_TYPES, EMPTY, HALF, WHOLE, kind_of
from .mount_threads import is_asked_directly, note_progress
from .scan import require_listing
from .storage_clock import StorageClock

# A file that begins like a picture, or is empty, counts as being written for this long after its
# last change, in seconds, because cameras resume uploads.
WRITING_SECONDS = 10
# A file may change twice within one tick of the file system's clock, of 10 ms at the most: a file
# that is younger than this, in nanoseconds, is read anew each time.
CERTAIN_NS = 10**9
# How many files are remembered, about 1 MiB.
MOST_REMEMBERED = 4096
# A slow share delivers at least this many bytes within the time after which it counts as hanging.
PIECE_BYTES = 256 * 1024
# How often a file that changes while it is read is read before the next newest is used.
READ_ATTEMPTS = 3


class StoredPicture(NamedTuple):
    """A picture and the attributes of its file at the time when it had these bytes.

    ``name``: the file's own name; ``device`` and ``inode`` name the file itself; ``size`` in
    bytes; ``mtime_ns`` and ``ctime_ns`` since the epoch; ``time_ns``: the time that it counts
    with, by a clock that is ``ahead_ns`` ahead of the box's; ``data`` is None where the client has
    the same bytes already.
    """

    name: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    time_ns: int
    ahead_ns: int
    data: bytes | None = None

    @property
    def file(self) -> tuple[int, int]:
        return self.device, self.inode

    @property
    def facts(self) -> tuple[int, int, int]:
        """The attributes that change with the bytes."""
        return self.size, self.mtime_ns, self.ctime_ns

    @property
    def content_type(self) -> str:
        """The MIME type by suffix, named here because `mimetypes` differs by machine."""
        return CONTENT_TYPES[os.path.splitext(self.name)[1].lower()]

    @property
    def etag(self) -> str:
        """Strong: the kernel moves the change time with every write, and no program can set it."""
        return f"{self.inode:x}-{self.size:x}-{self.mtime_ns:x}-{self.ctime_ns:x}"

    def age(self, now: datetime) -> float:
        """Seconds since its time, negative where that lies in the future."""
        return now.timestamp() - (self.time_ns - self.ahead_ns) / 1e9


def describe(file: int, name: str, clock: StorageClock) -> StoredPicture:
    """The facts of the open file as they are now, without its bytes."""
    status = os.fstat(file)
    return StoredPicture(
        *(name, status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns, clock.place(status)[1], clock.ahead_ns),
    )


class FileCheck(NamedTuple):
    """The result of reading a file.

    ``kind``: by `formats.kind_of`; ``changed_at``: when its last change was seen, by the
    monotonic clock; ``is_rewritten``: whether the file held another whole picture before.
    """

    kind: str
    changed_at: float
    is_rewritten: bool = False

    @property
    def is_being_written(self) -> bool:
        """Whether the rest of the picture may still be uploaded."""
        age = time.monotonic() - self.changed_at
        return self.kind in (EMPTY, HALF) and age < WRITING_SECONDS


# A file that cannot be read, and one that changes whenever it is read.
UNREADABLE, CHANGING = FileCheck("unreadable", -math.inf), FileCheck(HALF, math.inf)


class FileChecks:
    """The checks of the files that were read last. Safe for threads.

    ``most_bytes``: a larger file is never read.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        # By device and inode: size and times of the file when it was checked, and the check.
        self._checks: OrderedDict[tuple[int, int], tuple[tuple[int, ...], FileCheck]] = (
            OrderedDict()
        )
        self._lock = threading.Lock()

    def examine(
        self,
        folder: int,
        path: str,
        clock: StorageClock,
        is_needed: Callable[[StoredPicture, FileCheck], bool] = lambda *_: False,
    ) -> tuple[StoredPicture | None, FileCheck]:
        """Check the file at ``path`` below the descriptor ``folder``.

        The picture is None where the file cannot be read. It contains the bytes if they had to be
        read, for the check or because ``is_needed`` returned true.
        """
        components = path.split("/")
        try:
            with opened(folder, components) as file:
                return self._read(file, components[-1], clock, is_needed)
        except (safe_open.FileNotReadable, safe_open.OutsideFolder):
            return None, UNREADABLE  # gone, or replaced by a link, since the folder was listed

    def _read(
        self,
        file: int,
        name: str,
        clock: StorageClock,
        is_needed: Callable[[StoredPicture, FileCheck], bool],
    ) -> tuple[StoredPicture | None, FileCheck]:
        picture = None
        for _ in range(READ_ATTEMPTS):
            picture = describe(file, name, clock)
            if picture.size > self._most_bytes:
                return None, UNREADABLE
            check = self._recall(picture, clock)
            if check and not is_needed(picture, check):
                return picture, check
            data = read_up_to(file, picture.size)
            if len(data) == picture.size and describe(file, name, clock) == picture:
                check = check or self._remember(picture, kind_of(data), clock)
                return picture._replace(data=data), check
        return picture, CHANGING

    def _recall(self, picture: StoredPicture, clock: StorageClock) -> FileCheck | None:
        """The check of the file with just these facts; None where it must be read."""
        with self._lock:
            facts, check = self._checks.get(picture.file, (None, None))
        is_certain = clock.now_ns - picture.ctime_ns > CERTAIN_NS
        return check if facts == picture.facts and is_certain else None

    def _remember(self, picture: StoredPicture, kind: str, clock: StorageClock) -> FileCheck:
        with self._lock:
            facts, check = self._checks.pop(picture.file, (None, None))
            if check is None:
                age = max(0, clock.now_ns - picture.time_ns) / 1e9
                check = FileCheck(kind, time.monotonic() - age)
            elif facts == picture.facts:
                check = check._replace(kind=kind)
            else:
                is_rewritten = check.is_rewritten or check.kind == WHOLE
                check = FileCheck(kind, time.monotonic(), is_rewritten)
            self._checks[picture.file] = picture.facts, check
            if len(self._checks) > MOST_REMEMBERED:
                self._checks.popitem(last=False)
        return check


@contextlib.contextmanager
def opened(folder: int, components: list[str]) -> Iterator[int]:
    """The regular file at ``components`` below ``folder``, open in the block.

    Raises what `safe_open.open_file` does, and `FileNotReadable` for a read error in the block;
    `StorageNotAnswering` where the file's folder fails, too.
    """
    try:
        file = safe_open.open_file(folder, components)
        try:
            yield file
        except OSError as error:
            raise safe_open.FileNotReadable(error.errno) from None
        finally:
            with contextlib.suppress(OSError):  # where FUSE's program has ended meanwhile
                os.close(file)
    except safe_open.FileNotReadable as error:
        if error.args and error.args[0] in safe_open.NOT_ANSWERING:
            require_listing(folder, components[:-1])
        raise


def read_up_to(file: int, size: int) -> bytes:
    """At most ``size`` bytes from the start, fewer where the file became shorter."""
    most = size if is_asked_directly() else PIECE_BYTES
    data = os.pread(file, min(size, most), 0)
    while len(data) < size and (more := os.pread(file, min(size - len(data), most), len(data))):
        note_progress()
        data += more
    return data
