"""How is a response built? JSON, pages of lists, CSV."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response, stream_with_context
from werkzeug.routing import IntegerConverter

from ..access.headers import is_not_modified
from ..models import KeysetQuery, Row
from ..serialization import dump_json
from ..services.cameras import CachedBody

JSON = "application/json"
ROW_ID = "row_id"
# Spreadsheets treat these characters as the start of a formula (OWASP, CSV Injection), and their
# full-width forms: at the start, after blanks, and after a semicolon, which separates cells where
# the comma is part of a number.
FORMULA = re.compile(r"(^|;)(?=\s*[-=+@\t\r\n＝＋－＠])")  # noqa: RUF001
# RFC 4180, rule 6; and the semicolon, at which some spreadsheets separate cells.
QUOTED = re.compile(r'[,;"\t\r\n]')


class RowId(IntegerConverter):
    """A path parameter: a row's id, of as many digits as SQLite's integers always hold.

    The length is part of the pattern because Werkzeug answers 405, not 404, to a number that its
    rule matches and its converter refuses, where another method has the same path.
    """

    # Not \d, which matches the digits of every script.
    regex = "[0-9]{1,18}"


def json_response(value: Any, status: int) -> Response:
    """The response for what a view returns: a body, ``(body, headers)``, ``(body, status)`` or
    ``(body, status, headers)``.

    ``status`` holds where the view names none; with 204 the body is left out.
    """
    body, *more = value if isinstance(value, tuple) else (value,)
    if more and isinstance(more[0], int):
        status = more.pop(0)
    headers = more[0] if more else None
    if status == 204:
        response = Response(status=status, headers=headers)
        del response.headers["Content-Type"]
        return response
    return Response(dump_json(body), status, headers, mimetype=JSON)


def page(listing: KeysetQuery, key: str, query: Row) -> Row:
    """One page of a list: rows under ``key``, ``count`` if it is asked for, the next cursor."""
    paging = {name: query.pop(name) for name in ("limit", "cursor", "count")}
    rows, next_cursor = listing.page(query, paging["limit"], paging["cursor"])
    count = {"count": listing.count(query)} if paging["count"] else {}
    return {key: rows, **count, "next_cursor": next_cursor}


def tagged_response(cached: CachedBody) -> Response:
    """200 with the cached JSON body and its `ETag`, or 304 where the client has it."""
    headers = {"ETag": f'"{cached.tag}"', "Cache-Control": "private, no-cache"}
    if is_not_modified(cached.tag):
        return Response(status=304, headers=headers)
    return Response(cached.body, headers=headers, mimetype=JSON)


def csv_response(rows: Iterable[Row], columns: tuple[str, ...], file_name: str) -> Response:
    """``rows`` as a CSV download with a header line, streamed (RFC 4180)."""
    # The end of the context returns the database connection to the pool.
    lines = stream_with_context(csv_lines(rows, columns))
    response = Response(lines, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def csv_lines(rows: Iterable[Row], columns: tuple[str, ...]) -> Iterator[str]:
    """The header line, then a line for each row."""
    yield _line(columns)
    for row in rows:
        yield _line(row[column] for column in columns)


def _line(values: Iterable[Any]) -> str:
    return ",".join(_cell(value) for value in values) + "\r\n"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(escape_formula(value))
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def escape_formula(text: str) -> str:
    """``text`` as a cell that no spreadsheet evaluates: a leading apostrophe makes it text."""
    return FORMULA.sub(r"\1'", text)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text
