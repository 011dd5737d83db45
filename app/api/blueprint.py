"""How is an endpoint declared? A view, the schemas of its request and responses, its problems.

flask-smorest parses and documents. Views return rows that go out as they are: the schema of a
response only documents it, and tests compare the two.
"""

from collections.abc import Callable
from functools import reduce, wraps
from typing import Any

import flask_smorest
from flask import Response, request

from ..schemas.common import EmptyQuerySchema
from ..storage.formats import CONTENT_TYPES
from .openapi import NOT_MODIFIED, PICTURE_HEADERS, problem_responses
from .parsing import StrictParser
from .responses import json_response

View = Callable[..., Any]
Decorator = Callable[[View], View]
# The attribute of a view that reads its query string itself.
TAKES_QUERY = "takes_query"


class Blueprint(flask_smorest.Blueprint):
    """A group of endpoints under one URL prefix."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: Any, **options: Any) -> Decorator:
        """As flask-smorest's, with one schema object for all requests.

        A request without a query string gets the schema's defaults and is not parsed: parsing
        costs 100,000 instructions, a fifth of a request for one camera.
        """
        schema = schema() if isinstance(schema, type) else schema
        parse: Decorator = super().arguments(schema, **options)
        if options.get("location") != "query":
            return parse
        if any(field.required for field in schema.fields.values()):
            return lambda view: _mark(parse(view))
        defaults = schema.load({})

        def decorator(view: View) -> View:
            parsing = parse(view)

            @wraps(parsing)
            def respond(*args: Any, **kwargs: Any) -> Any:
                if request.query_string:
                    return parsing(*args, **kwargs)
                return view(*args, dict(defaults), **kwargs)

            return _mark(respond)

        return decorator

    def add_url_rule(
        self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """As flask-smorest's; a view without query arguments refuses any query string."""
        if not hasattr(view_func, TAKES_QUERY):
            view_func = self._without_query(view_func)
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def response(
        self, status_code: int, schema: Any = None, *, problems: tuple[str, ...] = (), **doc: Any
    ) -> Decorator:
        """As flask-smorest's, for a view that returns what `json_response` takes or a `Response`.

        ``schema`` only documents the body. ``problems``: the codes of the view's own problems.
        """
        documents: list[Decorator] = [super().response(status_code, schema, **doc)]
        if problems:
            documents.append(self.doc(responses=problem_responses(problems)))

        def decorator(view: View) -> View:
            @wraps(view)
            def respond(*args: Any, **kwargs: Any) -> Response:
                value = view(*args, **kwargs)
                return value if isinstance(value, Response) else json_response(value, status_code)

            return reduce(lambda wrapped, document: document(wrapped), documents, respond)

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
        respond = self.response(200, problems=(*problems, *common, *resizing))
        document: Decorator = self.doc(responses=responses)
        return lambda view: document(respond(view))

    def text_response(
        self,
        description: str,
        *media_types: str,
        problems: tuple[str, ...] = (),
        example: str | None = None,
    ) -> Decorator:
        """Declare that a view responds with a text of one of ``media_types``."""
        content = dict.fromkeys(media_types, {} if example is None else {"example": example})
        respond = self.response(200, problems=problems)
        responses = {200: {"description": description, "content": content}}
        document: Decorator = self.doc(responses=responses)
        return lambda view: document(respond(view))

    def _without_query(self, view: View) -> View:
        @wraps(view)
        def respond(*args: Any, **kwargs: Any) -> Any:
            if request.query_string:
                self.ARGUMENTS_PARSER.parse(EmptyQuerySchema(), request, location="query")
            return view(*args, **kwargs)

        return respond


def _mark(view: View) -> View:
    """``view``, known to read its query string itself."""
    setattr(view, TAKES_QUERY, True)
    return view
