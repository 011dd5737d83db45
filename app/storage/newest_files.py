"""Which of many files are the newest, remembered in constant memory?"""

import itertools
import math
import time
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

# How many candidates an answer has at the most.
KEPT = 32
# A ranking remembers more, so that it can do without the newest ones when they are deleted.
REMEMBERED = 64
# How many files come before the oldest of those are forgotten together.
SLACK = 32
# A clock that is wrong by more than this, in seconds, is not trusted to name the newest picture.
FUTURE_SECONDS = 24 * 3600
# A file that was written to and neither closed nor written again for this long, in seconds, is
# no upload any more: truncate(2) by name closes nothing, and FTP servers time out sooner.
STALLED_SECONDS = 900

_numbers = itertools.count()

# What a file is known by, while its path may change.
File = TypeVar("File", bound=Hashable)


# The classes of candidates: the time of the first lies at most a day in the future.
TRUSTED, FUTURE, EMPTY = 2, 1, 0


class Completed(NamedTuple):
    """How often a file was closed after writing, or renamed into place; ``since``: a number of its
    own for each time the watch began or the file was deleted.
    """

    since: int
    times: int


class Candidate(NamedTuple):
    """A file that may be the newest picture; the greatest candidate is the first to be tried.

    ``rank``: `TRUSTED`, `FUTURE` or `EMPTY`; ``mtime_ns``: last write, nanoseconds since the
    epoch; ``path``: relative to the camera's folder, which breaks ties of time; ``idle``: nobody
    is known to be writing it; ``completed``: None where nothing watches.
    """

    rank: int
    mtime_ns: int
    path: str
    idle: bool = True
    completed: Completed | None = None

    def follows(self, before: "Candidate") -> bool:
        """Whether the file was completed exactly once since it was as it is in ``before``."""
        if self.path != before.path or self.completed is None or before.completed is None:
            return False
        is_same = self.completed.since == before.completed.since
        return self.completed.times == (before.completed.times if is_same else 0) + 1


class NewestFiles(Generic[File]):
    """The newest of many files by (time, path), and a bound on the time of all the others."""

    def __init__(self, path_of: Callable[[File], str]) -> None:
        self._path_of = path_of
        self.times: dict[File, int] = {}
        # The least and the greatest of the times, None where they must be looked for.
        self._bounds: tuple[int, int] | None = None
        # The newest file that was forgotten: the order of what is not newer is unknown.
        self._floor: tuple[int, str] | None = None

    def put(self, file: File, mtime_ns: int) -> None:
        """Note that ``file`` is there with this time."""
        self.drop(file)
        if self._is_above_floor(file, mtime_ns):
            self.times[file] = mtime_ns
        if len(self.times) > REMEMBERED + SLACK:
            ordered = sorted((when, self._path_of(file)) for file, when in self.times.items())
            self._floor = ordered[SLACK]
            self._keep(self._is_above_floor)

    def drop(self, file: File) -> None:
        """Note that ``file`` is gone."""
        self.times.pop(file, None)
        self._bounds = None

    def keep_where(self, exists: Callable[[File], bool]) -> None:
        """Note that the files for which ``exists`` is false are gone."""
        self._keep(lambda file, _: exists(file))

    def forget_ties(self) -> None:
        """Note that paths have changed, those of forgotten files among them."""
        if self._floor:
            self._floor = (self._floor[0] + 1, "")
            self._keep(self._is_above_floor)

    def is_within(self, least: float, most: float) -> bool:
        """Whether every time is at least and at most so much."""
        if not self.times:
            return True
        if self._bounds is None:
            self._bounds = min(self.times.values()), max(self.times.values())
        return least <= self._bounds[0] and self._bounds[1] <= most

    @property
    def is_complete(self) -> bool:
        """Whether no forgotten file can belong to the `KEPT` newest."""
        return self._floor is None or len(self.times) >= KEPT

    def _keep(self, is_kept: Callable[[File, int], bool]) -> None:
        self.times = {file: when for file, when in self.times.items() if is_kept(file, when)}
        self._bounds = None

    def _is_above_floor(self, file: File, mtime_ns: int) -> bool:
        if self._floor is None or mtime_ns > self._floor[0]:
            return True
        return mtime_ns == self._floor[0] and self._path_of(file) > self._floor[1]


class Ranking(Generic[File]):
    """The newest files of a folder: first those whose time can be trusted, the empty ones last.

    ``path_of`` gives a file's path relative to the folder.
    """

    def __init__(self, now: datetime, path_of: Callable[[File], str]) -> None:
        self._horizon = horizon_ns(now)
        self._path_of = path_of
        self._ranks = {rank: NewestFiles(path_of) for rank in (TRUSTED, FUTURE, EMPTY)}

    def put(self, file: File, mtime_ns: int, size: int) -> None:
        """Note that ``file`` is there with this time and size."""
        self.drop(file)
        rank = TRUSTED if mtime_ns <= self._horizon else FUTURE
        self._ranks[rank if size else EMPTY].put(file, mtime_ns)

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

    def is_current(self, now: datetime) -> bool:
        """Whether the answer is what a walk would find; if not, the files must be seen anew."""
        horizon = horizon_ns(now)
        return (
            all(newest.is_complete for newest in self._ranks.values())
            and self._ranks[TRUSTED].is_within(-math.inf, horizon)
            and self._ranks[FUTURE].is_within(horizon + 1, math.inf)
        )

    def answer(self, writers: "Writers[File] | None" = None) -> list[Candidate]:
        """At most `KEPT` candidates, the first to be tried first, then as many empty files."""
        files = writers.files() if writers else ()
        found = [
            Candidate(
                *(rank, mtime_ns, self._path_of(file), file not in files),
                writers.completed(file) if writers is not None else None,
            )
            for rank, newest in self._ranks.items()
            for file, mtime_ns in newest.times.items()
        ]
        found.sort(reverse=True)
        empty = [candidate for candidate in found if candidate.rank == EMPTY]
        return found[: len(found) - len(empty)][:KEPT] + empty[:KEPT]


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


def horizon_ns(now: datetime) -> int:
    """The latest time that is trusted, in nanoseconds since the epoch."""
    return int((now.timestamp() + FUTURE_SECONDS) * 1e9)
