"""Which rows are old enough to be deleted, and how are they deleted?

In small transactions, with a pause after each in which a writer of another process can begin:
SQLite's busy handler tries again every 0.1 seconds at the latest.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .. import clock
from ..clock import pause, rfc3339
from ..db import writer
from ..models import AUDIT, DETECTIONS, EVENTS, KeysetQuery, Row
from ..models.keyset import Key
from . import audit
from .audit import Caller
from .clock_guard import ClockGuard, ClockImplausible
from .settings import Settings

log = logging.getLogger(__name__)

# How often the service deletes by itself, and how soon after a limit was changed, in seconds.
INTERVAL_SECONDS, CHANGE_SECONDS = 3600, 5
ROWS_AT_ONCE = 1000
# Deleting an event also updates its detections, up to about a thousand.
EVENTS_AT_ONCE = 20
PAUSE_SECONDS = 0.1
LISTS = ("detections", "events", "audit_entries")
# As an entry of the audit log names it.
RETENTION = {"id": "retention", "name": None}
# Before all rows: ids begin at 1.
NOTHING: Key = ("", 0)


@dataclass(frozen=True, slots=True)
class RowLimits:
    """How many days and rows of detections and of events are kept, and days of the audit log.

    0 is no limit.
    """

    days: int
    rows: int
    audit_days: int

    def __bool__(self) -> bool:
        return bool(self.days or self.rows or self.audit_days)


@dataclass(frozen=True, slots=True)
class ExcessRows:
    """The oldest rows of one list, up to this ``key``; ``at_once`` are deleted together."""

    name: str
    rows: KeysetQuery
    key: Key
    at_once: int

    def count(self) -> int:
        return self.rows.count_up_to(self.key)

    def remove_some(self) -> int:
        """Delete the oldest ``at_once`` of them and return how many were deleted."""
        return self.rows.delete_up_to(self.key, self.at_once)


def limits_of(settings: Row) -> RowLimits:
    """The limits that the settings of the box name."""
    return RowLimits(
        settings["retention_days"], settings["retention_rows"], settings["audit_retention_days"]
    )


def excess(limits: RowLimits, now: datetime) -> list[ExcessRows]:
    """The rows that exceed the limits, by list."""
    lists = (
        (DETECTIONS, limits.days, limits.rows, ROWS_AT_ONCE),
        (EVENTS, limits.days, limits.rows, EVENTS_AT_ONCE),
        (AUDIT, limits.audit_days, 0, ROWS_AT_ONCE),
    )
    return [
        ExcessRows(name, rows, _key(rows, now, days, most), at_once)
        for name, (rows, days, most, at_once) in zip(LISTS, lists, strict=True)
    ]


def prune(
    limits: RowLimits,
    now: datetime,
    guard: ClockGuard,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, int]:
    """Delete the rows that exceed the limits and return how many were deleted, by list.

    Raises `ClockImplausible` as soon as the clock is; what was deleted before is audited.
    """
    guard.check()
    parts = excess(limits, now)
    deleted = {part.name: 0 for part in parts}
    try:
        for part in parts:
            while count := writer.run(part.remove_some, alone=True):
                deleted[part.name] += count
                progress(count)
                pause(PAUSE_SECONDS)
                guard.check()
    finally:
        if any(deleted.values()):
            entry = ("retention_pruned", Caller("monitor"), "system", RETENTION, deleted)
            writer.run(lambda: audit.record(*entry))
    return deleted


class Pruning:
    """Deletes the rows that exceed the limits once an hour, and soon after a limit was changed."""

    def __init__(self, settings: Settings, guard: ClockGuard) -> None:
        self._settings, self._guard = settings, guard
        self._limits = RowLimits(0, 0, 0)
        self._due_at = 0.0

    def run_if_due(self) -> None:
        """Prune if that is due; while the clock is implausible, only log a warning."""
        limits = limits_of(self._settings.box())
        if limits == self._limits and (not limits or time.monotonic() < self._due_at):
            return
        try:
            prune(limits, clock.now(), self._guard)
        except ClockImplausible as implausible:
            log.warning("%s", implausible)
        self._limits, self._due_at = limits, time.monotonic() + INTERVAL_SECONDS


def _key(rows: KeysetQuery, now: datetime, days: int, most: int) -> Key:
    """The key of the newest row that exceeds the limits."""
    by_age = (rfc3339(now - timedelta(days=days)), 0) if days else NOTHING
    by_number = rows.key_beyond(most) if most else None
    return max(by_age, by_number or NOTHING)
