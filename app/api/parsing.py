"""How are a JSON body and a query string read? Strictly, into the values of a schema."""

from collections.abc import Iterator
from typing import Any

from flask import Request, current_app
from marshmallow import Schema
from marshmallow import ValidationError as SchemaError
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import get_input_stream

from ..errors import ValidationFailed
from ..logs import without_tokens
from ..strict_json import strict

ECHOED_CHARACTERS = 100


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
        return strict(_body(req))

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The parameters of the query string; raises `ValidationFailed` for one given twice."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice and schema.unknown != "exclude":
            raise ValidationFailed({"query": {name: ["Give it once."] for name in twice}})
        return super().load_querystring(req, schema)

    def handle_error(self, error: SchemaError, *_: Any, **__: Any) -> Any:
        """Raise `ValidationFailed` with the messages of all bad fields."""
        raise ValidationFailed(
            {location: dict(_flat(messages)) for location, messages in error.messages.items()}
        )


def _flat(messages: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Field → messages, a field inside others by its path: ``detections.3.bbox.x``."""
    if isinstance(messages, list):
        yield path.removesuffix("."), messages
        return
    for field, inner in messages.items():
        yield from _flat(inner, f"{path}{_echo(field)}.")


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
