"""How are long lists read page by page? By keyset pagination, never by OFFSET.

A page begins after the last row of the page before, newest first, ties by id. So no row is skipped
or repeated while rows are added and deleted, and page 1,000 costs what page 1 costs
(sqlite.org/rowvalue.html, section 3.3).

Where a filter is no equality (a least confidence, one of an event's object types) the list is a
union of lists, each of which is in the order of an index.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from peewee import SQL, Field, Tuple, fn

from ..db import database
from ..db.base import CompiledQuery, Parameter, Row, compiled, indexed_by
from .system import Secret

# (time, id) of a row: its place in the list.
Key = tuple[str, int]
# The parts of a union that the SQL depends on: the field, the index and the number of values.
Form = tuple[str, str | None, int] | None


class BadCursor(Exception):
    """The cursor was not issued for this list with these filters."""


@dataclass(frozen=True, slots=True)
class Union:
    """A list as a union of lists, one for each of the ``values`` of the ``field``.

    ``index``: the one to use, where the database would choose a slower one.
    """

    field: str
    values: Sequence[Any]
    index: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class KeysetQuery:
    """A list: its table, the time of its order, and its filters.

    ``filters`` maps a name to a condition with a `Parameter` of that name. ``union`` returns the
    union to use for the given filters; None where a single query is fast.
    """

    model: type[Any]
    moment: Field
    filters: dict[str, Any]
    union: Callable[[Row], Union | None] = lambda _: None

    @property
    def name(self) -> str:
        return str(self.model.table())

    def page(self, given: Row, limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
        """At most ``limit`` rows that match the filters ``given``, and the cursor of the next.

        Raises `BadCursor`.
        """
        after = None if cursor is None else read_cursor(self._signer(given), cursor)
        found = self._rows(given, limit + 1, after)
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], self._signer(given).dumps(self._key(last)) if last else None

    def count(self, given: Row) -> int:
        query, values = self.count_query(given)
        return sum(row["count"] for row in query.rows(**values))

    def newest(self, given: Row) -> Row | None:
        """The newest row that matches, if there is one."""
        return next(iter(self._rows(given, 1, None)), None)

    def iterate(self, given: Row, at_once: int = 500) -> Iterator[Row]:
        """All rows that match, ``at_once`` in memory and without one long read transaction."""
        after = None
        while found := self._rows(given, at_once, after):
            yield from found
            after = self._key(found[-1])

    def page_query(self, given: Row, limit: int, after: Key | None) -> tuple[CompiledQuery, Row]:
        """The query of a page, which counts nothing, and its values."""
        key = dict(zip(("after_moment", "after_id"), after or (), strict=False))
        form, values = self._union(given)
        query = _select_page(self, tuple(given), after is not None, form)
        return query, given | values | key | {"limit": limit}

    def count_query(self, given: Row) -> tuple[CompiledQuery, Row]:
        """The query that counts the rows of each value in the union, and its values."""
        form, values = self._union(given)
        return _select_counts(self, tuple(given), form), given | values

    def key_beyond(self, rows: int) -> Key | None:
        """The key of the newest row after the ``rows`` newest ones; None where there is none."""
        row = _select_beyond(self).one(rows=rows)
        return self._key(row) if row else None

    def count_up_to(self, key: Key) -> int:
        """How many rows are as old as the row of this key, or older."""
        return int(_count_up_to(self).scalar(moment=key[0], id=key[1]))

    def delete_up_to(self, key: Key, limit: int) -> int:
        """Delete the oldest rows up to this key, at most ``limit``; return their number."""
        return _delete_up_to(self).change(moment=key[0], id=key[1], limit=limit)

    def _union(self, given: Row) -> tuple[Form, Row]:
        """The parts of the union that the SQL depends on, and its values by parameter name."""
        union = self.union(given)
        if union is None:
            return None, {}
        values = {f"value_{number}": value for number, value in enumerate(union.values)}
        return (union.field, union.index, len(values)), values

    def _rows(self, given: Row, limit: int, after: Key | None) -> list[Row]:
        query, values = self.page_query(given, limit, after)
        return [self.model.shape(row) for row in query.rows(**values)]

    def _key(self, row: Row) -> Key:
        return row[self.moment.column_name], row["id"]

    def _signer(self, given: Row) -> URLSafeSerializer:
        """The signer of cursors for this list with these filters; its key outlives a restart."""
        return cursor_signer(f"{self.name}{sorted(given.items())}")


def cursor_signer(list_name: str) -> URLSafeSerializer:
    """The signer of one list's cursors; its key outlives a restart."""
    return URLSafeSerializer(_signing_key(database.path), list_name)


def read_cursor(signer: URLSafeSerializer, cursor: str) -> Any:
    """What the signer put into the cursor; raises `BadCursor` for one that it has not made."""
    try:
        return signer.loads(cursor)
    except BadData:
        raise BadCursor from None


@cache
def _signing_key(_database_path: str) -> str:
    return Secret.named("cursor")


@compiled
def _select_page(
    listing: KeysetQuery, names: tuple[str, ...], is_continued: bool, form: Form
) -> Any:
    conditions = [listing.filters[name] for name in names]
    if is_continued:
        key = Tuple(Parameter("after_moment"), Parameter("after_id"))
        conditions.append(Tuple(listing.moment, listing.model.id) < key)
    query = _select(listing, listing.model.columns(), conditions, form)
    newest_first = SQL(listing.moment.column_name).desc(), SQL("id").desc()
    return query.order_by(*newest_first).limit(Parameter("limit"))


@compiled
def _select_counts(listing: KeysetQuery, names: tuple[str, ...], form: Form) -> Any:
    conditions = [listing.filters[name] for name in names]
    return _select(listing, [fn.COUNT(SQL("*")).alias("count")], conditions, form)


def _select(
    listing: KeysetQuery, columns: Sequence[Any], conditions: list[Any], form: Form
) -> Any:
    if form is None:
        query = listing.model.select(*columns)
        return query.where(*conditions) if conditions else query
    field, index, number = form
    source = indexed_by(listing.model, index) if index else listing.model
    select, column = listing.model.select(*columns).from_(source), getattr(listing.model, field)
    values = [Parameter(f"value_{n}") for n in range(number)]
    return _union_all([select.where(*conditions, column == value) for value in values])


def _union_all(selects: list[Any]) -> Any:
    """A balanced tree of unions: peewee recurses into it, and Python limits the recursion."""
    if len(selects) == 1:
        return selects[0]
    half = len(selects) // 2
    return _union_all(selects[:half]).union_all(_union_all(selects[half:]))


@compiled
def _select_beyond(listing: KeysetQuery) -> Any:
    newest_first = listing.moment.desc(), listing.model.id.desc()
    query = listing.model.select(listing.moment, listing.model.id).order_by(*newest_first)
    return query.limit(1).offset(Parameter("rows"))


@compiled
def _count_up_to(listing: KeysetQuery) -> Any:
    return listing.model.select(fn.COUNT(SQL("*"))).where(_is_up_to(listing))


@compiled
def _delete_up_to(listing: KeysetQuery) -> Any:
    oldest = listing.model.select(listing.model.id).where(_is_up_to(listing))
    oldest = oldest.order_by(listing.moment, listing.model.id).limit(Parameter("limit"))
    return listing.model.delete().where(listing.model.id.in_(oldest))


def _is_up_to(listing: KeysetQuery) -> Any:
    return Tuple(listing.moment, listing.model.id) <= Tuple(Parameter("moment"), Parameter("id"))
