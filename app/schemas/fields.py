"""How strictly is a value read? Nothing is coerced: a number is no string, ``"1"`` no integer."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from ..clock import rfc3339
from ..models.base import UNCLEAN

# RFC 3339, section 5.6; its hour 23:59:60 of a leap second is taken as the second after :59.
MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
IDENTITY = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LARGEST_INTEGER = 2**63 - 1  # of SQLite


class Text(fields.String):
    """A string that UTF-8 and SQLite can hold exactly: no control characters, no surrogates."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if UNCLEAN.search(text):
            raise ValidationError("Control characters and lone surrogates cannot be used.")
        return text


class Name(Text):
    """A name for people: outer blanks do not count."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).strip()


class Whole(fields.Integer):
    """A JSON integer that SQLite can hold."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if type(value) is not int or abs(value) > LARGEST_INTEGER:
            raise self.make_error("invalid", input=value)
        return value


class QueryWhole(Whole):
    """An integer in a query string: digits and nothing else; beyond SQLite's, its largest."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not re.fullmatch("[0-9]+", value):
            raise self.make_error("invalid", input=value)
        return int(value) if len(value) <= 18 else LARGEST_INTEGER


class Number(fields.Float):
    """A JSON number."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float) or abs(value) > LARGEST_INTEGER:
            raise self.make_error("invalid", input=value)
        return float(value)


class QueryNumber(fields.Float):
    """A number in a query string, as JSON writes it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if not re.fullmatch(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?", value):
            raise self.make_error("invalid", input=value)
        if not math.isfinite(number := float(value)):
            raise self.make_error("invalid", input=value)
        return number


class Truth(fields.Boolean):
    """A JSON boolean."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class QueryFlag(fields.Boolean):
    """``true`` or ``false`` in a query string."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


class Identity(fields.UUID):
    """A UUID, kept as its canonical text."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not IDENTITY.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return value.lower()


class Moment(fields.AwareDateTime):
    """A moment of RFC 3339 with its offset, kept as the text of the same moment in UTC."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        parts = MOMENT.fullmatch(value) if isinstance(value, str) else None
        if parts is None:
            raise ValidationError("Give a time of RFC 3339 with Z or an offset.")
        day, minute, second, fraction, offset = parts.groups()
        leap = second == "60"
        try:
            moment = datetime.fromisoformat(
                f"{day}T{minute}:{'59' if leap else second}.{(fraction or '0')[:6]:0<6}"
                f"{offset.upper().replace('Z', '+00:00')}"
            )
            return rfc3339((moment + timedelta(seconds=leap)).astimezone(UTC))
        except (ValueError, OverflowError):
            raise ValidationError("There is no such time.") from None
