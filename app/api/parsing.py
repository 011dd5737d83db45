"""What does a client send? Its JSON body or query string, as a schema's values or refused."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from flask import Request, current_app, request
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
    """Reads a body or a query string into a schema's values, or raises what `errors` knows."""

    # None: whether unknown fields are refused is for each schema to say.
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": None}

    def skipped_for_nothing(
        self,
        schema: Schema,
        parsing: Callable[..., Any],
        view: Callable[..., Any],
        as_kwargs: bool,
    ) -> Callable[..., Any]:
        """``parsing``, which gives ``view`` what ``schema`` makes of the query string.

        What it makes of none it makes once: to parse nothing each time took a fifth of the
        profile of a request for one camera.
        """
        nothing: dict[str, Any] | None = None

        @wraps(parsing)
        def answer(*args: Any, **kwargs: Any) -> Any:
            nonlocal nothing
            if request.environ["QUERY_STRING"]:
                return parsing(*args, **kwargs)
            if nothing is None:
                nothing = self.parse(schema, request, location="query")
            if as_kwargs:
                return view(*args, **nothing, **kwargs)
            return view(*args, dict(nothing), **kwargs)

        return answer

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body, which must call itself JSON and be it."""
        charset = req.mimetype_params.get("charset", "utf-8").lower()
        if not is_json(req.mimetype) or charset != "utf-8":
            raise UnsupportedMediaType
        return strict(_body(req))

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The query string, in which nothing may be said twice."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice and schema.unknown != "exclude":
            raise ValidationFailed({"query": {name: ["Give it once."] for name in twice}})
        return super().load_querystring(req, schema)

    def handle_error(self, error: SchemaError, *_: Any, **__: Any) -> Any:
        """Every bad field at once, in one shape."""
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
    # One more than allowed: werkzeug cuts a body of unknown length there and says nothing.
    body = get_input_stream(req.environ, max_content_length=most + 1).read()
    if len(body) > most:
        raise RequestEntityTooLarge
    return body


def _echo(field: Any) -> str:
    """A client's own field name, safe to send back: no token, short, no lone surrogates."""
    shown = without_tokens(str(field))[:ECHOED_CHARACTERS]
    return shown.encode("utf-8", "replace").decode()
