"""What is counted of each request? By its route's pattern, so that no URL makes a new series.

Around the whole app and without Flask's proxies: hooks before and after each request cost twice
as much.
"""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from flask import Flask

from ..problems import PROBLEM
from .counters import Tally

SNAPSHOT = "cameras.get_camera_snapshot"
METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
# One label for every URL that there is not, and one for every method that HTTP has not.
UNMATCHED, OTHER = "unmatched", "other"

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
App = Callable[[Environ, Any], Iterable[bytes]]


def init_app(app: Flask) -> None:
    """Count every request that reaches the app, until its answer begins."""
    tally = app.extensions["tally"] = Tally()
    app.wsgi_app = metered(app.wsgi_app, tally)  # type: ignore[assignment,method-assign]


def metered(answer: App, tally: Tally) -> App:
    """``answer``, counted."""

    def counted(environ: Environ, start_response: Any) -> Iterable[bytes]:
        began = perf_counter()

        def start(status: str, headers: Headers, *more: Any) -> Any:
            _note(tally, environ, status, headers, perf_counter() - began)
            return start_response(status, headers, *more)

        return answer(environ, start)

    return counted


def _note(tally: Tally, environ: Environ, status: str, headers: Headers, seconds: float) -> None:
    # Of Werkzeug, which leaves its request there.
    rule, method = environ["werkzeug.request"].url_rule, environ["REQUEST_METHOD"]
    if method not in METHODS:
        method = OTHER
    tally.count((method, rule.rule if rule else UNMATCHED, int(status[:3])), seconds)
    if rule and rule.endpoint == SNAPSHOT:
        tally.count_snapshot(_outcome(environ, status, headers))


def _outcome(environ: Environ, status: str, headers: Headers) -> str:
    """The problem's code, a card, or the status of the picture."""
    is_card = any(name == "X-Snapshot-Placeholder" for name, _ in headers)
    return environ.get(PROBLEM) or ("placeholder" if is_card else status[:3])
