"""What is old enough to be deleted, and how without keeping other writers waiting?

In small transactions with a pause between them, in which writers of other processes can begin:
SQLite's busy handler looks again every 0.1 seconds at the latest.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .. import clock
from ..clock import rfc3339
from ..db import writer
from ..models import AUDIT, DETECTIONS, EVENTS, KeysetQuery
from ..models.keyset import Key
from . import audit
from .audit import Caller
from .clock_guard import ClockDoubted, ClockGuard

log = logging.getLogger(__name__)

# How often the service deletes by itself, in seconds.
INTERVAL_SECONDS = 3600
ROWS_AT_ONCE = 1000
# Deleting an event also updates its detections, up to about a thousand.
EVENTS_AT_ONCE = 20
PAUSE_SECONDS = 0.1
LISTS = ("detections", "events", "audit_entries")
# Before all rows: ids begin at 1.
NOTHING: Key = ("", 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept: days and rows per table of detections and events, days of the audit log.

    0 keeps for ever.
    """

    days: int
    rows: int
    audit_days: int

    def __bool__(self) -> bool:
        return bool(self.days or self.rows or self.audit_days)


@dataclass(frozen=True, slots=True)
class Excess:
    """The oldest rows of one list, up to the one of this ``key``; deleted so many ``at_once``."""

    name: str
    rows: KeysetQuery
    key: Key
    at_once: int

    def count(self) -> int:
        """How many rows are to go."""
        return self.rows.count_up_to(self.key)

    def remove_some(self) -> int:
        """Delete the oldest of them, a few; how many went."""
        return self.rows.delete_up_to(self.key, self.at_once)


def limits_of(config: Mapping[str, Any]) -> Limits:
    """The limits that the settings in an app's ``config`` name."""
    return Limits(
        config["NVR_RETENTION_DAYS"],
        config["NVR_RETENTION_ROWS"],
        config["NVR_AUDIT_RETENTION_DAYS"],
    )


def excess(limits: Limits, now: datetime) -> list[Excess]:
    """What the limits leave no room for, by list."""
    lists = (
        (DETECTIONS, limits.days, limits.rows, ROWS_AT_ONCE),
        (EVENTS, limits.days, limits.rows, EVENTS_AT_ONCE),
        (AUDIT, limits.audit_days, 0, ROWS_AT_ONCE),
    )
    return [
        Excess(name, rows, _key(rows, now, days, most), at_once)
        for name, (rows, days, most, at_once) in zip(LISTS, lists, strict=True)
    ]


def prune(
    limits: Limits,
    now: datetime,
    guard: ClockGuard,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, int]:
    """Delete what the limits leave no room for; how many rows went, by list.

    Raises `ClockDoubted` as soon as the clock is implausible; the audit log says what went before.
    """
    guard.check()
    parts = excess(limits, now)
    went = {part.name: 0 for part in parts}
    try:
        for part in parts:
            while count := writer.run(part.remove_some, alone=True):
                went[part.name] += count
                progress(count)
                time.sleep(PAUSE_SECONDS)
                guard.check()
    finally:
        if any(went.values()):
            retention = {"id": "retention", "name": None}
            monitor = Caller("monitor")
            writer.run(
                lambda: audit.record("retention_pruned", monitor, "system", retention, went)
            )
    return went


def prune_or_log(limits: Limits, guard: ClockGuard) -> None:
    """The same as `prune`, now; while the clock is implausible, only a line in the log."""
    try:
        prune(limits, clock.now(), guard)
    except ClockDoubted as doubted:
        log.warning("%s", doubted)


def _key(rows: KeysetQuery, now: datetime, days: int, most: int) -> Key:
    """The key of the newest row that is to go."""
    by_age = (rfc3339(now - timedelta(days=days)), 0) if days else NOTHING
    by_number = rows.key_beyond(most) if most else None
    return max(by_age, by_number or NOTHING)
