"""How does a list leave as CSV? Row by row, harmless to a spreadsheet (RFC 4180)."""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Response

from app.models import Row

# What a spreadsheet takes for the start of a formula (OWASP, CSV Injection), the full-width forms
# of the same characters included, also after blanks.
FORMULA = re.compile(r"\s*[-=+@\t\r\n＝＋－＠]")  # noqa: RUF001


class _Line:
    """What csv.writer writes to: it hands each line straight back."""

    def write(self, line: str) -> str:
        return line


def send_csv(rows: Iterable[Row], columns: tuple[str, ...], file_name: str) -> Response:
    """``rows`` as a download with a header line, in memory no more than a few hundred at once."""
    response = Response(_lines(rows, columns), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _lines(rows: Iterable[Row], columns: tuple[str, ...]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([harmless(row[column]) for column in columns])


def harmless(value: Any) -> Any:
    """``value`` as a cell that no spreadsheet runs: a leading apostrophe makes it text."""
    if isinstance(value, str) and FORMULA.match(value):
        return "'" + value
    if isinstance(value, bool):
        return str(value).lower()
    return value
