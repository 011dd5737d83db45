"""Which of many files are the newest, remembered in constant memory?"""

import math
from datetime import datetime
from typing import NamedTuple

# How many candidates an answer has at the most.
KEPT = 32
# A ranking remembers more, so that it can do without the newest ones when they are deleted.
REMEMBERED = 64
# How many files come before the oldest of those are forgotten together.
SLACK = 32
# A clock that is wrong by more than this, in seconds, is not trusted to name the newest picture.
FUTURE_SECONDS = 24 * 3600


class Candidate(NamedTuple):
    """A file that may be the newest picture; the greatest candidate is the first to be tried.

    ``idle``: nobody is known to be writing it; ``trusted``: its time is at most a day in the
    future; ``mtime_ns``: last write, nanoseconds since the epoch; ``path``: relative to the
    camera's folder, which breaks ties of time.
    """

    idle: bool
    trusted: bool
    mtime_ns: int
    path: str


class Newest:
    """The newest of many files by (time, path), and a bound on the time of all the others."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}
        # Its times that are the least and the greatest, None where they must be looked for.
        self._bounds: tuple[int, int] | None = None
        # The newest file that was forgotten: what is not newer is in no known order.
        self.floor: tuple[int, str] | None = None

    def put(self, path: str, mtime_ns: int) -> None:
        """Note that ``path`` is there with this time."""
        self.drop(path)
        if self.floor is None or (mtime_ns, path) > self.floor:
            self.times[path] = mtime_ns
        if len(self.times) > REMEMBERED + SLACK:
            ordered = sorted((time, name) for name, time in self.times.items())
            self.floor = ordered[SLACK]
            self.times = {name: time for time, name in ordered[SLACK + 1 :]}

    def drop(self, path: str) -> None:
        """Note that ``path`` is gone."""
        self.times.pop(path, None)
        self._bounds = None

    def drop_below(self, prefix: str) -> None:
        """Note that everything whose path begins with ``prefix`` is gone."""
        self.times = {path: t for path, t in self.times.items() if not path.startswith(prefix)}
        self._bounds = None

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
        return self.floor is None or len(self.times) >= KEPT


class Ranking:
    """The newest files of a folder: first those whose time can be trusted, then the others."""

    def __init__(self, now: datetime) -> None:
        self._horizon = horizon_ns(now)
        self._trusted = Newest()
        self._future = Newest()

    def put(self, path: str, mtime_ns: int) -> None:
        """Note that ``path`` is there with this time."""
        self.drop(path)
        (self._trusted if mtime_ns <= self._horizon else self._future).put(path, mtime_ns)

    def drop(self, path: str) -> None:
        """Note that ``path`` is gone."""
        self._trusted.drop(path)
        self._future.drop(path)

    def drop_below(self, prefix: str) -> None:
        """Note that everything whose path begins with ``prefix`` is gone."""
        self._trusted.drop_below(prefix)
        self._future.drop_below(prefix)

    def vouches(self, now: datetime) -> bool:
        """Whether the answer is what a walk would find; if not, the files must be seen anew."""
        horizon = horizon_ns(now)
        return (
            self._trusted.is_complete
            and self._future.is_complete
            and self._trusted.is_within(-math.inf, horizon)
            and self._future.is_within(horizon + 1, math.inf)
        )

    def answer(self, writing: frozenset[str] = frozenset()) -> list[Candidate]:
        """At most `KEPT` candidates, the first to be tried first."""
        ranked = [
            (trusted, time, path)
            for trusted, newest in ((True, self._trusted), (False, self._future))
            for path, time in newest.times.items()
        ]
        kept = sorted(ranked, reverse=True)[:KEPT]
        return sorted((Candidate(c[2] not in writing, *c) for c in kept), reverse=True)


def horizon_ns(now: datetime) -> int:
    """The latest time that is trusted, in nanoseconds since the epoch."""
    return int((now.timestamp() + FUTURE_SECONDS) * 1e9)
