"""Which rows, in which order, page by page? Lists that grow, by keyset and never by OFFSET.

A page begins after the last row of the page before, newest first, ties by id, so that it stays
right while rows arrive and go, and page 1,000 costs what page 1 costs (sqlite.org/rowvalue.html,
section 3.3).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from app.db import database
from app.models import NotFound, Row, Secret, fetch


class BadCursor(Exception):
    """The cursor was not given out for this list with these filters."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of list: the column of its order, its columns, and its filters.

    ``columns`` is SQL; ``filters`` maps a parameter's name to a condition with one ``?``;
    ``shape`` turns a row of columns into what goes to the wire.
    """

    name: str  # also the name of its table
    moment: str
    columns: str
    filters: dict[str, str]
    shape: Callable[[Row], Row]

    def page(self, given: Row, limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
        """At most ``limit`` rows that match the filters ``given``, and the cursor of the next.

        Raises `BadCursor`.
        """
        after = None if cursor is None else self._read_cursor(cursor, given)
        found = self._rows(given, limit + 1, after)
        more = len(found) > limit
        last = found[limit - 1] if more else None
        return found[:limit], self._signer(given).dumps(self._key(last)) if last else None

    def one(self, row_id: int) -> Row:
        """The row of this id; raises `models.NotFound`."""
        sql = f"SELECT {self.columns} FROM {self.name} WHERE id = ?"  # noqa: S608 as in `count`
        for row in fetch(sql, [row_id]):
            return self.shape(row)
        raise NotFound(self.name)

    def count(self, given: Row) -> int:
        """How many rows match."""
        where, parameters = self.where(given)
        sql = f"SELECT count(*) FROM {self.name}{where}"  # noqa: S608 from the table of listings
        return int(database.execute_sql(sql, parameters).fetchone()[0])

    def every(self, given: Row, at_once: int = 500) -> Iterator[Row]:
        """All rows that match, ``at_once`` in memory and without one long read transaction."""
        after = None
        while found := self._rows(given, at_once, after):
            yield from found
            after = self._key(found[-1])

    def sql(self, given: Row, limit: int, after: list[Any] | None) -> tuple[str, list[Any]]:
        """The query of a page and its parameters."""
        where, parameters = self.where(given, after)
        sql = (
            f"SELECT {self.columns} FROM {self.name}{where} "  # noqa: S608 as in `count`
            f"ORDER BY {self.moment} DESC, id DESC LIMIT ?"
        )
        return sql, [*parameters, limit]

    def _rows(self, given: Row, limit: int, after: list[Any] | None) -> list[Row]:
        return [self.shape(row) for row in fetch(*self.sql(given, limit, after))]

    def where(self, given: Row, after: list[Any] | None = None) -> tuple[str, list[Any]]:
        """The WHERE clause of the filters ``given`` and its parameters."""
        conditions = [self.filters[name] for name in given]
        parameters = list(given.values())
        if after:
            conditions.append(f"({self.moment}, id) < (?, ?)")
            parameters += after
        return (" WHERE " + " AND ".join(conditions) if conditions else ""), parameters

    def _key(self, row: Row) -> list[Any]:
        return [row[self.moment], row["id"]]

    def _read_cursor(self, cursor: str, given: Row) -> list[Any]:
        try:
            return list(self._signer(given).loads(cursor))
        except BadData:
            raise BadCursor from None

    def _signer(self, given: Row) -> URLSafeSerializer:
        """Signs for this list with these filters only; the key outlives a restart."""
        return URLSafeSerializer(
            _key(str(database.database)), f"{self.name}{sorted(given.items())}"
        )


@cache
def _key(database_path: str) -> str:
    return Secret.named("cursor")


def _detection(row: Row) -> Row:
    box = {side: row.pop(f"bbox_{side}") for side in ("x", "y", "width", "height")}
    row["bbox"] = None if box["x"] is None else box
    return {name: row[name] for name in DETECTION_FIELDS}


def _event(row: Row) -> Row:
    return row | {"reviewed": bool(row["reviewed"])}


def _entry(row: Row) -> Row:
    return row | {"details": json.loads(row["details"])}


DETECTION_FIELDS = (
    *("id", "camera_id", "event_id", "detected_at", "object_type"),
    *("confidence", "bbox", "file_path", "external_id"),
)
DETECTIONS = Listing(
    name="detection",
    moment="detected_at",
    columns="*",
    filters={
        "camera_id": "camera_id = ?",
        "event_id": "event_id = ?",
        "object_type": "object_type = ?",
        "min_confidence": "confidence >= ?",
        "start_date": "detected_at >= ?",
        "end_date": "detected_at < ?",
    },
    shape=_detection,
)
EVENTS = Listing(
    name="event",
    moment="started_at",
    columns=(
        "id, camera_id, started_at, ended_at, risk_score, risk_level, summary, reasoning, "
        "reviewed, notes, "
        "(SELECT count(*) FROM detection WHERE event_id = event.id) AS detection_count"
    ),
    filters={
        "camera_id": "camera_id = ?",
        "risk_level": "risk_level = ?",
        "reviewed": "reviewed = ?",
        "object_type": (
            "EXISTS (SELECT 1 FROM detection WHERE event_id = event.id AND object_type = ?)"
        ),
        "start_date": "started_at >= ?",
        "end_date": "started_at < ?",
    },
    shape=_event,
)
AUDIT = Listing(
    name="audit_entry",
    moment="timestamp",
    columns="*",
    filters={
        "action": "action = ?",
        "resource_type": "resource_type = ?",
        "resource_id": "resource_id = ?",
        "actor": "actor = ?",
        "start_date": "timestamp >= ?",
        "end_date": "timestamp < ?",
    },
    shape=_entry,
)
