"""What is newest in a folder of uploads right now?

One walk over the folder and every folder below it, in constant memory: the `KEPT` newest
candidates are remembered, not every name. Everything is reached by descriptor (`containment`).
"""

import heapq
import os
import stat
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from app import containment

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif")
KEPT = 32
# Each level holds one descriptor open while it is walked; deeper folders are passed over.
DEEPEST = 100
# A clock that is wrong by more than this, in seconds, is not trusted to name the newest picture.
FUTURE_SECONDS = 24 * 3600
READABLE_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Candidate(NamedTuple):
    """A file that may be the newest picture; the greatest candidate is the newest.

    ``trusted``: its time is at most a day in the future; ``mtime_ns``: last write, nanoseconds
    since the epoch; ``path``: relative to the walked folder, which breaks ties of time.
    """

    trusted: bool
    mtime_ns: int
    path: str


def newest(folder: int, now: datetime, most_bytes: int) -> list[Candidate]:
    """The newest candidates below the descriptor ``folder``, newest first, at most `KEPT`.

    A candidate is a readable regular file of 1 to ``most_bytes`` bytes with a picture's suffix;
    neither it nor a folder on the way to it has a name that begins with a dot.
    """
    horizon = int((now.timestamp() + FUTURE_SECONDS) * 1e9)
    kept: list[Candidate] = []  # a heap: the oldest stands first
    for path, parent, entry in _files(folder, "", DEEPEST):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if not 0 < status.st_size <= most_bytes or not stat.S_ISREG(status.st_mode):
            continue
        candidate = Candidate(status.st_mtime_ns <= horizon, status.st_mtime_ns, path)
        if (len(kept) == KEPT and candidate < kept[0]) or not _readable(parent, entry, status):
            continue
        heapq.heappush(kept, candidate)
        if len(kept) > KEPT:
            heapq.heappop(kept)
    return sorted(kept, reverse=True)


def _files(folder: int, prefix: str, levels: int) -> Iterator[tuple[str, int, os.DirEntry[str]]]:
    """Path, parent descriptor and entry of every file with a picture's name, depth first."""
    subfolders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(SUFFIXES) and entry.is_file(follow_symlinks=False):
                yield prefix + entry.name, folder, entry
            elif levels and entry.is_dir(follow_symlinks=False):
                subfolders.append(entry.name)
    for name in subfolders:
        try:
            below = containment.open_subfolder(folder, name)
        except (containment.OutsideBase, containment.FolderNotFound):
            continue
        try:
            yield from _files(below, f"{prefix}{name}/", levels - 1)
        finally:
            os.close(below)


def _readable(parent: int, entry: os.DirEntry[str], status: os.stat_result) -> bool:
    """Asks the kernel only where some read bit is missing: a walk of 100,000 files stays cheap."""
    if status.st_mode & READABLE_BY_ALL == READABLE_BY_ALL:
        return True
    return os.access(entry.name, os.R_OK, dir_fd=parent, effective_ids=True)
