"""What is kept of a folder that is queried: its tree, its mounts and its changes."""

import os
import threading
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from . import safe_open
from .changes import Arrivals, Changes, Followers, Upload
from .filesystems import Mount, MountTable, mounts
from .newest_files import Candidate
from .storage_clock import StorageClock
from .watched_tree import WatchedTree

NOT_YET = "the folder has not been read yet"

# A folder by device and inode, so that a folder that replaces it is another one, and the
# `file_pattern` of the camera whose pictures are searched for in it.
FolderKey = tuple[int, int, str | None]


class FolderState(NamedTuple):
    """What is known of a folder: its newest pictures and clips, the last upload that was seen to
    be completed, why it is polled, if it is, and what its storage's clock shows; ``gone``: as of
    `Walked`.
    """

    newest: list[Candidate]
    clips: list[Candidate]
    upload: Upload | None
    polling: str | None
    clock: StorageClock
    gone: bool = False


@dataclass(slots=True)
class FolderEntry:
    """One folder and pattern: its tree, or why it cannot be watched and when to try again.

    ``mounts``: the one that it lies on and those in it, by the ``table`` that was read last.
    """

    file_pattern: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    tree: WatchedTree | None = None
    reason: str = NOT_YET
    retry_at: float = 0.0
    upload: Upload | None = None
    arrivals: Arrivals = field(default_factory=Arrivals)
    jumps: int = 0
    table: MountTable | None = None
    mounts: tuple[Mount, ...] = ()
    asked_at: float = field(default_factory=time.monotonic)
    retained: bool = True
    followers: Followers = field(default_factory=Followers)

    def check_mounts(self, folder: int) -> None:
        """Have the folder read anew where something was mounted or unmounted."""
        table = mounts.table()
        if table is not self.table:
            around = table.around(safe_open.real_path(folder))
            if around != self.mounts:
                self.close()
                self.reason, self.retry_at = NOT_YET, 0.0
            self.table, self.mounts = table, around

    def release(self) -> None:
        """Stop watching; a query that is being answered does it when it has ended."""
        if self.lock.acquire(blocking=False):
            try:
                self.close()
            finally:
                self.lock.release()

    def close(self) -> None:
        """Stop watching; call it with the lock held."""
        if self.tree:
            self.tree.close()
            self.tree = None
            self.followers.note(Changes(lost=True))


def folder_key(folder: int, file_pattern: str | None = None) -> FolderKey:
    """What the folder is, whatever its name, and which pictures in it are meant."""
    status = os.fstat(folder)
    return status.st_dev, status.st_ino, file_pattern
