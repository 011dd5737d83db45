"""Which object types of a camera are published? The most frequent ones."""

import time
from datetime import timedelta

from .. import clock
from ..models import Detection
from .discovery import Topics, components

# How many object types of a camera are published: the most frequent ones of a period.
MOST_TYPES, TYPES_PERIOD, MOST_COUNTED = 32, timedelta(days=30), 1000
# Where there are more, they are counted again when another one is seen, but not more often than
# this, and so that counting takes at most a hundredth of the time.
RECOUNT_SECONDS, RECOUNT_SHARE = 30.0, 100
# How many components that a device no longer has are named as such, the latest ones.
MOST_REMOVED = 2 * MOST_TYPES


class Types:
    """The object types of one camera that are published."""

    def __init__(self, camera_id: str) -> None:
        # `_ranked` has the most frequent ones first; `names` are in alphabetical order.
        self._ranked: list[str] = []
        self.names: list[str] = []
        # The keys and platforms of components that were published for other types before.
        self.removed: dict[str, str] = {}
        self._camera_id = camera_id
        self._has_all, self._recount_at = False, float("-inf")

    def count(self, topics: Topics) -> None:
        """Read from the database which types are the most frequent."""
        began = time.monotonic()
        since = clock.rfc3339(clock.now() - TYPES_PERIOD)
        counts = Detection.frequent_types(self._camera_id, since, MOST_COUNTED)
        # Of types that are as frequent, those that are published already stay.
        ranked = sorted(counts, key=lambda name: (-counts[name], name not in self.names, name))
        self._set(topics, ranked[:MOST_TYPES])
        self._has_all = len(ranked) <= MOST_TYPES
        took = time.monotonic() - began
        self._recount_at = began + max(RECOUNT_SECONDS, took * RECOUNT_SHARE)

    def halve(self, topics: Topics) -> None:
        """Keep the more frequent half; without any type, what was removed before is forgotten."""
        if self.names:
            self._set(topics, self._ranked[: len(self._ranked) // 2])
            self._has_all = False
        else:
            self.removed = {}

    def _set(self, topics: Topics, ranked: list[str]) -> None:
        before = components(topics, self._camera_id, self.names)
        self._ranked, self.names = ranked, sorted(ranked)
        now = components(topics, self._camera_id, self.names)
        all_before = self.removed | {key: row["platform"] for key, row in before.items()}
        removed = [(key, name) for key, name in all_before.items() if key not in now]
        self.removed = dict(removed[-MOST_REMOVED:])

    def is_count_due(self) -> bool:
        """Whether to count again because a type that is not published may have become frequent."""
        return self._has_all or time.monotonic() >= self._recount_at
