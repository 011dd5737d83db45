"""How many requests were answered, how, and how fast? Counted in a microsecond each."""

import threading
from bisect import bisect_left
from collections import Counter

# Upper bounds of the classes of durations, in seconds; the last class has none.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


# Requests that are counted together: by method, the route's pattern, and the status.
Kind = tuple[str, str, int]


class Durations:
    """How many requests took how long: one number for each class, and the sum in seconds."""

    __slots__ = ("classes", "seconds")

    def __init__(self) -> None:
        self.classes = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class Tally:
    """All requests since the start. Safe for threads."""

    def __init__(self) -> None:
        self._durations: dict[Kind, Durations] = {}
        self._snapshots: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, kind: Kind, seconds: float) -> None:
        """Note a request that took so long."""
        with self._lock:
            durations = self._durations.get(kind)
            if durations is None:
                durations = self._durations[kind] = Durations()
            durations.classes[bisect_left(BOUNDS, seconds)] += 1
            durations.seconds += seconds

    def count_snapshot(self, outcome: str) -> None:
        """Note what became of the wish for a snapshot."""
        with self._lock:
            self._snapshots[outcome] += 1

    def requests(self) -> dict[Kind, int]:
        """How many of each kind."""
        with self._lock:
            return {kind: sum(counted.classes) for kind, counted in self._durations.items()}

    def durations(self) -> dict[tuple[str, str], Durations]:
        """How long they took by method and route."""
        merged: dict[tuple[str, str], Durations] = {}
        with self._lock:
            for (method, route, _), counted in self._durations.items():
                into = merged.setdefault((method, route), Durations())
                into.seconds += counted.seconds
                into.classes = [a + b for a, b in zip(into.classes, counted.classes, strict=True)]
        return merged

    def snapshots(self) -> dict[str, int]:
        """How many snapshots by outcome."""
        with self._lock:
            return dict(self._snapshots)
