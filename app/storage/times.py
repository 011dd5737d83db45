"""What time does a picture count with? Its own where that can be believed, else when it was seen.

Cameras set times by FTP's MFMT, clocks are set, and a NAS has a clock of its own.
"""

import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

# A time that lies further in the future than this is not believed.
FUTURE_NS = 10 * 10**9
# A clock was set where it moved by more than this. Less is believed anyway, and a question may
# come some seconds after the moment that it is asked for: storage is slow, and threads wait.
JUMP_NS = FUTURE_NS
# FAT keeps times in steps of two seconds.
ROUNDING_NS = 2 * 10**9
# So many pictures whose time was not believed are remembered, about 10 MiB.
MOST_DOUBTED = 50_000

# The ranks of candidates: those of the first have a time that is believed.
TRUSTED, FUTURE, EMPTY = 2, 1, 0


class Doubted:
    """When this process first saw the pictures whose time it did not believe. Safe for threads."""

    def __init__(self) -> None:
        # By device, inode and time: the first sight, by the monotonic clock.
        self._first: dict[tuple[int, int, int], int] = {}
        # What the box's clock shows at the zero of the monotonic clock.
        self._zero_ns = 0
        self._lock = threading.Lock()
        # How often the box's clock was set.
        self.jumps = 0

    def notice(self, now: datetime) -> int:
        """The moment in nanoseconds since the epoch; notes whether the clock was set."""
        now_ns = int(now.timestamp() * 1e6) * 1000
        with self._lock:
            zero_ns = now_ns - time.monotonic_ns()
            if abs(zero_ns - self._zero_ns) > JUMP_NS:
                self._zero_ns = zero_ns
                self.jumps += 1
        return now_ns

    def first_ns(self, file: tuple[int, int, int]) -> int | None:
        """When the file was first seen, by the box's clock; None where its time was believed."""
        first = self._first.get(file)
        return None if first is None else first + self._zero_ns

    def put(self, file: tuple[int, int, int], now_ns: int) -> None:
        """Note that the time of the file, which was seen now, is not believed."""
        with self._lock:
            self._first.setdefault(file, now_ns - self._zero_ns)
            if len(self._first) > MOST_DOUBTED:
                del self._first[next(iter(self._first))]


class StorageClock:
    """What a storage's own clock shows when a folder is looked at.

    ``box_ns``: that moment by the box's clock, in nanoseconds since the epoch; ``ahead_ns``: how
    far the storage's clock is ahead of it; ``is_local``: whether the box keeps the storage itself.
    """

    def __init__(self, box_ns: int, ahead_ns: int, is_local: bool, doubted: Doubted) -> None:
        self.box_ns, self.ahead_ns, self.is_local = box_ns, ahead_ns, is_local
        self.now_ns = box_ns + ahead_ns
        self._doubted = doubted

    def place(self, status: os.stat_result) -> tuple[int, int, int]:
        """The rank of a file, the time that it counts with, and its own, which breaks ties."""
        own_ns = self.own_time(status.st_mtime_ns, status.st_ctime_ns)
        file = status.st_dev, status.st_ino, own_ns
        rank, time_ns, first_ns = TRUSTED, own_ns, self._doubted.first_ns(file)
        if self.is_future(own_ns):
            self._doubted.put(file, self.box_ns)
            rank = FUTURE
        elif first_ns is not None and own_ns > self.now_ns:
            rank = FUTURE
        elif first_ns is not None:
            time_ns = min(own_ns, first_ns + self.ahead_ns)
        return rank if status.st_size else EMPTY, time_ns, own_ns

    def own_time(self, mtime_ns: int, ctime_ns: int) -> int:
        """When a file was written, as far as its storage can tell.

        Only the kernel sets ctime. That of another box is used where mtime cannot be right.
        """
        return min(mtime_ns, ctime_ns) if self.is_local or self.is_future(mtime_ns) else mtime_ns

    def may_be(self, changed_ns: int) -> bool:
        """Whether a ctime can be right; the clock of another box is not known to be wrong."""
        return not (self.is_local and self.is_future(changed_ns))

    def is_future(self, time_ns: int) -> bool:
        """Whether a time lies too far in the storage's future to be believed."""
        return time_ns > self.now_ns + FUTURE_NS


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


@dataclass(slots=True)
class Arrivals:
    """What changed last in a polled folder, and what that tells of the storage's clock.

    ``ahead_ns``: how far that is ahead of the box's; ``pending``: an upload that may go on.
    """

    ahead_ns: int = 0
    pending: Arrival | None = None
    _latest: Arrival | None = None
    _uploads: int = 0
    _looked_ns: int = 0
    _jumps: int = 0

    def note(self, latest: Arrival | None, uploads: int, clock: StorageClock, jumps: int) -> None:
        """Compare what a walk found with what the walk before it found.

        ``uploads``: how many there are; ``jumps``: how often the box's clock was set.
        """
        known = self._latest if jumps == self._jumps else None
        if latest is not None:
            if known is not None and latest.ctime_ns > known.ctime_ns:
                self.ahead_ns = min(self.ahead_ns, latest.ctime_ns - self._looked_ns)
                if self._is_upload(known, latest, uploads):
                    self.pending = latest
            self.ahead_ns = max(self.ahead_ns, latest.ctime_ns - clock.box_ns)
        if known is None or (latest is not None and latest.ctime_ns > known.ctime_ns):
            self._latest = latest or Arrival(0, "", 0, 0)
        if clock.is_local:
            self.ahead_ns = 0
        self._uploads, self._looked_ns, self._jumps = uploads, clock.box_ns, jumps

    def _is_upload(self, known: Arrival, latest: Arrival, uploads: int) -> bool:
        """Whether a file was written, and not only its rights or its links were changed.

        An old mtime may be that of the camera, which sets it after the upload.
        """
        if latest.mtime_ns > self._looked_ns + self.ahead_ns - ROUNDING_NS:
            return True
        is_same = latest.path == known.path
        return latest[2:] != known[2:] if is_same else uploads > self._uploads
