"""Which schemas do several resources share? Pages, periods, pictures, problems."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, missing, validate

from ..images.resize import LEAST, MOST
from .fields import QueryBoolean, QueryInteger, RFC3339DateTime


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


class PageQuerySchema(Schema):
    """Which page of a list."""

    limit = QueryInteger(
        load_default=50,
        validate=validate.Range(1, 1000),
        metadata={"description": "Largest number of rows in the page"},
    )
    cursor = fields.String(
        load_default=None,
        metadata={"description": "`next_cursor` of the page before, with the same filters"},
    )
    count = QueryBoolean(
        load_default=True,
        metadata={"description": "`false` leaves `count` out, which spares counting the rows"},
    )


class PeriodQuerySchema(Schema):
    """A period of time."""

    start_date = RFC3339DateTime(metadata={"description": "Not before this moment (RFC 3339)"})
    end_date = RFC3339DateTime(metadata={"description": "Before this moment (RFC 3339)"})


class PageSchema(Schema):
    """What every page has beside its rows."""

    count = fields.Integer(metadata={"description": "How many rows match, on all pages together"})
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Null on the last page"}
    )


class SnapshotQuerySchema(Schema):
    """How a picture is sent; unknown parameters are ignored, because people add cache busters."""

    class Meta:
        unknown = EXCLUDE

    disposition = fields.String(
        load_default="attachment",
        validate=validate.OneOf(("attachment", "inline")),
        metadata={"description": "Whether a browser saves the picture or shows it"},
    )
    max_age = QueryInteger(
        load_default=None,
        validate=validate.Range(min=0),
        metadata={"description": "Greatest acceptable age of the picture, in seconds"},
    )
    width = QueryInteger(
        load_default=None,
        validate=validate.Range(LEAST, MOST),
        metadata={
            "description": "Greatest width in pixels: a larger picture is made smaller in "
            "proportion, none is enlarged; a GIF becomes a PNG of its first frame",
            "example": 320,
        },
    )
    height = QueryInteger(
        load_default=None,
        validate=validate.Range(LEAST, MOST),
        metadata={
            "description": "Greatest height in pixels; with `width`, both hold",
            "example": 240,
        },
    )
    placeholder = QueryInteger(
        load_default=0,
        validate=validate.Range(0, 1),
        metadata={
            "description": "`1`: instead of 404 because there is no picture, a card that says so, "
            "with the camera's name; PNG, or SVG where Accept prefers it",
            "example": 1,
        },
    )


class PicturesSchema(ResponseSchema):
    """How many pictures a folder and its sub-folders hold."""

    count = fields.Integer()
    complete = fields.Boolean(
        metadata={"description": "False where counting was cut short: there are at least so many"}
    )


class ProblemSchema(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True, metadata={"description": "Always about:blank"})
    title = fields.String(required=True, metadata={"description": "The status in words"})
    status = fields.Integer(required=True, metadata={"description": "The HTTP status"})
    detail = fields.String(required=True, metadata={"description": "A sentence that helps"})
    code = fields.String(required=True, metadata={"description": "A stable word for programs"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.Dict(keys=fields.String(), values=fields.List(fields.String())),
        metadata={"description": "On 422: location → field → messages"},
    )
    age = fields.Integer(metadata={"description": "On snapshot_too_old: the age in seconds"})
