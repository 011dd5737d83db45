"""How is every endpoint written? A view, the schemas of what goes in and out, its problems.

flask-smorest documents and parses; this adds strictness on the way in, and on the way out the
view's own values: rows leave as they are, the schema only documents (and tests hold the two
together).
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

import flask_smorest
from flask import Response

from ..dispatch import Own, Whole
from ..schemas.common import NothingSchema
from ..storage.formats import CONTENT_TYPES
from ..strict_json import encoded
from .endpoint_docs import HEADERS, KNOWN, described, taking, with_examples, with_problems
from .parsing import StrictParser

JSON = "application/json"


class Blueprint(flask_smorest.Blueprint):
    """A group of endpoints under one URL prefix."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks += [with_problems, with_examples]
        self._undocumented: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def arguments(self, schema: Any, **options: Any) -> Any:
        """As flask-smorest's, with one schema object for all requests instead of one each."""
        schema = schema() if isinstance(schema, type) else schema
        decorate = taking(super().arguments(schema, **options))
        if options.get("location") != "query":
            return decorate
        as_kwargs = options.get("as_kwargs", False)
        skipped = self.ARGUMENTS_PARSER.skipped_for_nothing
        return lambda view: skipped(schema, decorate(view), view, as_kwargs)

    def add_url_rule(
        self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """As flask-smorest's; a view that says nothing of a query string takes none."""
        if not any(parameter["in"] == "query" for parameter in _parameters(view_func)):
            view_func = self.arguments(NothingSchema, location="query", as_kwargs=True)(view_func)
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def _store_endpoint_docs(self, *args: Any, **options: Any) -> None:
        """Later: it copies what decorators say of the view, and nobody has asked for that yet."""
        self._undocumented.append((args, options))

    def register_views_in_doc(self, *args: Any, **options: Any) -> None:
        """As flask-smorest's, of all views so far."""
        while self._undocumented:
            args_then, options_then = self._undocumented.pop(0)
            super()._store_endpoint_docs(*args_then, **options_then)
        super().register_views_in_doc(*args, **options)

    def answers(
        self,
        status: int,
        schema: Any = None,
        *,
        problems: tuple[str, ...] = (),
        also: int | None = None,
        tagged: bool = False,
        **doc: Any,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Say what a view answers: its status, the schema of its body, and its own problems.

        ``also`` is a second status with the same body; ``tagged``: the answer has an `ETag`, and
        304 says that the client has it. A body, or a body with headers, gets ``status``; what
        names its own keeps it.
        """
        if tagged:
            doc["headers"] = {"ETag": HEADERS["ETag"]}
            problems += ("precondition_failed",)

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def answer(*args: Any, **kwargs: Any) -> Any:
                value = view(*args, **kwargs)
                return value if isinstance(value, Response) else _response(value, status)

            sayings = [self.response(status, schema, **doc)]
            if also:
                shown = doc if also < HTTPStatus.BAD_REQUEST else {}
                sayings.append(self.alt_response(also, schema=schema, success=True, **shown))
            if tagged:
                sayings.append(self.alt_response(304, description=KNOWN))
            return described(answer, *sayings, problems=problems)

        return decorator

    def pictures(self, *problems: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Say that a view answers a picture: whole, in part, or that the client has it already."""
        media = sorted({*CONTENT_TYPES.values(), "image/svg+xml"})
        content: dict[str, Any] = {name: {} for name in media}
        documented = self.doc(
            responses={
                200: {"description": "The picture", "content": content, "headers": HEADERS},
                206: {"description": "The range of it that was asked for", "content": content},
                304: {"description": KNOWN},
            }
        )
        own = (*problems, "precondition_failed", "range_not_satisfiable")
        own += ("picture_not_resizable", "resizing_not_installed")

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            return described(self.answers(200, problems=own)(view), documented, pictures=True)

        return decorator

    @staticmethod
    def open_to_all(view: Callable[..., Any]) -> Callable[..., Any]:
        """Say that a view answers everybody, with a token or without."""
        view._apidoc = {**getattr(view, "_apidoc", {}), "open_to_all": True}  # type: ignore[attr-defined]
        return view

    def csv(self) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Say that a view answers a CSV download."""
        return self.text("The rows", "text/csv")

    def text(
        self,
        what: str,
        *kinds: str,
        problems: tuple[str, ...] = (),
        example: Callable[[], str] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Say that a view answers a text of one of these media types, as ``example`` makes one."""
        shown = {} if example is None else {"example": example}
        content = dict.fromkeys(kinds, shown)
        documented = self.doc(responses={200: {"description": what, "content": content}})

        def decorator(view: Callable[..., Any]) -> Callable[..., Any]:
            return described(self.answers(200, problems=problems)(view), documented)

        return decorator


def _response(value: Any, status: int) -> Response:
    """The response to what a view returned: a body, then its status if it names one, its headers.

    Flask's `make_response`, which takes much else, took a twentieth of a new camera's profile.
    """
    body, *more = value if isinstance(value, tuple) else (value,)
    if more and isinstance(more[0], int):
        status = more.pop(0)
    if status == HTTPStatus.NO_CONTENT:
        response = Whole(status=status)
        response.headers.remove("Content-Type")
        return response
    headers = more[0].items() if more else ()
    return Whole(encoded(body), status, Own([("Content-Type", JSON), *headers]))


def _parameters(view: Callable[..., Any]) -> list[dict[str, Any]]:
    apidoc: dict[str, Any] = getattr(view, "_apidoc", {})
    return apidoc.get("arguments", {}).get("parameters", [])
