"""What do all tables share?"""

import re
from collections.abc import Iterator
from typing import Any

from peewee import SQL, Model, fn

from ..db import database
from ..db.compiled import Parameter, Row, compiled

# Unicode's categories Cc and Cs: UTF-8 has no bytes for a lone surrogate, and SQLite's own
# functions end a text at NUL.
UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class ConflictError(Exception):
    """Values that fit their schema but not what is stored: field → messages."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__(fields)
        self.fields = fields


class NotFound(Exception):
    """There is no such row; ``resource`` says of what kind."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource


class BaseModel(Model):
    """What all tables share; every query of the service is a method of its table.

    Reads give plain dicts in the contract's order, which go to the wire as they are.
    """

    class Meta:
        database = database
        legacy_table_names = False

    @classmethod
    def table(cls) -> str:
        """The table's name."""
        return str(cls._meta.table_name)

    @classmethod
    def insert_row(cls, row: Row) -> Any:
        """Insert a row, columns by name; its id."""
        return cls.insert_rows([row])[0]

    @classmethod
    def insert_rows(cls, rows: list[Row]) -> list[Any]:
        """Insert rows of the same columns; their ids in the order of the rows."""
        ids: list[Any] = []
        for some in chunks(rows):
            values = {f"{name}_{n}": row[name] for n, row in enumerate(some) for name in row}
            # The database chooses ascending ids, and may return them in any order.
            found = _insert(cls, tuple(some[0]), len(some)).rows(**values)
            ids += sorted(value for row in found for value in row.values())
        return ids

    @classmethod
    def change(cls, row_id: str | int, fields: Row) -> None:
        """Write just these columns, so that no concurrent change to another one is undone."""
        _update(cls, tuple(fields)).change(row_id=row_id, **fields)

    @classmethod
    def find(cls, **values: Any) -> Row | None:
        """The first row whose columns have these values, if there is one."""
        return _select_where(cls, tuple(values)).one(**values)

    @classmethod
    def remove(cls, row_id: str | int) -> None:
        """Delete the row of this id, if there is one."""
        _delete(cls).change(row_id=row_id)

    @classmethod
    def row_count(cls) -> int:
        """How many rows there are."""
        return int(_count(cls).scalar())


def chunks(items: list[Any]) -> Iterator[list[Any]]:
    """Parts of the list, each of a power of two items: so few lengths of queries are compiled."""
    begin = 0
    while left := len(items) - begin:
        size = 1 << (left.bit_length() - 1)
        yield items[begin : begin + size]
        begin += size


@compiled
def _insert(model: type[BaseModel], names: tuple[str, ...], rows: int) -> Any:
    values = [[Parameter(f"{name}_{n}") for name in names] for n in range(rows)]
    fields = [model._meta.combined[name] for name in names]
    return model.insert_many(values, fields).returning(model._meta.primary_key)


@compiled
def _update(model: type[BaseModel], names: tuple[str, ...]) -> Any:
    fields = {name: Parameter(name) for name in names}
    return model.update(fields).where(model._meta.primary_key == Parameter("row_id"))


@compiled
def _delete(model: type[BaseModel]) -> Any:
    return model.delete().where(model._meta.primary_key == Parameter("row_id"))


@compiled
def _select_where(model: type[BaseModel], names: tuple[str, ...]) -> Any:
    return model.select().where(*(getattr(model, name) == Parameter(name) for name in names))


@compiled
def _count(model: type[BaseModel]) -> Any:
    return model.select(fn.COUNT(SQL("*")))
