"""How many requests were answered, how, and how fast?

A request is counted by the pattern of its route, so that no URL makes a new time series.
"""

import threading
from bisect import bisect_left
from collections import Counter
from time import perf_counter

from flask import Flask, Response, current_app, g, request

# Upper bounds of the histogram's buckets, in seconds; the last bucket has none.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SNAPSHOT = "cameras.get_camera_snapshot"
METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
# One label for every URL without a route, and one for every method that HTTP does not define.
UNMATCHED, OTHER = "unmatched", "other"
# Requests that are counted together: of one method, route pattern and status.
Kind = tuple[str, str, int]


class Durations:
    """A histogram of durations: a number for each bucket, and the sum in seconds."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class RequestCounters:
    """Counts all requests since the start. Safe for threads."""

    def __init__(self) -> None:
        self._durations: dict[Kind, Durations] = {}
        self._snapshots: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, kind: Kind, seconds: float) -> None:
        """Count a request that took ``seconds``."""
        with self._lock:
            durations = self._durations.get(kind)
            if durations is None:
                durations = self._durations[kind] = Durations()
            durations.buckets[bisect_left(BOUNDS, seconds)] += 1
            durations.seconds += seconds

    def count_snapshot(self, outcome: str) -> None:
        """Count a request for a snapshot by its outcome."""
        with self._lock:
            self._snapshots[outcome] += 1

    def requests(self) -> dict[Kind, int]:
        """The number of requests of each kind."""
        with self._lock:
            return {kind: sum(counted.buckets) for kind, counted in self._durations.items()}

    def durations(self) -> dict[tuple[str, str], Durations]:
        """The histograms by method and route."""
        merged: dict[tuple[str, str], Durations] = {}
        with self._lock:
            for (method, route, _), counted in self._durations.items():
                into = merged.setdefault((method, route), Durations())
                into.seconds += counted.seconds
                into.buckets = [a + b for a, b in zip(into.buckets, counted.buckets, strict=True)]
        return merged

    def snapshots(self) -> dict[str, int]:
        """The number of requests for snapshots by outcome."""
        with self._lock:
            return dict(self._snapshots)


def init_app(app: Flask) -> None:
    """Count every request, and measure the time until its response begins."""
    app.extensions["counters"] = RequestCounters()
    app.before_request(_begin)
    app.after_request(_count)


def _begin() -> None:
    g.began = perf_counter()


def _count(response: Response) -> Response:
    counters: RequestCounters = current_app.extensions["counters"]
    method = request.method if request.method in METHODS else OTHER
    route = request.url_rule.rule if request.url_rule else UNMATCHED
    counters.count((method, route, response.status_code), perf_counter() - g.began)
    if request.endpoint == SNAPSHOT:
        counters.count_snapshot(_outcome(response))
    return response


def _outcome(response: Response) -> str:
    """The problem's code, ``placeholder``, or the status of the picture."""
    if "X-Snapshot-Placeholder" in response.headers:
        return "placeholder"
    return str(g.get("problem", response.status_code))
