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


class ObjectTypes:
    """The object types of one camera that are published."""

    def __init__(self, topics: Topics, camera_id: str) -> None:
        # `_ranked` has the most frequent ones first; `names` are in alphabetical order.
        self._ranked: list[str] = []
        self.names: list[str] = []
        self._topics, self._camera_id = topics, camera_id
        # The keys and platforms of the components that were published.
        self._published: dict[str, str] = {}
        self._has_all, self._recount_at = False, float("-inf")

    def count(self) -> None:
        """Read from the database which types are the most frequent."""
        began = time.monotonic()
        since = clock.rfc3339(clock.now() - TYPES_PERIOD)
        counts = Detection.frequent_types(self._camera_id, since, MOST_COUNTED)
        # Of types that are as frequent, those that are published already stay.
        ranked = sorted(counts, key=lambda name: (-counts[name], name not in self.names, name))
        self._ranked, self._has_all = ranked[:MOST_TYPES], len(ranked) <= MOST_TYPES
        self.names = sorted(self._ranked)
        took = time.monotonic() - began
        self._recount_at = began + max(RECOUNT_SECONDS, took * RECOUNT_SHARE)

    def is_count_due(self) -> bool:
        """Whether to count again because a type that is not published may have become frequent."""
        return self._has_all or time.monotonic() >= self._recount_at

    def shrink(self) -> bool:
        """Keep the more frequent half, and name no component as removed any more.

        Return whether anything was left to leave out.
        """
        had = bool(self._ranked or self._published)
        self._ranked, self._published = self._ranked[: len(self._ranked) // 2], {}
        self.names, self._has_all = sorted(self._ranked), False
        return had

    def removed(self) -> dict[str, str]:
        """The keys and platforms of components that were published and no longer are."""
        now = self._components()
        gone = [(key, name) for key, name in self._published.items() if key not in now]
        return dict(gone[-MOST_REMOVED:])

    def note_published(self) -> None:
        """Note the components as published."""
        self._published = self.removed() | self._components()

    def _components(self) -> dict[str, str]:
        found = components(self._topics, self._camera_id, self.names)
        return {key: row["platform"] for key, row in found.items()}
