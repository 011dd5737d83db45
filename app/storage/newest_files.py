"""Which of many files are the newest, by times that can be trusted, in constant memory?"""

import heapq
import itertools
import math
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from .storage_clock import EMPTY, FUTURE, MOST_UNTRUSTED, TRUSTED

# How many candidates an answer has at the most.
KEPT = 32
# A ranking remembers more, so that it can do without the newest ones when they are deleted.
REMEMBERED = 64
# How many more files are added before the oldest of those are dropped together.
SLACK = 32

_numbers = itertools.count()

# What identifies a file, while its path may change.
File = TypeVar("File", bound=Hashable)


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

    def drop(self, file: File) -> bool:
        """Note that ``file`` is gone; return whether it was one of those that are kept."""
        return self.times.pop(file, None) is not None

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

    def drop(self, file: File) -> bool:
        """Note that ``file`` is gone; return whether that may change the result."""
        return any(newest.drop(file) for newest in self._ranks.values())

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
