"""Which fields and schemas do several resources share? JSON types are never converted."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing, validate

from ..clock import rfc3339
from ..models import UNCLEAN

# RFC 3339, section 5.6, with the ranges of its fields; the day is checked by the calendar.
DATE_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]"
    r"(?P<minute>(?:[01][0-9]|2[0-3]):[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
    r"(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LARGEST_INTEGER = 2**63 - 1  # SQLite's integers have 64 bits.
# JSON Schema's pattern for what `CleanString` takes.
CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f"
CLEAN = f"[^{CONTROLS}]*"
CLEAN_PATTERN = {"pattern": f"^{CLEAN}$"}


class CleanString(fields.String):
    """A string without control characters and lone surrogates.

    UTF-8 cannot encode a lone surrogate, and SQLite's functions end a text at NUL.
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(metadata=CLEAN_PATTERN | (metadata or {}), **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if UNCLEAN.search(text):
            raise ValidationError("Control characters and lone surrogates cannot be used.")
        return text


class StrippedString(CleanString):
    """A clean string; blanks around it are removed before it is validated."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).strip()


class StrictInteger(fields.Integer):
    """A JSON integer that fits into a column of SQLite."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if type(value) is not int or abs(value) > LARGEST_INTEGER:
            raise self.make_error("invalid", input=value)
        return value


class StrictFloat(fields.Float):
    """A JSON number, no larger than the largest integer."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if type(value) not in (int, float) or abs(value) > LARGEST_INTEGER:
            raise self.make_error("invalid", input=value)
        return float(value)


class StrictBoolean(fields.Boolean):
    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("invalid", input=value)
        return value


class UUIDString(fields.UUID):
    """A UUID in its canonical form of 36 characters, loaded as a string in lower case."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not UUID.fullmatch(value):
            raise self.make_error("invalid_uuid")
        return value.lower()


class RFC3339DateTime(fields.AwareDateTime):
    """A date and time of RFC 3339 with an offset, loaded as text in UTC (`clock.rfc3339`).

    Digits beyond microseconds are cut off. A leap second (23:59:60 UTC) is loaded as the second
    after it, because `datetime` has none.
    """

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        parts = DATE_TIME.fullmatch(value) if isinstance(value, str) else None
        if parts is None:
            raise ValidationError("Give a time of RFC 3339 with Z or an offset.")
        try:
            return rfc3339(_moment(**parts.groupdict()))
        except (ValueError, OverflowError):  # no such day, or a year outside 1 to 9999 in UTC
            raise ValidationError("There is no such time.") from None


class BoundedList(fields.List[Any]):
    """A list whose validators run before its items are read, so that a long one costs nothing."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list):
            for validator in self.validators:
                validator(value)
        return super()._deserialize(value, attr, data, **kwargs)


class QueryInteger(StrictInteger):
    """Decimal digits in a query string; what SQLite cannot hold becomes its largest integer."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not re.fullmatch("[0-9]+", value):
            raise self.make_error("invalid", input=value)
        return int(value) if len(value) <= 18 else LARGEST_INTEGER


class QueryFloat(fields.Float):
    """A number in a query string, written as in JSON."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if not re.fullmatch(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?", value):
            raise self.make_error("invalid", input=value)
        if not math.isfinite(number := float(value)):
            raise self.make_error("invalid", input=value)
        return number


class QueryBoolean(fields.Boolean):
    """``true`` or ``false`` in a query string."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid", input=value)
        return bool(value == "true")


def _moment(date: str, minute: str, second: str, fraction: str | None, offset: str) -> datetime:
    """The moment in UTC of what `DATE_TIME` matched."""
    is_leap = second == "60"
    microseconds = (fraction or "0")[:6].ljust(6, "0")
    moment = datetime.fromisoformat(
        f"{date}T{minute}:{'59' if is_leap else second}.{microseconds}"
        f"{offset.upper().replace('Z', '+00:00')}"
    ).astimezone(UTC)
    if is_leap and (moment.hour, moment.minute) != (23, 59):
        raise ValueError("leap seconds are inserted at the end of a day of UTC")
    return moment + timedelta(seconds=is_leap)


class UpdateSchema(Schema):
    """The body of a PATCH: every field may be left out, and none has a default."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Adapt a field, so that one declared for creating a resource serves here too."""
        field_obj.required, field_obj.load_default = False, missing


class ResponseSchema(Schema):
    """The body of a response: every field is always there."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Adapt a field, so that one declared for creating a resource serves here too."""
        field_obj.required, field_obj.load_default = True, missing


class EmptyQuerySchema(Schema):
    """A query string without parameters."""


class CursorQuerySchema(Schema):
    """Which page of a list, where nothing is counted."""

    limit = QueryInteger(
        load_default=50,
        validate=validate.Range(1, 1000),
        metadata={"description": "Largest number of rows in the page"},
    )
    cursor = fields.String(
        load_default=None,
        metadata={"description": "`next_cursor` of the page before, with the same filters"},
    )


class PageQuerySchema(CursorQuerySchema):
    """Which page of a list."""

    count = QueryBoolean(
        load_default=True,
        metadata={"description": "`false` leaves `count` out, which spares counting the rows"},
    )


class PeriodQuerySchema(Schema):
    start_date = RFC3339DateTime(metadata={"description": "Not before this moment (RFC 3339)"})
    end_date = RFC3339DateTime(metadata={"description": "Before this moment (RFC 3339)"})


class PageSchema(Schema):
    """What every page has beside its rows."""

    count = fields.Integer(metadata={"description": "How many rows match, on all pages together"})
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Null on the last page"}
    )


class ProblemSchema(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True, metadata={"description": "Always about:blank"})
    title = fields.String(required=True, metadata={"description": "The status in words"})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status"})
    detail = fields.String(
        required=True, metadata={"description": "What is wrong and what to do about it"}
    )
    code = fields.String(required=True, metadata={"description": "A stable code for programs"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.List(fields.String())),
        metadata={"description": "On 422: location → field → messages"},
    )
    age = fields.Integer(metadata={"description": "On snapshot_too_old: the age in seconds"})
