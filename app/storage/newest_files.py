"""Which of many files are the newest, by times that can be trusted, in constant memory?

Cameras set times by FTP's MFMT, clocks are set, and a NAS has a clock of its own: if a time cannot
be right, the moment at which the picture was first seen is used.
"""

import heapq
import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

# A time that lies further in the future than this is not trusted.
FUTURE_NS = 10 * 10**9
# A clock was set if it moved by more than this. A smaller difference is trusted anyway, and a
# query may come seconds after the moment that it is for: storage is slow, and threads wait.
JUMP_NS = FUTURE_NS
# How many pictures with untrusted times are remembered, about 10 MiB.
MOST_UNTRUSTED = 50_000

# The ranks of candidates: only those of the first have a time that is trusted.
TRUSTED, FUTURE, EMPTY = 2, 1, 0
# How many candidates an answer has at the most.
KEPT = 32
# A ranking remembers more, so that it can do without the newest ones when they are deleted.
REMEMBERED = 64
# How many more files are added before the oldest of those are dropped together.
SLACK = 32

_numbers = itertools.count()

# What identifies a file, while its path may change.
File = TypeVar("File", bound=Hashable)


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


class Completed(NamedTuple):
    """How often a file was closed after writing, or renamed into place; ``since``: a number of its
    own for each time the watch began or the file was deleted.
    """

    since: int
    times: int


class Candidate(NamedTuple):
    """A file that may be the newest picture; the greatest candidate is the first to be tried.

    ``rank``: `TRUSTED`, `FUTURE` or `EMPTY`; ``time_ns``: the time that it counts with, in
    nanoseconds since the epoch; ``own_ns``: its own time, and ``path``, relative to the camera's
    folder, break ties; ``idle``: it is not being written, as far as is known; ``completed``: None
    in a folder that is not watched.
    """

    rank: int
    time_ns: int
    own_ns: int
    path: str
    idle: bool = True
    completed: Completed | None = None

    def follows(self, before: "Candidate") -> bool:
        """Whether the file was completed exactly once since it was as it is in ``before``."""
        if self.path != before.path or self.completed is None or before.completed is None:
            return False
        is_same = self.completed.since == before.completed.since
        return self.completed.times == (before.completed.times if is_same else 0) + 1


# The time that a file counts with, and its own.
Times = tuple[int, int]


class NewestFiles(Generic[File]):
    """The newest of many files by (times, path), and a bound on the times of all the others."""

    def __init__(self, path_of: Callable[[File], str]) -> None:
        self._path_of = path_of
        self.times: dict[File, Times] = {}
        # The newest file that was dropped: the order of files that are not newer is unknown.
        self._floor: tuple[Times, str] | None = None

    def put(self, file: File, times: Times) -> None:
        """Note that ``file`` is there with these times."""
        self.drop(file)
        if self._is_above_floor(file, times):
            self.times[file] = times
        if len(self.times) > REMEMBERED + SLACK:
            ordered = sorted((when, self._path_of(file)) for file, when in self.times.items())
            self._floor = ordered[SLACK]
            self._keep(self._is_above_floor)

    def drop(self, file: File) -> None:
        self.times.pop(file, None)

    def keep_where(self, exists: Callable[[File], bool]) -> None:
        """Note that the files for which ``exists`` is false are gone."""
        self._keep(lambda file, _: exists(file))

    def forget_ties(self) -> None:
        """Note that paths have changed, those of forgotten files among them."""
        if self._floor:
            (time_ns, own_ns), _ = self._floor
            self._floor = (time_ns, own_ns + 1), ""
            self._keep(self._is_above_floor)

    @property
    def is_complete(self) -> bool:
        """Whether the `KEPT` newest are certainly among the files that are kept."""
        return self._floor is None or len(self.times) >= KEPT

    def _keep(self, is_kept: Callable[[File, Times], bool]) -> None:
        self.times = {file: when for file, when in self.times.items() if is_kept(file, when)}

    def _is_above_floor(self, file: File, times: Times) -> bool:
        if self._floor is None or times > self._floor[0]:
            return True
        return times == self._floor[0] and self._path_of(file) > self._floor[1]


class Ranking(Generic[File]):
    """The newest files of a folder: first those whose time is trusted, the empty ones last.

    ``path_of`` gives a file's path relative to the folder.
    """

    def __init__(self, path_of: Callable[[File], str]) -> None:
        self._path_of = path_of
        self._ranks = {rank: NewestFiles(path_of) for rank in (TRUSTED, FUTURE, EMPTY)}
        # The files whose time lay in the future when they were put, as a heap by that time, and
        # the least time of those for which there was no room in it.
        self._due: list[tuple[int, int, File]] = []
        self._due_ns: float = math.inf

    def put(self, file: File, rank: int, time_ns: int, own_ns: int) -> None:
        """Note that ``file`` is there, as `StorageClock.place` has placed it."""
        self.drop(file)
        self._ranks[rank].put(file, (time_ns, own_ns))
        if rank == FUTURE and len(self._due) < MOST_UNTRUSTED:
            heapq.heappush(self._due, (own_ns, next(_numbers), file))
        elif rank == FUTURE:
            self._due_ns = min(self._due_ns, own_ns)

    def take_due(self, now_ns: int) -> list[File]:
        """The files whose time is no longer in the future, each once; put them again."""
        due = []
        while self._due and self._due[0][0] <= now_ns:
            due.append(heapq.heappop(self._due)[2])
        return due

    def drop(self, file: File) -> None:
        for newest in self._ranks.values():
            newest.drop(file)

    def keep_where(self, exists: Callable[[File], bool]) -> None:
        """Note that the files for which ``exists`` is false are gone."""
        for newest in self._ranks.values():
            newest.keep_where(exists)

    def forget_ties(self) -> None:
        """Note that paths have changed, those of forgotten files among them."""
        for newest in self._ranks.values():
            newest.forget_ties()

    def is_current(self, now_ns: int) -> bool:
        """Whether the result is that of a walk; if not, the folder must be walked."""
        return now_ns < self._due_ns and all(n.is_complete for n in self._ranks.values())

    def answer(
        self, state_of: Callable[[File], tuple[bool, Completed | None]] = lambda _: (True, None)
    ) -> list[Candidate]:
        """At most `KEPT` candidates, the first to be tried first, then as many empty files.

        ``state_of`` gives a candidate's ``idle`` and ``completed``.
        """
        found = [
            Candidate(rank, *times, self._path_of(file), *state_of(file))
            for rank, newest in self._ranks.items()
            for file, times in newest.times.items()
        ]
        found.sort(reverse=True)
        empty = [candidate for candidate in found if candidate.rank == EMPTY]
        return found[: len(found) - len(empty)][:KEPT] + empty[:KEPT]
