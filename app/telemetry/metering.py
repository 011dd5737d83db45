"""What is counted of each request? By its route's pattern, so that no URL makes a new series."""

from time import perf_counter

from flask import Flask, Response, current_app, g, request

from .counters import Tally

SNAPSHOT = "cameras.get_camera_snapshot"
METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
# One label for every URL without a route, and one for every method that HTTP does not define.
UNMATCHED, OTHER = "unmatched", "other"


def init_app(app: Flask) -> None:
    """Count every request, and measure the time until its response begins."""
    app.extensions["tally"] = Tally()
    app.before_request(_begin)
    app.after_request(_count)


def _begin() -> None:
    g.began = perf_counter()


def _count(response: Response) -> Response:
    tally: Tally = current_app.extensions["tally"]
    method = request.method if request.method in METHODS else OTHER
    route = request.url_rule.rule if request.url_rule else UNMATCHED
    tally.count((method, route, response.status_code), perf_counter() - g.began)
    if request.endpoint == SNAPSHOT:
        tally.count_snapshot(_outcome(response))
    return response


def _outcome(response: Response) -> str:
    """The problem's code, ``placeholder``, or the status of the picture."""
    if "X-Snapshot-Placeholder" in response.headers:
        return "placeholder"
    return str(g.get("problem", response.status_code))
