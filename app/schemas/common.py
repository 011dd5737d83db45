"""What do several resources share: problems, pages, periods, pictures?"""

from marshmallow import EXCLUDE, Schema, fields, validate

from ..images.resize import LEAST, MOST
from .fields import Moment, QueryFlag, QueryWhole

# JSON Schema's way of saying what `fields.Text` refuses.
CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f"
CLEAN = f"[^{CONTROLS}]*"
CLEAN_PATTERN = {"pattern": f"^{CLEAN}$"}


class NothingSchema(Schema):
    """A query string that must be empty."""


class PageQuerySchema(Schema):
    """Which page of a list that grows."""

    limit = QueryWhole(
        load_default=50,
        validate=validate.Range(1, 1000),
        metadata={"description": "How many rows at the most"},
    )
    cursor = fields.String(
        load_default=None,
        metadata={"description": "`next_cursor` of the page before, with the same filters"},
    )
    count = QueryFlag(
        load_default=True,
        metadata={"description": "`false` leaves `count` out, which spares counting the rows"},
    )


class PeriodQuerySchema(Schema):
    """From when until when; both are RFC 3339 with an offset."""

    start_date = Moment(metadata={"description": "Not before this moment"})
    end_date = Moment(metadata={"description": "Before this moment"})


class PageSchema(Schema):
    """What every page says beside its rows."""

    count = fields.Integer(metadata={"description": "How many rows match, on all pages together"})
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Null on the last page"}
    )


class SnapshotQuerySchema(Schema):
    """How a picture is wanted; other parameters are ignored, so that cache busters work."""

    class Meta:
        unknown = EXCLUDE

    disposition = fields.String(
        load_default="attachment",
        validate=validate.OneOf(("attachment", "inline")),
        metadata={"description": "Whether a browser saves the picture or shows it"},
    )
    max_age = QueryWhole(
        load_default=None,
        validate=validate.Range(min=0),
        metadata={"description": "Greatest acceptable age of the picture, in seconds"},
    )
    width = QueryWhole(
        load_default=None,
        validate=validate.Range(LEAST, MOST),
        metadata={
            "description": "Greatest width in pixels: a larger picture is made smaller in "
            "proportion, none is enlarged; a GIF becomes a PNG of its first frame",
            "example": 320,
        },
    )
    height = QueryWhole(
        load_default=None,
        validate=validate.Range(LEAST, MOST),
        metadata={
            "description": "Greatest height in pixels; with `width`, both hold",
            "example": 240,
        },
    )
    placeholder = QueryWhole(
        load_default=0,
        validate=validate.Range(0, 1),
        metadata={
            "description": "`1`: where 404 would say that there is no picture, a card that says "
            "so, with the camera's name; PNG, or SVG where Accept prefers it",
            "example": 1,
        },
    )


class PicturesSchema(Schema):
    """How many pictures lie in a folder and below it."""

    count = fields.Integer(required=True)
    complete = fields.Boolean(
        required=True,
        metadata={"description": "False where counting was cut short: there are at least so many"},
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
