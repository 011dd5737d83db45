"""Which files below a folder may be pictures? One walk, by descriptor, in constant memory."""

import os
import stat
from collections.abc import Callable, Iterator
from datetime import datetime

from . import safe_open
from .newest_files import Candidate, Ranking

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif")
# Each level holds one descriptor open while it is walked; deeper folders are passed over.
DEEPEST = 100
READABLE_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH

# Told of every folder before it is listed: its descriptor, and the path prefix of what is in it.
Enter = Callable[[int, str], None]


def walk(folder: int, now: datetime, most_bytes: int) -> list[Candidate]:
    """The newest candidates below the descriptor ``folder``, the first to be tried first."""
    ranking = Ranking(now)
    for path, parent, entry in files(folder):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if is_candidate(status, most_bytes) and is_readable(parent, entry.name, status):
            ranking.put(path, status.st_mtime_ns)
    return ranking.answer()


def files(
    folder: int, prefix: str = "", enter: Enter = lambda *_: None
) -> Iterator[tuple[str, int, os.DirEntry[str]]]:
    """Path, parent descriptor and entry of every file with a picture's name, depth first.

    What begins with a dot is passed over, files and folders alike. ``prefix`` is the path of
    ``folder`` itself below the camera's folder, empty or with a slash at its end.
    """
    enter(folder, prefix)
    subfolders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if has_suffix(entry.name) and entry.is_file(follow_symlinks=False):
                yield prefix + entry.name, folder, entry
            elif entry.is_dir(follow_symlinks=False):
                subfolders.append(entry.name)
    if prefix.count("/") < DEEPEST:
        for name in subfolders:
            yield from _files_in(folder, name, f"{prefix}{name}/", enter)


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
    folder: int, name: str, prefix: str, enter: Enter
) -> Iterator[tuple[str, int, os.DirEntry[str]]]:
    try:
        below = safe_open.open_below(folder, [name])
    except (safe_open.OutsideBase, safe_open.FolderNotFound):
        return  # gone, replaced by a link, or closed to the service
    try:
        yield from files(below, prefix, enter)
    finally:
        os.close(below)
