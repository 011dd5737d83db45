"""Which rows, in which order, page by page? Lists that grow, by keyset and never by OFFSET.

A page begins after the last row of the page before, newest first, ties by id, so that it stays
right while rows arrive and go, and page 1,000 costs what page 1 costs (sqlite.org/rowvalue.html,
section 3.3).

Where a filter is no equality (a least confidence, one of an event's object types) the list is
merged from parts, each of which an index holds in the order of the list.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from ..db import database
from . import NotFound, Row, Secret, fetch


class BadCursor(Exception):
    """The cursor was not given out for this list with these filters."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list: SQL with a ``?`` for each value that is ``bound``.

    ``index``: which to look in, where it cannot be left to SQLite.
    """

    condition: str
    bound: tuple[Any, ...] = ()
    index: str | None = None


WHOLE = Part("")


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of list: the column of its order, its columns, and its filters.

    ``columns`` is SQL; ``filters`` maps a parameter's name to a condition with one ``?``;
    ``shape`` turns a row of columns into what goes to the wire. ``parts`` are the conditions, one
    of which each row that matches the filters given meets.
    """

    name: str  # also the name of its table
    moment: str
    columns: str
    filters: dict[str, str]
    shape: Callable[[Row], Row]
    parts: Callable[[Row], Sequence[Part]] = lambda _: ()

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
        sql = f"SELECT {self.columns} FROM {self.name} WHERE id = ?"  # noqa: S608 as below
        for row in fetch(sql, [row_id]):
            return self.shape(row)
        raise NotFound(self.name)

    def count(self, given: Row) -> int:
        """How many rows match."""
        sql, parameters = self.counting(given)
        return sum(number for (number,) in database.execute_sql(sql, parameters).fetchall())

    def counting(self, given: Row) -> tuple[str, list[Any]]:
        """The query that counts each part, and its parameters."""
        return self._of_parts("count(*)", given, None)

    def every(self, given: Row, at_once: int = 500) -> Iterator[Row]:
        """All rows that match, ``at_once`` in memory and without one long read transaction."""
        after = None
        while found := self._rows(given, at_once, after):
            yield from found
            after = self._key(found[-1])

    def sql(self, given: Row, limit: int, after: list[Any] | None) -> tuple[str, list[Any]]:
        """The query of a page and its parameters."""
        parts, parameters = self._of_parts(self.columns, given, after)
        return f"{parts} ORDER BY {self.moment} DESC, id DESC LIMIT ?", [*parameters, limit]

    def _of_parts(
        self, columns: str, given: Row, after: list[Any] | None
    ) -> tuple[str, list[Any]]:
        where, parameters = self.where(given, after)
        parts = self.parts(given) or [WHOLE]
        selects = [self._of_part(columns, part, where) for part in parts]
        return " UNION ALL ".join(selects), [
            value for part in parts for value in (*parameters, *part.bound)
        ]

    def _of_part(self, columns: str, part: Part, where: str) -> str:
        source = f"{self.name} INDEXED BY {part.index}" if part.index else self.name
        also = f"{' AND' if where else ' WHERE'} {part.condition}" if part.condition else ""
        return f"SELECT {columns} FROM {source}{where}{also}"  # noqa: S608 the listings' own words

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
        return URLSafeSerializer(_key(database.path), f"{self.name}{sorted(given.items())}")


@cache
def _key(database_path: str) -> str:
    return Secret.named("cursor")
