"""What has changed in a folder, by events since the last call or by two walks?"""

import threading
from dataclasses import dataclass, field
from typing import NamedTuple

from .newest_files import Candidate
from .storage_clock import StorageClock

# With more paths than this, the whole folder is compared instead.
MOST_PATHS = 20_000
# FAT keeps times in steps of two seconds.
ROUNDING_NS = 2 * 10**9
# Another box's clock was set if it shows a time that is further than this, in nanoseconds, from
# what it was expected to show.
SET_NS = 600 * 10**9
# How many folders' changes are compared, about 1 MiB.
MOST_FOLDERS = 10_000


@dataclass(slots=True)
class Changes:
    """Paths are relative to the camera's folder.

    ``files``: pictures and clips that were added, changed or removed; ``folders``: folders that
    were added, moved or removed, so that everything below may differ; ``being_written``: the files
    that are known to be open for writing now; ``lost``: anything may have changed.
    """

    files: dict[str, None] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    being_written: frozenset[str] = frozenset()
    lost: bool = False

    def add(self, other: "Changes") -> None:
        """Add later changes."""
        self.files |= other.files
        self.folders |= other.folders
        self.lost |= other.lost
        if len(self.files) + len(self.folders) > MOST_PATHS:
            self.files, self.folders, self.lost = {}, {}, True


class Followers:
    """The changes of one folder for each follower, until it takes them. Safe for threads."""

    def __init__(self) -> None:
        self._changes: dict[str, Changes] = {}
        self._being_written: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def note(self, changes: Changes) -> None:
        """Add the changes for each follower."""
        with self._lock:
            self._being_written = changes.being_written
            for waiting in self._changes.values():
                waiting.add(changes)

    def take(self, name: str) -> Changes:
        """The changes since the follower's last call; at first anything may have changed."""
        with self._lock:
            taken = self._changes.get(name, Changes(lost=True))
            taken.being_written = self._being_written
            self._changes[name] = Changes()
        return taken


class Arrival(NamedTuple):
    """The file of a folder that changed last, by its ctime."""

    ctime_ns: int
    path: str
    mtime_ns: int
    size: int


class Upload(NamedTuple):
    """An upload that was seen to be completed; ``seen_ns``: when, by the box's clock, in
    nanoseconds since the epoch; ``path`` and ``mtime_ns``: of its file.
    """

    seen_ns: int
    path: str
    mtime_ns: int


class Walked(NamedTuple):
    """What a walk found; ``uploads``: how many pictures and clips there are; ``folders``: the
    ctime of each of the first `MOST_FOLDERS` folders by its path; ``gone``: whether some file or
    folder went after it was listed, so that what it became may have been missed.
    """

    newest: list[Candidate]
    clips: list[Candidate]
    latest: Arrival | None
    uploads: int
    folders: dict[str, int]
    gone: bool = False


@dataclass(slots=True)
class Arrivals:
    """What changed last in a polled folder, and what that shows about the storage's clock.

    ``ahead_ns``: how far that is ahead of the box's; ``was_set``: whether it was set, so that
    there may be files from its future; ``pending``: an upload that may go on.
    """

    ahead_ns: int = 0
    was_set: bool = False
    pending: Arrival | None = None
    _latest: Arrival | None = None
    _uploads: int = 0
    _folders: dict[str, int] = field(default_factory=dict)
    _looked_ns: int = 0
    _jumps: int = 0

    def note(self, found: Walked, clock: StorageClock, jumps: int) -> None:
        """Compare a walk with the one before; ``jumps``: how often the box's clock was set."""
        if jumps != self._jumps:
            self._latest, self._folders, self.was_set = None, {}, False
        known, latest = self._latest, found.latest
        changed = [at for path, at in found.folders.items() if self._folders.get(path, at) != at]
        if set_to := next((at for at in changed if self._was_clock_set(at, clock)), None):
            self.ahead_ns, self.was_set = set_to - clock.box_ns, True
            # What changed later is new: it is found by the next walk, which knows this clock.
            self._latest = Arrival(self._looked_ns + self.ahead_ns, "", 0, 0)
        elif latest is None or known is None:
            self._latest = latest or known or Arrival(0, "", 0, 0)
        elif latest.ctime_ns > known.ctime_ns:
            self.ahead_ns = min(self.ahead_ns, latest.ctime_ns - self._looked_ns)
            if self._is_upload(known, latest, found.uploads):
                self.pending = latest
            self._latest = latest
        if not set_to:
            shown = [*changed, *(latest[:1] if latest else ())]
            self.ahead_ns = max([self.ahead_ns, *(at - clock.box_ns for at in shown)])
        if clock.is_local:
            self.ahead_ns, self.was_set = 0, False
        self._uploads, self._folders = found.uploads, found.folders
        self._looked_ns, self._jumps = clock.box_ns, jumps

    def _was_clock_set(self, changed_ns: int, clock: StorageClock) -> bool:
        """Whether a folder changed since the last walk at a time that the clock did not show then.

        Only what exceeds `SET_NS` counts: a network mount may show a change a minute later.
        """
        is_ahead = changed_ns - clock.box_ns > self.ahead_ns + SET_NS
        is_behind = changed_ns - self._looked_ns < self.ahead_ns - SET_NS
        return not clock.is_local and (is_ahead or is_behind)

    def _is_upload(self, known: Arrival, latest: Arrival, uploads: int) -> bool:
        """Whether a file was written, and not only its rights or its links were changed.

        An old mtime may be that of the camera, which sets it after the upload.
        """
        if latest.mtime_ns > self._looked_ns + self.ahead_ns - ROUNDING_NS:
            return True
        is_same = latest.path == known.path
        return latest[2:] != known[2:] if is_same else uploads > self._uploads
