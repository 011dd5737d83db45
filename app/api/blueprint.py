"""How is an endpoint declared, and how are its query string and JSON body read?

A view declares the schemas of its request and responses, and its problems. flask-smorest documents
them, and webargs parses the request strictly. A view's value is sent as it is: the schema of a
response only documents it, and tests compare the two.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, wraps
from itertools import islice
from typing import Any

import flask_smorest
from flask import Request, Response, current_app, request
from marshmallow import Schema
from marshmallow import ValidationError as SchemaError
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import get_input_stream

from ..errors import ValidationFailed
from ..logs import without_tokens
from ..schemas.common import EmptyQuerySchema
from ..serialization import load_json
from ..storage.formats import CONTENT_TYPES
from .openapi import NOT_MODIFIED, PICTURE_HEADERS, problem_responses
from .responses import json_response

View = Callable[..., Any]
Decorator = Callable[[View], View]
# The attribute of a view that reads its query string itself.
TAKES_QUERY = "takes_query"
ECHOED_CHARACTERS = 100
# Of all objects in a body together: 1,000 detections have 12,001 members, and marshmallow takes
# 3 to 6 µs to refuse one.
MOST_MEMBERS = 20_000
# Further invalid fields are only counted.
LISTED_FIELDS = 1000


class StrictParser(FlaskParser):
    """webargs' parser; raises exceptions that have a problem in `errors`."""

    # None: each schema itself says whether it refuses unknown fields.
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": None}

    def parse(
        self, argmap: Any, req: Any = None, *, location: str | None = None, **options: Any
    ) -> Any:
        """The values of the body or of the query string.

        An empty query string is parsed once for each schema: that costs 100,000 instructions, a
        fifth of a request for one camera.
        """
        given = location != "query" or request.query_string
        defaults = None if given else _defaults(argmap)
        if defaults is None:
            return super().parse(argmap, req, location=location, **options)
        return dict(defaults)

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The value of the body.

        Raises `UnsupportedMediaType`, `RequestEntityTooLarge`, `BadJson` and `TooManyMembers`.
        """
        charset = req.mimetype_params.get("charset", "utf-8").lower()
        if not is_json(req.mimetype) or charset != "utf-8":
            raise UnsupportedMediaType
        most = current_app.config["NVR_MAX_BODY_BYTES"]
        # One byte more than allowed: Werkzeug ends a body of unknown length at the limit.
        body = get_input_stream(req.environ, max_content_length=most + 1).read()
        if len(body) > most:
            raise RequestEntityTooLarge
        return load_json(body, MOST_MEMBERS)

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The parameters of the query string; raises `ValidationFailed` for one given twice."""
        twice = [name for name, values in req.args.lists() if len(values) > 1]
        if twice and schema.unknown != "exclude":
            raise ValidationFailed({"query": {name: ["Give it once."] for name in twice}})
        return super().load_querystring(req, schema)

    def handle_error(self, error: SchemaError, *_: Any, **__: Any) -> Any:
        """Raise `ValidationFailed` with every invalid field, in one shape."""
        given = error.messages_dict.items()
        found = ((at, *field) for at, messages in given for field in _flat(messages))
        errors: dict[str, dict[str, list[str]]] = {}
        for location, path, messages in islice(found, LISTED_FIELDS):
            errors.setdefault(location, {})[".".join(map(_echo, path))] = messages
        raise ValidationFailed(errors, unlisted=sum(1 for _ in found))


class Blueprint(flask_smorest.Blueprint):
    """A group of endpoints under one URL prefix."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: Any, **options: Any) -> Decorator:
        """Like flask-smorest's, with one schema object for all requests."""
        schema = schema() if isinstance(schema, type) else schema
        parsed: Decorator = super().arguments(schema, **options)

        def decorator(view: View) -> View:
            view = parsed(view)
            if options.get("location") == "query":
                setattr(view, TAKES_QUERY, True)
            return view

        return decorator

    def add_url_rule(
        self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Like flask-smorest's; a view without query arguments refuses any query string."""

        @wraps(view_func)
        def without_query(*args: Any, **kwargs: Any) -> Any:
            if request.query_string:
                self.ARGUMENTS_PARSER.parse(EmptyQuerySchema(), request, location="query")
            return view_func(*args, **kwargs)

        takes_query = hasattr(view_func, TAKES_QUERY)
        view = view_func if takes_query else without_query
        super().add_url_rule(rule, endpoint, view, *args, **options)

    def response(
        self, status_code: int, schema: Any = None, *, problems: tuple[str, ...] = (), **doc: Any
    ) -> Decorator:
        """Like flask-smorest's, for a view that returns a `Response` or a value for
        `json_response`.

        ``schema`` only documents the body. ``problems``: the codes of the view's own problems.
        """
        responses = problem_responses(problems)
        document: Decorator = super().response(status_code, schema, **doc)

        def decorator(view: View) -> View:
            @wraps(view)
            def respond(*args: Any, **kwargs: Any) -> Response:
                value = view(*args, **kwargs)
                return value if isinstance(value, Response) else json_response(value, status_code)

            documented = document(respond)
            return self.doc(responses=responses)(documented) if responses else documented

        return decorator

    def picture_response(self, *problems: str) -> Decorator:
        """Declare that a view responds with a picture, whole or in part, or with 304."""
        media = sorted({*CONTENT_TYPES.values(), "image/svg+xml"})
        content: dict[str, Any] = {name: {} for name in media}
        responses = {
            200: {"description": "The picture", "content": content, "headers": PICTURE_HEADERS},
            206: {"description": "The requested range of it", "content": content},
            304: NOT_MODIFIED,
        }
        common = ("precondition_failed", "range_not_satisfiable")
        resizing = ("picture_not_resizable", "resizing_not_installed")
        return self._documented(responses, (*problems, *common, *resizing))

    def text_response(
        self,
        description: str,
        *media_types: str,
        problems: tuple[str, ...] = (),
        example: str | None = None,
    ) -> Decorator:
        """Declare that a view responds with a text of one of ``media_types``."""
        content = dict.fromkeys(media_types, {} if example is None else {"example": example})
        responses = {200: {"description": description, "content": content}}
        return self._documented(responses, problems)

    def _documented(self, responses: dict[int, Any], problems: tuple[str, ...]) -> Decorator:
        respond, document = self.response(200, problems=problems), self.doc(responses=responses)
        return lambda view: document(respond(view))


@lru_cache
def _defaults(schema: Schema) -> Any:
    """The values of an empty query string; None where a parameter is required."""
    with suppress(SchemaError):
        return schema.load({})
    return None


def _flat(messages: Any, *path: Any) -> Iterator[tuple[tuple[Any, ...], list[str]]]:
    """Every invalid field as its path and messages; ``detections.3.bbox.x`` has four parts."""
    if isinstance(messages, list):
        yield path, messages
        return
    for field, inner in messages.items():
        yield from _flat(inner, *path, field)


def _echo(field: Any) -> str:
    """A field name of the client for an error message: short, without tokens and surrogates."""
    shown = without_tokens(str(field))[:ECHOED_CHARACTERS]
    return shown.encode("utf-8", "replace").decode()
