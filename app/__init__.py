"""What is the app made of?"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter

from . import api, cli, db, environment, errors, telemetry, web
from .access import authorize, headers
from .diagnostics import camera as diagnosis
from .notify import outbox
from .pictures import index, pruning
from .services import clock_guard, monitor, occurrences, settings
from .storage import folders

__version__ = "0.1.0"

PARTS = (
    *(
        telemetry,
        db,
        settings,
        folders,
        clock_guard,
        occurrences,
        monitor,
        index,
        pruning,
        outbox,
        diagnosis,
    ),
    *(headers, authorize, api, web, errors, cli),
)

# What the route and the URLs of a request depend on, where it has no query string and asks for no
# WebSocket: keys of the environ (PEP 3333).
ROUTE_KEYS = (
    *("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT"),
    "wsgi.url_scheme",
)
# Adapters that are kept, of a few KiB each: paths and hosts have at most 8 KiB.
MOST_ROUTES = 500


class App(Flask):
    """Flask, with two methods overridden that would otherwise do the same work in each request.

    Flask documents both methods as ones to override. Together they save a fifth of the
    instructions of a request for one camera.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._adapters: dict[tuple[Any, ...], MapAdapter] = {}

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Like Flask's, but kept for all requests to the same URL, with the matched route."""
        environ = request.environ if request else {}
        if not request or environ["QUERY_STRING"] or "HTTP_UPGRADE" in environ:
            return super().create_url_adapter(request)
        key = tuple(map(environ.get, ROUTE_KEYS))
        adapter = self._adapters.get(key)
        if adapter is None:
            adapter = super().create_url_adapter(request)
            if len(self._adapters) >= MOST_ROUTES:
                self._adapters.clear()
            adapter.match = cache(adapter.match)  # type: ignore[method-assign, union-attr]
            self._adapters[key] = adapter  # type: ignore[assignment]
        return adapter

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``func`` itself: no view is a coroutine, and Flask asks ten times per request."""
        return func


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The service as a WSGI application, set up from ``environ`` or the process's environment.

    Raises `config.BadSetting`.
    """
    app = App(__name__, static_folder=None)
    environ = os.environ if environ is None else environ
    app.config.update(environment.read_settings(environ))
    app.config["SET_BY_ENVIRONMENT"] = environment.given_settings(environ)
    app.config["API_VERSION"] = __version__
    for part in PARTS:
        part.init_app(app)
    return app
