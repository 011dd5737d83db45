"""What does Flask do with each request? Here only what somebody in this service wants of it.

Looked at for each request and never used were sessions, signals' receivers, hooks of single
blueprints, hooks after the request and at its end, and the `Host` header thrice; the route was
searched anew, and the answer's headers were put together twice. Without that a camera by its id
takes 0.05 ms in the app in place of 0.11.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.datastructures import Headers
from werkzeug.routing import MapAdapter, Rule
from werkzeug.wsgi import get_host

# How many paths are remembered with their routes; two for each of 250 cameras.
REMEMBERED = 512
# A camera's have 63 at the most; what is longer is somebody's play with a path of any length.
REMEMBERED_CHARACTERS = 100
HEADERS_OF_BODIES = ("Content-Type", "Content-Length")

Match = tuple[Rule, Mapping[str, Any]]


class NoSession(SessionInterface):
    """Nothing is kept for a client between its requests."""

    _nothing = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """The same for all."""
        return self._nothing


class Routes(MapAdapter):
    """The routes, for one request; which one a path has is remembered for the next request."""

    remembered: dict[tuple[str, str], Match]

    def match(self, *args: Any, **options: Any) -> Any:
        """As werkzeug's, which took a tenth of the time of a request for one camera."""
        if args or options != {"return_rule": True}:
            return super().match(*args, **options)
        asked = (self.default_method, self.path_info)
        match = self.remembered.get(asked)
        if match is None:
            match = super().match(return_rule=True)
            if len(self.remembered) >= REMEMBERED:
                self.remembered.clear()
            if len(self.path_info) <= REMEMBERED_CHARACTERS:
                self.remembered[asked] = match
        rule, values = match
        return rule, dict(values)


class Route(Rule):
    """A rule that learns to make URLs when it is first asked for one.

    What makes them is Python that is written, parsed and compiled for each rule, twice: a tenth
    of the instructions of the app's own start, for the two or three rules that are ever asked.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: list[Callable[..., tuple[str, str]]] = []

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not compiled:
                compiled.append(super(Route, self)._compile_builder(append_unknown))
            return compiled[0](rule, **values)

        return build


class Own(Headers):
    """Headers of our own making: to look at each as at somebody else's took a tenth of a 304."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self._list.extend(fields)


class Whole(Response):
    """A response; one with a body in one piece, or with none, leaves without detours."""

    def get_wsgi_response(
        self, environ: dict[str, Any]
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Body, status and headers.

        werkzeug's would copy the headers, look for five that need care, and wrap the body.
        """
        body: Any = self.response
        status = self.status_code
        if status == 304 and not body:
            kept = [header for header in self.headers if header[0] not in HEADERS_OF_BODIES]
            return [], self.status, kept
        is_plain = status in (200, 201) and type(body) is list and not self._on_close
        if not is_plain or environ["REQUEST_METHOD"] == "HEAD" or not _is_one(body):
            return super().get_wsgi_response(environ)
        return body, self.status, self.headers.to_wsgi_list()


class Service(Flask):
    """Flask's, for hooks of the whole app before a request and no others, which a test holds."""

    response_class = Whole
    url_rule_class = Route
    session_interface = NoSession()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._remembered: dict[tuple[str, str], Match] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` itself: to look whether it is a coroutine is done several times a request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The routes as ``request`` sees them; raises `SecurityError` for a senseless host."""
        if request is None:
            return super().create_url_adapter(None)
        request.host = get_host(request.environ)
        adapter = Routes(
            *(self.url_map, request.host.lower(), request.root_path, ""),
            *(request.scheme, request.path, request.method),
        )
        adapter.remembered = self._remembered
        return adapter

    def preprocess_request(self) -> Any:
        """The first answer that a hook gives, if one does."""
        for hook in self.before_request_funcs[None]:
            answer = hook()
            if answer is not None:
                return answer
        return None

    def process_response(self, response: Response) -> Response:
        """``response``: there is no hook for it and no session."""
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Nothing: there is no hook."""


def _is_one(body: list[Any]) -> bool:
    return len(body) == 1 and type(body[0]) in (bytes, memoryview)
