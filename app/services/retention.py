"""What is old enough to go, and how does it go without anybody waiting?

In small transactions with a pause between them, in which other writers, of this process or
another, get their turn: SQLite's busy handler looks again every 0.1 seconds at the latest.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..clock import rfc3339
from ..db import database, writer
from ..models import fetch
from . import audit
from .audit import Caller

ROWS_AT_ONCE = 1000
# An event that goes lets go of its detections, which are up to a thousand of it and seldom more.
EVENTS_AT_ONCE = 20
PAUSE_SECONDS = 0.1
# No row is newer than the last moment that is kept; ids begin at 1.
Bound = tuple[str, int]


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
    """The rows of one table that are to go, so many at once: those up to ``bound``."""

    name: str
    table: str
    moment: str
    # In (moment, id).
    bound: Bound
    at_once: int

    @property
    def condition(self) -> str:
        """SQL with two parameters, the bound."""
        return f"({self.moment}, id) <= (?, ?)"

    def count(self) -> int:
        """How many rows are to go."""
        sql = f"SELECT count(*) AS n FROM {self.table} WHERE {self.condition}"  # noqa: S608
        return int(fetch(sql, self.bound)[0]["n"])

    def remove(self, progress: Callable[[int], None]) -> int:
        """Remove them, a few at a time; how many went."""
        gone = 0
        while went := self._remove_some():
            gone += went
            progress(went)
            time.sleep(PAUSE_SECONDS)
        return gone

    def _remove_some(self) -> int:
        oldest = f"ORDER BY {self.moment}, id LIMIT {self.at_once}"
        sql = (
            f"DELETE FROM {self.table} WHERE id IN "  # noqa: S608 names of our own tables
            f"(SELECT id FROM {self.table} WHERE {self.condition} {oldest})"
        )
        return writer.run(lambda: int(database.execute_sql(sql, self.bound).rowcount), alone=True)


def excess(limits: Limits, now: datetime) -> list[Excess]:
    """What the limits leave no room for, by table."""
    tables = (
        ("detections", "detection", "detected_at", limits.days, limits.rows, ROWS_AT_ONCE),
        ("events", "event", "started_at", limits.days, limits.rows, EVENTS_AT_ONCE),
        ("audit_entries", "audit_entry", "timestamp", limits.audit_days, 0, ROWS_AT_ONCE),
    )
    return [
        Excess(name, table, moment, _bound(table, moment, now, days, rows), at_once)
        for name, table, moment, days, rows, at_once in tables
    ]


def prune(
    limits: Limits, now: datetime, progress: Callable[[int], None] = lambda _: None
) -> dict[str, int]:
    """Remove what the limits leave no room for; how many rows went, by table."""
    went = {part.name: part.remove(progress) for part in excess(limits, now)}
    if any(went.values()):
        writer.run(
            lambda: audit.record(
                "retention_pruned",
                Caller("monitor"),
                "system",
                {"id": "retention", "name": None},
                went,
            )
        )
    return went


def _bound(table: str, moment: str, now: datetime, days: int, rows: int) -> Bound:
    """The newest row that is to go, or one before all rows."""
    by_age = (rfc3339(now - timedelta(days=days)), 0) if days else ("", 0)
    sql = f"SELECT {moment} AS moment, id FROM {table} "  # noqa: S608 names of our own tables
    beyond = fetch(f"{sql} ORDER BY {moment} DESC, id DESC LIMIT 1 OFFSET ?", [rows])
    by_number = (beyond[0]["moment"], beyond[0]["id"]) if rows and beyond else ("", 0)
    return max(by_age, by_number)
