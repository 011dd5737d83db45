"""Which of many files are the newest, remembered in constant memory?"""

import itertools
import math
import time
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from .times import EMPTY, FUTURE, TRUSTED

# How many candidates an answer has at the most.
KEPT = 32
# A ranking remembers more, so that it can do without the newest ones when they are deleted.
REMEMBERED = 64
# How many files come before the oldest of those are forgotten together.
SLACK = 32
# A file that was written to and neither closed nor written again for this long, in seconds, is
# no upload any more: truncate(2) by name closes nothing, and FTP servers time out sooner.
STALLED_SECONDS = 900

_numbers = itertools.count()

# What a file is known by, while its path may change.
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
    folder, break ties; ``idle``: nobody is known to be writing it; ``completed``: None where
    nothing watches.
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
        # The newest file that was forgotten: the order of what is not newer is unknown.
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
        """Note that ``file`` is gone."""
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
        """Whether no forgotten file can belong to the `KEPT` newest."""
        return self._floor is None or len(self.times) >= KEPT

    def _keep(self, is_kept: Callable[[File, Times], bool]) -> None:
        self.times = {file: when for file, when in self.times.items() if is_kept(file, when)}

    def _is_above_floor(self, file: File, times: Times) -> bool:
        if self._floor is None or times > self._floor[0]:
            return True
        return times == self._floor[0] and self._path_of(file) > self._floor[1]


class Ranking(Generic[File]):
    """The newest files of a folder: first those whose time is believed, the empty ones last.

    ``path_of`` gives a file's path relative to the folder.
    """

    def __init__(self, path_of: Callable[[File], str]) -> None:
        self._path_of = path_of
        self._ranks = {rank: NewestFiles(path_of) for rank in (TRUSTED, FUTURE, EMPTY)}
        # The least time of a file that was put, and lay in the future then.
        self._due_ns: float = math.inf

    def put(self, file: File, rank: int, time_ns: int, own_ns: int) -> None:
        """Note that ``file`` is there, as `StorageClock.place` has placed it."""
        self.drop(file)
        self._ranks[rank].put(file, (time_ns, own_ns))
        if rank == FUTURE:
            self._due_ns = min(self._due_ns, own_ns)

    def drop(self, file: File) -> None:
        """Note that ``file`` is gone."""
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
        """Whether the answer is what a walk would find; if not, the files must be seen anew."""
        return now_ns < self._due_ns and all(n.is_complete for n in self._ranks.values())

    def answer(self, writers: "Writers[File] | None" = None) -> list[Candidate]:
        """At most `KEPT` candidates, the first to be tried first, then as many empty files."""
        files = writers.files() if writers else ()
        found = [
            Candidate(
                *(rank, *times, self._path_of(file), file not in files),
                writers.completed(file) if writers is not None else None,
            )
            for rank, newest in self._ranks.items()
            for file, times in newest.times.items()
        ]
        found.sort(reverse=True)
        empty = [candidate for candidate in found if candidate.rank == EMPTY]
        return found[: len(found) - len(empty)][:KEPT] + empty[:KEPT]


class Uploads(Generic[File]):
    """The files of one kind in a watched folder: the newest, and those that are being written."""

    def __init__(self, path_of: Callable[[File], str]) -> None:
        self.ranking: Ranking[File] = Ranking(path_of)
        self.writers: Writers[File] = Writers()
        self._answer: list[Candidate] | None = None

    def answer(self) -> list[Candidate]:
        """As `Ranking.answer`; it is kept while nothing changes and nothing is being written."""
        if self._answer is None or self.writers:
            self._answer = self.ranking.answer(self.writers)
        return self._answer

    def note_change(self) -> None:
        """Note that the ranking, or what is known of a file in it, may have changed."""
        self._answer = None

    def keep_where(self, exists: Callable[[File], bool]) -> None:
        """Note that the files for which ``exists`` is false are gone."""
        self.ranking.keep_where(exists)
        self.writers.keep_where(exists)


class Writers(Generic[File]):
    """The files that were written to and not closed since, and how often each was completed."""

    def __init__(self) -> None:
        # When each was written to last, by the monotonic clock.
        self._written_at: dict[File, float] = {}
        # Of the files that were completed last.
        self._completed: dict[File, Completed] = {}
        self._since = next(_numbers)

    def __bool__(self) -> bool:
        return bool(self._written_at)

    def put(self, file: File) -> None:
        """Note that ``file`` was written to."""
        self._written_at[file] = time.monotonic()

    def complete(self, file: File) -> None:
        """Note that ``file`` was closed after writing, or renamed into place."""
        self._written_at.pop(file, None)
        since, times = self.completed(file)
        self._set_completed(file, Completed(since, times + 1))

    def drop(self, file: File) -> None:
        """Note that ``file`` was deleted, or renamed."""
        self._written_at.pop(file, None)
        self._set_completed(file, Completed(next(_numbers), 0))

    def keep_where(self, exists: Callable[[File], bool]) -> None:
        """Note that the files for which ``exists`` is false are gone."""
        self._written_at = {file: at for file, at in self._written_at.items() if exists(file)}
        self._completed = {f: known for f, known in self._completed.items() if exists(f)}
        self._since = next(_numbers)

    def completed(self, file: File) -> Completed:
        """How often ``file`` was completed."""
        return self._completed.get(file, Completed(self._since, 0))

    def _set_completed(self, file: File, completed: Completed) -> None:
        self._completed.pop(file, None)
        self._completed[file] = completed
        if len(self._completed) > REMEMBERED:
            del self._completed[next(iter(self._completed))]
            self._since = next(_numbers)

    def files(self) -> frozenset[File]:
        """Those that were written to within the last `STALLED_SECONDS`."""
        stalled = time.monotonic() - STALLED_SECONDS
        self._written_at = {file: at for file, at in self._written_at.items() if at > stalled}
        return frozenset(self._written_at)
