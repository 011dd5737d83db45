"""Which time of a file is trusted, whatever the clocks of camera, box and storage show?

Cameras set times by FTP's MFMT, clocks are set, and a NAS has a clock of its own: if a time cannot
be right, the moment at which the picture was first seen is used.
"""

import os
import threading
import time
from datetime import datetime

# A time that lies further in the future than this is not trusted.
FUTURE_NS = 10 * 10**9
# A clock was set if it moved by more than this. A smaller difference is trusted anyway, and a
# query may come seconds after the moment that it is for: storage is slow, and threads wait.
JUMP_NS = FUTURE_NS
# How many pictures with untrusted times are remembered, about 10 MiB.
MOST_UNTRUSTED = 50_000

# The ranks of candidates: only those of the first have a time that is trusted.
TRUSTED, FUTURE, EMPTY = 2, 1, 0


class UntrustedTimes:
    """When this process first saw the pictures with untrusted times. Safe for threads."""

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
        """When the file was first seen, by the box's clock; None where its time was trusted."""
        first = self._first.get(file)
        return None if first is None else first + self._zero_ns

    def put(self, file: tuple[int, int, int], now_ns: int) -> None:
        """Note that the time of the file, which was seen now, is not trusted."""
        with self._lock:
            self._first.setdefault(file, now_ns - self._zero_ns)
            if len(self._first) > MOST_UNTRUSTED:
                del self._first[next(iter(self._first))]


class StorageClock:
    """The storage's own clock at the moment at which a folder is read.

    ``box_ns``: that moment by the box's clock, in nanoseconds since the epoch; ``ahead_ns``: how
    far the storage's clock is ahead of it; ``is_local``: whether the box keeps the storage itself;
    ``was_set``: whether it is another box's clock that was seen to be set.
    """

    def __init__(
        self,
        box_ns: int,
        ahead_ns: int,
        is_local: bool,
        untrusted: UntrustedTimes,
        was_set: bool = False,
    ) -> None:
        self.box_ns, self.ahead_ns, self.is_local = box_ns, ahead_ns, is_local
        self.now_ns = box_ns + ahead_ns
        self._was_set = was_set
        self._untrusted = untrusted

    def place(self, status: os.stat_result) -> tuple[int, int, int]:
        """The rank of a file, the time that it counts with, and its own, which breaks ties."""
        own_ns = self.own_time(status.st_mtime_ns, status.st_ctime_ns)
        if not status.st_size:
            return EMPTY, own_ns, own_ns
        file = status.st_dev, status.st_ino, own_ns
        rank, time_ns, first_ns = TRUSTED, own_ns, self._untrusted.first_ns(file)
        if self.is_future(own_ns):
            self._untrusted.put(file, self.box_ns)
            rank = FUTURE
        elif first_ns is not None and own_ns > self.now_ns:
            rank = FUTURE
        elif first_ns is not None:
            time_ns = min(own_ns, first_ns + self.ahead_ns)
        return rank, time_ns, own_ns

    def own_time(self, mtime_ns: int, ctime_ns: int) -> int:
        """When a file was written, as far as its storage can tell.

        Only the kernel sets ctime. The ctime of another box is used where mtime cannot be right.
        """
        return min(mtime_ns, ctime_ns) if self.is_local or self.is_future(mtime_ns) else mtime_ns

    def may_be(self, changed_ns: int) -> bool:
        """Whether a ctime can be right; that of another box is, unless its clock was set."""
        is_known = self.is_local or self._was_set
        return not (is_known and self.is_future(changed_ns))

    def is_future(self, time_ns: int) -> bool:
        """Whether a time lies too far in the storage's future to be trusted."""
        return time_ns > self.now_ns + FUTURE_NS
