"""How does a list leave as CSV? Row by row, harmless to a spreadsheet (RFC 4180)."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response

from ..models import Row

# What a spreadsheet takes for the start of a formula (OWASP, CSV Injection), the full-width forms
# of the same characters included, also after blanks, or after
# a semicolon, which begins a cell where a comma is part of a number.
FORMULA = re.compile(r"(^|;)(?=\s*[-=+@\t\r\n＝＋－＠])")  # noqa: RUF001
# RFC 4180, rule 6; and where a spreadsheet expects semicolons it breaks a line at them.
QUOTED = re.compile(r'[,;"\t\r\n]')


def send_csv(rows: Iterable[Row], columns: tuple[str, ...], file_name: str) -> Response:
    """``rows`` as a download with a header line, in memory no more than a few hundred at once."""
    response = Response(_lines(rows, columns), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _lines(rows: Iterable[Row], columns: tuple[str, ...]) -> Iterator[str]:
    yield _line(columns)
    for row in rows:
        yield _line(row[column] for column in columns)


def _line(values: Iterable[Any]) -> str:
    return ",".join(_cell(value) for value in values) + "\r\n"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(harmless(value))
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def harmless(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs: a leading apostrophe makes it text."""
    return FORMULA.sub(r"\1'", text)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text
