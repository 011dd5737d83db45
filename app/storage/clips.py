"""How is a clip read in pieces while other programs may change or delete it?"""

import os
import time
from functools import partial

from ..clock import pause
from .mount_threads import StorageThreads

CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".ts": "video/mp2t",
}
# Two changes within one tick of the kernel's clock, of 10 ms at the most, have the same ctime: a
# file that changed less than this many nanoseconds ago is checked again after that time.
TICK_NS = 20_000_000


class ClipChanged(Exception):
    """The file of a clip was changed, cut short or deleted while it was read."""


class OpenClip:
    """The open file of a clip, whose bytes are read once from ``position`` to ``end``.

    ``file``: its descriptor, which `close` closes; ``status``: of the file when it was opened;
    ``threads``, ``base`` and ``folder_path``: to find the threads that read the camera's folder.
    """

    def __init__(
        self,
        file: int,
        status: os.stat_result,
        threads: StorageThreads,
        base: str,
        folder_path: str,
    ) -> None:
        self.file, self.status = file, status
        self.position, self.end = 0, status.st_size
        self._threads, self._place = threads, (base, folder_path)
        self._is_settled = not 0 <= time.time_ns() - status.st_ctime_ns < TICK_NS

    @property
    def etag(self) -> str:
        """Strong: the kernel moves the change time with every write, and no program can set it."""
        return "-".join(f"{fact:x}" for fact in (self.status.st_ino, *_facts(self.status)))

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``, none at the end.

        Raises `ClipChanged`, `OSError` and `safe_open.StorageNotAnswering`.
        """
        size = min(size, self.end - self.position)
        return self._threads.ask(partial(self._read, size), *self._place) if size else b""

    def check(self) -> None:
        """Raise `ClipChanged` where the file has changed; besides what `read` raises."""
        self._threads.ask(self._check, *self._place)

    def close(self) -> None:
        """Close the file; does not wait for storage that hangs."""
        file, self.file = self.file, -1
        if file >= 0:
            threads = self._threads.find(*self._place)
            if threads:
                threads.begin(partial(os.close, file))
            else:
                os.close(file)

    def _read(self, size: int) -> bytes:
        if not self._is_settled:
            pause(TICK_NS / 1e9)
            self._is_settled = True
        data = os.pread(self.file, size, self.position)
        self._check()
        if not data:
            raise ClipChanged
        self.position += len(data)
        return data

    def _check(self) -> None:
        if _facts(os.fstat(self.file)) != _facts(self.status):
            raise ClipChanged


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    """The attributes that change with the bytes of a file."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
