"""What do all tables share, and how are their rows read?"""

import re
from collections.abc import Sequence
from typing import Any

from peewee import Model, ModelSelect

from ..db import database

Row = dict[str, Any]

# Unicode's categories Cc and Cs: UTF-8 has no bytes for a lone surrogate, and SQLite's own
# functions end a text at NUL.
UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Refused(Exception):
    """Values that fit their schema but not what is stored: field → messages."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__(fields)
        self.fields = fields


class NotFound(Exception):
    """There is no such row; ``resource`` says of what kind."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource


def rows(query: "ModelSelect[Any]") -> list[Row]:
    """The rows of ``query`` by column name, as SQLite's driver gives them."""
    return fetch(*query.sql())


def fetch(sql: str, parameters: Sequence[Any]) -> list[Row]:
    """The rows of a query in SQL by column name."""
    cursor = database.execute_sql(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor]


def insert(table: str, row: Row) -> None:
    """A new row, all of whose columns are given; the names are our own."""
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
    database.execute_sql(sql, list(row.values()))


class Record(Model):
    """What all tables share."""

    class Meta:
        database = database
        legacy_table_names = False
