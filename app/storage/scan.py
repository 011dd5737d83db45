"""Which files below a folder may be pictures? One walk, by descriptor, in constant memory."""

import os
import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from . import safe_open
from .newest_files import Candidate, Ranking

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif")
# Each level holds one descriptor open while it is walked; deeper folders are passed over.
MAX_DEPTH = 100
READABLE_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH

# What the caller knows a folder by: its path, for example.
Place = TypeVar("Place")
# Called with each subfolder before it is listed: its descriptor, the place of the folder that it
# is in, and its name. Returns the subfolder's own place, None where it is to be passed over.
Enter = Callable[[int, Place, str], Place | None]


def walk(folder: int, now: datetime, most_bytes: int) -> list[Candidate]:
    """The newest candidates below the descriptor ``folder``, the first to be tried first."""
    ranking: Ranking[str] = Ranking(now, lambda path: path)
    for parent, prefix, entry in files(folder, "", lambda _, prefix, name: f"{prefix}{name}/"):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if is_candidate(status, most_bytes) and is_readable(parent, entry.name, status):
            ranking.put(prefix + entry.name, status.st_mtime_ns)
    return ranking.answer()


def files(
    folder: int, place: Place, enter: Enter[Place], depth: int = 0
) -> Iterator[tuple[int, Place, os.DirEntry[str]]]:
    """Parent descriptor, parent place and entry of every file with a picture's name, depth first.

    What begins with a dot is passed over, files and folders alike. ``depth``: how many folders
    lie above ``folder`` in the camera's folder.
    """
    subfolders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if has_suffix(entry.name) and entry.is_file(follow_symlinks=False):
                yield folder, place, entry
            elif entry.is_dir(follow_symlinks=False):
                subfolders.append(entry.name)
    if depth < MAX_DEPTH:
        for name in subfolders:
            yield from _files_in(folder, place, name, enter, depth + 1)


def has_suffix(name: str) -> bool:
    """Whether a file of this name calls itself a picture."""
    return name.lower().endswith(SUFFIXES)


def is_candidate(status: os.stat_result, most_bytes: int) -> bool:
    """Whether it is a regular file of 1 to ``most_bytes`` bytes."""
    return 0 < status.st_size <= most_bytes and stat.S_ISREG(status.st_mode)


def is_readable(parent: int, path: str, status: os.stat_result) -> bool:
    """Asks the kernel only where some read bit is missing: a walk of 100,000 files stays cheap."""
    if status.st_mode & READABLE_BY_ALL == READABLE_BY_ALL:
        return True
    return os.access(path, os.R_OK, dir_fd=parent, effective_ids=True)


def _files_in(
    parent: int, place: Place, name: str, enter: Enter[Place], depth: int
) -> Iterator[tuple[int, Place, os.DirEntry[str]]]:
    try:
        folder = safe_open.open_below(parent, [name])
    except (safe_open.OutsideBase, safe_open.FolderNotFound):
        return  # gone, replaced by a link, or closed to the service
    try:
        below = enter(folder, place, name)
        if below is not None:
            yield from files(folder, below, enter, depth)
    finally:
        os.close(folder)
