"""What lies in a folder? Counts its files within bounds, and checks its newest pictures."""

import os
import stat
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from ..storage import safe_open
from ..storage.checks import FileChecks
from ..storage.formats import EMPTY, FOREIGN, WHOLE
from ..storage.names import as_text
from ..storage.newest_files import Candidate
from ..storage.scan import (
    MAX_DEPTH,
    ask_entry,
    entries,
    final_name,
    has_suffix,
    is_candidate,
    is_clip,
    is_housekeeping,
    is_readable,
    is_temporary,
    name_filter,
)
from ..storage.storage_clock import StorageClock

# Why an upload counts as unfinished: its name, an open writer, or a missing end mark.
TEMPORARY_NAME, BEING_WRITTEN, CUT_SHORT = "temporary_name", "being_written", "cut_short"
# An upload is reported as a problem once it has not changed for this long, in seconds.
STALE_SECONDS = 60
# The most unfinished uploads, and the most suffixes of other files, that are listed.
MOST_LISTED = 20


class Bounds(NamedTuple):
    """Counting ends after this number of ``pictures`` or of ``seconds``."""

    pictures: int
    seconds: float


class SurveyedFile(NamedTuple):
    """A file by its path below the folder; ``time_ns``: by the box's clock, since the epoch;
    ``size`` in bytes; ``place``: by `StorageClock.place`.
    """

    path: str
    time_ns: int
    size: int
    place: tuple[int, int, int] = (0, 0, 0)

    @property
    def path_text(self) -> str:
        """The path as text, whatever the encodings of its components are."""
        return "/".join(map(as_text, self.path.split("/")))


@dataclass(slots=True)
class Survey:
    """What was counted in a folder and below it.

    ``complete``: whether everything was counted; ``newest``: of the counted pictures; ``clips``:
    how many there are that are not empty;
    ``temporary``: uploads under a temporary name, at most `MOST_LISTED`; ``skipped``: how many
    files and folders were skipped, by the codes of `advice.SKIPPED`; ``others``: how many files
    that are neither pictures nor clips have each suffix.
    """

    pictures: int = 0
    clips: int = 0
    complete: bool = True
    newest: SurveyedFile | None = None
    temporary: list[SurveyedFile] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class CandidateChecks:
    """What was found in the newest files.

    ``newest``: the one that the snapshot shows; ``unfinished``: incomplete uploads, each
    with `BEING_WRITTEN` or `CUT_SHORT`; ``foreign``: those that do not begin like a picture;
    ``broken``: how many are there but cannot be read.
    """

    newest: SurveyedFile | None = None
    unfinished: list[tuple[SurveyedFile, str]] = field(default_factory=list)
    foreign: list[SurveyedFile] = field(default_factory=list)
    broken: int = 0


def survey(
    root: int,
    times: StorageClock,
    most_bytes: int,
    bounds: Bounds,
    file_pattern: str | None = None,
) -> Survey:
    """Count what lies below the descriptor ``root``.

    Pictures of more than ``most_bytes`` bytes are skipped, and files that do not match the
    ``file_pattern`` are not looked at. Raises OSError where the process has no descriptors or
    memory left.
    """
    counting = _Counting(root, times, most_bytes, bounds, file_pattern)
    while counting.pending and counting.survey.complete:
        counting.read(root, counting.pending.pop())
    return counting.survey


def check_candidates(
    folder: int, candidates: list[Candidate], file_checks: FileChecks, times: StorageClock
) -> CandidateChecks:
    """Check files below the descriptor ``folder``, given in the order the snapshot tries them."""
    checks, first = CandidateChecks(), None
    for candidate in candidates:
        picture, check = file_checks.examine(folder, candidate.path, times)
        if picture is None or check.kind == EMPTY:
            # Deleted, replaced or emptied since the folder was listed; else the disk fails.
            checks.broken += picture is None and _is_there(folder, candidate.path)
            continue
        file = SurveyedFile(candidate.path, picture.time_ns - picture.ahead_ns, picture.size)
        first = first or file
        if check.kind == WHOLE:
            checks.newest = checks.newest or file
        elif check.kind == FOREIGN:
            checks.foreign.append(file)
        else:
            is_over = candidate.idle and not check.is_being_written
            checks.unfinished.append((file, CUT_SHORT if is_over else BEING_WRITTEN))
    checks.newest = checks.newest or first
    return checks


def _is_there(folder: int, path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


class _Counting:
    """A survey in progress; ``pending``: the folders that are still to be read."""

    def __init__(
        self,
        root: int,
        times: StorageClock,
        most_bytes: int,
        bounds: Bounds,
        file_pattern: str | None,
    ) -> None:
        self.survey = Survey()
        self.pending = [list[str]()]
        self._matches = name_filter(file_pattern)
        self._real_path = safe_open.real_path(root)
        self._times = times
        self._stale_ns = times.now_ns - STALE_SECONDS * 10**9
        self._most_bytes = most_bytes
        self._most_pictures = bounds.pictures
        self._deadline = time.monotonic() + bounds.seconds

    def read(self, root: int, components: list[str]) -> None:
        """Count what is in one folder below ``root``, and add its sub-folders to ``pending``.

        Raises `safe_open.StorageNotAnswering`.
        """
        try:
            folder = safe_open.open_below(root, components)
        except (safe_open.OutsideBase, safe_open.FolderNotFound):
            self.survey.skipped["closed_folders"] += 1
            return
        try:
            for entry in entries(folder):
                is_late = time.monotonic() > self._deadline
                if is_late or self.survey.pictures >= self._most_pictures:
                    self.survey.complete = False
                    return
                self._count(folder, components, entry)
        except (OSError, safe_open.FolderNotFound) as error:
            if isinstance(error, OSError) and error.errno in safe_open.EXHAUSTED:
                raise
            self.survey.skipped["broken_folders"] += 1
        finally:
            os.close(folder)

    def _count(self, folder: int, components: list[str], entry: os.DirEntry[str]) -> None:
        if entry.is_file(follow_symlinks=False) and is_temporary(entry.name):
            self._list_temporary(components, entry)
        elif entry.is_symlink():
            self._count_link(folder, entry.name)
        elif entry.is_dir(follow_symlinks=False):
            if not is_housekeeping(entry.name) and len(components) < MAX_DEPTH:
                self.pending.append([*components, entry.name])
            elif not is_housekeeping(entry.name):
                self.survey.skipped["too_deep"] += 1
        elif entry.name.startswith(".") or not self._matches(entry.name):
            return  # hidden, or another camera's
        elif has_suffix(entry.name):
            self._count_picture(folder, components, entry)
        elif is_clip(entry.name):
            status = ask_entry(entry.stat)
            self.survey.clips += status is not None and status.st_size > 0
        else:
            suffix, others = os.path.splitext(entry.name)[1].lower(), self.survey.others
            if suffix in others or len(others) < MOST_LISTED:
                others[suffix] += 1

    def _list_temporary(self, components: list[str], entry: os.DirEntry[str]) -> None:
        is_listed = len(self.survey.temporary) < MOST_LISTED
        if not is_listed or not self._matches(final_name(entry.name)):
            return
        if status := ask_entry(entry.stat):
            self.survey.temporary.append(self._file(components, entry, status))

    def _count_link(self, folder: int, name: str) -> None:
        """Count a link, unless it points to a picture of the same folder (as motion's
        lastsnap.jpg).
        """
        here = safe_open.real_path(folder)
        target = os.path.normpath(os.path.join(here, safe_open.link_target(name, folder) or ""))
        is_shown = has_suffix(target) and target.startswith(f"{self._real_path}/")
        if not (is_shown or name.startswith(".")):
            self.survey.skipped["links_inside"] += 1

    def _count_picture(self, folder: int, components: list[str], entry: os.DirEntry[str]) -> None:
        status = ask_entry(entry.stat)
        if status is None or not entry.is_file(follow_symlinks=False):
            return
        if status.st_size == 0:
            self.survey.skipped["empty_files"] += status.st_mtime_ns < self._stale_ns
        elif not is_candidate(status, self._most_bytes):
            self.survey.skipped["too_large"] += 1
        elif not is_readable(folder, entry.name, status):
            self.survey.skipped["unreadable_files"] += 1
        else:
            self.survey.pictures += 1
            picture, newest = self._file(components, entry, status), self.survey.newest
            if newest is None or (picture.place, picture.path) > (newest.place, newest.path):
                self.survey.newest = picture

    def _file(
        self, components: list[str], entry: os.DirEntry[str], status: os.stat_result
    ) -> SurveyedFile:
        path, place = "/".join([*components, entry.name]), self._times.place(status)
        return SurveyedFile(path, place[1] - self._times.ahead_ns, status.st_size, place)
