"""How are a JSON body and a query string read? Strictly, into the values of a schema."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from flask import Request, current_app
from marshmallow import Schema
from marshmallow import ValidationError as SchemaError
from marshmallow.exceptions import SCHEMA
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import get_input_stream

from ..errors import ValidationFailed
from ..logs import without_tokens
from ..strict_json import TooManyMembers, load_json

ECHOED_CHARACTERS = 100
# Of all objects in a body together: 1,000 detections have 12,001 members, and marshmallow takes
# 3 to 6 µs to refuse one.
MOST_MEMBERS = 20_000
# More bad fields are only counted.
LISTED_FIELDS = 1000


class StrictParser(FlaskParser):
    """webargs' parser; raises exceptions that have a problem in `errors`."""

    # None: each schema itself says whether it refuses unknown fields.
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": None}

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The value of the body.

        Raises `UnsupportedMediaType`, `RequestEntityTooLarge` and `BadJson`.
        """
        charset = req.mimetype_params.get("charset", "utf-8").lower()
        if not is_json(req.mimetype) or charset != "utf-8":
            raise UnsupportedMediaType
        try:
            return load_json(_body(req), MOST_MEMBERS)
        except TooManyMembers:
            message = f"Give at most {MOST_MEMBERS} fields in all."
            raise ValidationFailed({"json": {SCHEMA: [message]}}) from None

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The parameters of the query string; raises `ValidationFailed` for one given twice."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice and schema.unknown != "exclude":
            raise ValidationFailed({"query": {name: ["Give it once."] for name in twice}})
        return super().load_querystring(req, schema)

    def handle_error(self, error: SchemaError, *_: Any, **__: Any) -> Any:
        """Raise `ValidationFailed` with every bad field, in one shape."""
        found = (
            (at, *field) for at, messages in error.messages.items() for field in _flat(messages)
        )
        errors: dict[str, dict[str, list[str]]] = {}
        for location, path, messages in islice(found, LISTED_FIELDS):
            errors.setdefault(location, {})[".".join(map(_echo, path))] = messages
        raise ValidationFailed(errors, unlisted=sum(1 for _ in found))


def _flat(messages: Any, *path: Any) -> Iterator[tuple[tuple[Any, ...], list[str]]]:
    """Every bad field as its path and messages; ``detections.3.bbox.x`` has four parts."""
    if isinstance(messages, list):
        yield path, messages
        return
    for field, inner in messages.items():
        yield from _flat(inner, *path, field)


def _body(req: Request) -> bytes:
    most = current_app.config["NVR_MAX_BODY_BYTES"]
    # One byte more than allowed: Werkzeug ends a body of unknown length at the limit.
    body = get_input_stream(req.environ, max_content_length=most + 1).read()
    if len(body) > most:
        raise RequestEntityTooLarge
    return body


def _echo(field: Any) -> str:
    """A field name of the client for an error message: short, without tokens and surrogates."""
    shown = without_tokens(str(field))[:ECHOED_CHARACTERS]
    return shown.encode("utf-8", "replace").decode()
