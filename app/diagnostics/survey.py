"""What lies in a folder? Counted by descriptor, within bounds of number and time."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ..storage import safe_open
from ..storage.newest_files import horizon_ns
from ..storage.scan import DEEPEST, SUFFIXES, has_suffix, is_candidate, is_readable

# Why such a file is an unfinished upload.
TEMPORARY_NAME = "temporary_name"
# What is being uploaded is no trouble before it has stood still for so long, in seconds.
STALE_SECONDS = 60
# How many unfinished uploads, and how many kinds of other files, are named.
NAMED = 20
# What FTP servers and cameras call an upload until it is complete. ProFTPD's HiddenStores and
# rsync put a dot before the picture's name, which `is_temporary` sees by itself.
TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".filepart", ".upload", ".uploading")
PURE_FTPD = ".pureftpd-upload."


class Bounds(NamedTuple):
    """Where counting ends: at so many ``pictures``, or after so many ``seconds``."""

    pictures: int
    seconds: float


class File(NamedTuple):
    """A file by its path below the folder; ``mtime_ns`` since the epoch, ``size`` in bytes."""

    path: str
    mtime_ns: int
    size: int


@dataclass(slots=True)
class Survey:
    """What was counted; ``complete`` says whether that is everything.

    ``newest``: of the pictures counted; ``temporary``: uploads under a name that is not their
    last one, at most `NAMED`; ``passed_over``: how many ``links``, ``empty``, ``too_large`` and
    ``unreadable`` pictures, ``closed``, ``broken`` and ``too_deep`` folders; ``others``: suffix →
    files.
    """

    pictures: int = 0
    complete: bool = True
    newest: File | None = None
    temporary: list[File] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)


class _Enough(Exception):
    """A bound is reached."""


class _Count:
    """One survey while it goes on."""

    def __init__(self, now: datetime, most_bytes: int, bounds: Bounds, way: Sequence[str]) -> None:
        self.survey = Survey()
        self.pending = [list(way)]
        self._horizon = horizon_ns(now)
        self._stale = (now.timestamp() - STALE_SECONDS) * 1e9
        self._most_bytes = most_bytes
        self._most_pictures = bounds.pictures
        self._deadline = time.monotonic() + bounds.seconds

    def read(self, root: int, way: list[str]) -> None:
        """Count what is in the folder at ``way`` below ``root``; raises `_Enough`."""
        try:
            folder = safe_open.open_below(root, way)
        except (safe_open.OutsideBase, safe_open.FolderNotFound):
            self.survey.passed_over["closed"] += 1
            return
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._take(folder, way, entry)
        except OSError as error:
            if error.errno in safe_open.EXHAUSTED:
                raise
            self.survey.passed_over["broken"] += 1
        finally:
            os.close(folder)

    def _take(self, folder: int, way: list[str], entry: os.DirEntry[str]) -> None:
        if time.monotonic() > self._deadline or self.survey.pictures >= self._most_pictures:
            raise _Enough
        if entry.is_file(follow_symlinks=False) and is_temporary(entry.name):
            self._take_temporary(way, entry)
        elif entry.name.startswith("."):
            return
        elif entry.is_symlink():
            self.survey.passed_over["links"] += 1
        elif entry.is_dir(follow_symlinks=False):
            self._take_folder([*way, entry.name])
        elif has_suffix(entry.name):
            self._take_picture(folder, way, entry)
        else:
            self._take_other(os.path.splitext(entry.name)[1].lower())

    def _take_temporary(self, way: list[str], entry: os.DirEntry[str]) -> None:
        status = _stat(entry)
        if status and len(self.survey.temporary) < NAMED:
            path = "/".join([*way, entry.name])
            self.survey.temporary.append(File(path, status.st_mtime_ns, status.st_size))

    def _take_folder(self, way: list[str]) -> None:
        if len(way) > DEEPEST:
            self.survey.passed_over["too_deep"] += 1
        else:
            self.pending.append(way)

    def _take_picture(self, folder: int, way: list[str], entry: os.DirEntry[str]) -> None:
        status = _stat(entry)
        if status is None or not entry.is_file(follow_symlinks=False):
            return
        if status.st_size == 0:
            self.survey.passed_over["empty"] += status.st_mtime_ns < self._stale
        elif not is_candidate(status, self._most_bytes):
            self.survey.passed_over["too_large"] += 1
        elif not is_readable(folder, entry.name, status):
            self.survey.passed_over["unreadable"] += 1
        else:
            self.survey.pictures += 1
            found = File("/".join([*way, entry.name]), status.st_mtime_ns, status.st_size)
            newest = self.survey.newest
            if newest is None or self._rank(found) > self._rank(newest):
                self.survey.newest = found

    def _take_other(self, suffix: str) -> None:
        if suffix in self.survey.others or len(self.survey.others) < NAMED:
            self.survey.others[suffix] += 1

    def _rank(self, file: File) -> tuple[bool, int, str]:
        return file.mtime_ns <= self._horizon, file.mtime_ns, file.path


def survey(
    root: int, now: datetime, most_bytes: int, bounds: Bounds, way: Sequence[str] = ()
) -> Survey:
    """What lies at ``way`` below the descriptor ``root``, pictures of at most ``most_bytes``."""
    count = _Count(now, most_bytes, bounds, way)
    try:
        while count.pending:
            count.read(root, count.pending.pop())
    except _Enough:
        count.survey.complete = False
    return count.survey


def is_temporary(name: str) -> bool:
    """Whether a file of this name is an upload that is to be renamed when it is complete."""
    lower = name.lower()
    if lower.endswith(TEMPORARY) or lower.startswith(PURE_FTPD):
        return True
    return lower.startswith(".") and any(suffix in lower for suffix in SUFFIXES)


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """None where the file is gone since the folder was listed."""
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None
