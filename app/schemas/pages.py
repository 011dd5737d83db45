"""Which query parameters do the pages take?

A page is shown even if a value is invalid: the value is ignored, and the page says so.
"""

import re
from contextlib import suppress
from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from ..models import RISK_LEVELS, Row
from .fields import QueryBoolean, QueryInteger, UUIDString

MOST_COLUMNS = 12
ECHOED_CHARACTERS = 40


def words(*allowed: str, default: str | None = None) -> fields.String:
    """A field that takes one of ``allowed``."""
    return fields.String(
        load_default=default,
        validate=validate.OneOf(allowed, error=f"Give {' or '.join(allowed)}."),
    )


def whole(least: int, most: int, default: int | None) -> QueryInteger:
    """A field that takes an integer from ``least`` to ``most``."""
    sentence = f"Give a whole number from {least} to {most}."
    within = validate.Range(least, most, error=sentence)
    return QueryInteger(
        load_default=default, validate=within, error_messages={"invalid": sentence}
    )


class Day(fields.Date):
    """A day of the calendar, as its text."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        with suppress(ValueError):
            if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                return date.fromisoformat(value).isoformat()
        raise ValidationError("Give a day as 2025-12-23.")


class WallQuerySchema(Schema):
    """The options of the wall."""

    refresh = whole(1, 3600, default=10)  # seconds from one round of questions to the next
    stale = whole(1, 10**7, default=600)  # seconds; an older picture is STALE
    columns = whole(1, MOST_COLUMNS, default=None)
    order = words("name", "age", default="name")
    kiosk = words("0", "1", default="0")


class EventsPageQuerySchema(Schema):
    """The filters of the page of events."""

    camera_id = UUIDString(
        load_default=None, error_messages={"invalid_uuid": "Give a camera's id."}
    )
    risk_level = words(*RISK_LEVELS)
    reviewed = QueryBoolean(load_default=None, error_messages={"invalid": "Give true or false."})
    day = Day(load_default=None)


def read(schema: Schema, given: dict[str, list[str]]) -> tuple[Row, list[tuple[str, str, str]]]:
    """The valid values, and for each invalid one its name, its text and what is wrong.

    ``given``: parameter → its texts, in the order of the address.
    """
    wrong = {name: messages[0] for name, messages in schema.validate(_first(given)).items()}
    wrong |= {name: "There is no such parameter." for name in given if name not in schema.fields}
    wrong |= {name: "Give it once." for name, texts in given.items() if len(texts) > 1}
    usable = {name: text for name, text in _first(given).items() if name not in wrong}
    return schema.load(usable), [
        (name[:ECHOED_CHARACTERS], texts[0][:ECHOED_CHARACTERS], wrong[name])
        for name, texts in given.items()
        if name in wrong
    ]


def _first(given: dict[str, list[str]]) -> Row:
    return {name: texts[0] for name, texts in given.items()}
