"""What does the service count about itself, and how does Prometheus read it?

A request is counted by the pattern of its route, so that no URL makes a new time series. Names and
units follow prometheus.io/docs/practices/naming.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from time import perf_counter
from typing import Any, NamedTuple

from flask import Flask, Response, g, request
from peewee import DatabaseError
from prometheus_client import core
from prometheus_client import exposition as prometheus_text
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector

from . import clock, db
from .models import STATUSES, Row
from .services import cameras as camera_service
from .services import stats
from .storage.folders import Folders

# Upper bounds of the histogram's buckets, in seconds; the last bucket has none.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SNAPSHOT = "cameras.get_camera_snapshot"
METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
# One label for every URL without a route, and one for every method that HTTP does not define.
UNMATCHED, OTHER = "unmatched", "other"
MODES = ("watching", "polling", "off")
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


class Metrics(NamedTuple):
    """The sources of the metrics: a collector of prometheus-client."""

    counters: RequestCounters
    folders: Folders
    watch: bool
    version: str

    def collect(self) -> Iterator[Any]:
        """Every family of metrics."""
        build = core.GaugeMetricFamily("nvr_build_info", "Always 1.", labels=["version"])
        build.add_metric([self.version], 1)
        yield build
        yield from self._requests()
        yield from self._index()
        yield from _database()
        yield from ProcessCollector(registry=None).collect()

    def _requests(self) -> tuple[Any, ...]:
        requests = core.CounterMetricFamily(
            "nvr_http_requests", "Requests answered.", labels=["method", "route", "status"]
        )
        for (method, route, status), count in self.counters.requests().items():
            requests.add_metric([method, route, str(status)], count)
        durations = core.HistogramMetricFamily(
            "nvr_http_request_duration_seconds",
            "From the start of a request to its response.",
            labels=["method", "route"],
        )
        for labels, counted in self.counters.durations().items():
            counts = zip((*map(str, BOUNDS), "+Inf"), accumulate(counted.buckets), strict=True)
            durations.add_metric(labels, buckets=list(counts), sum_value=counted.seconds)
        snapshots = core.CounterMetricFamily(
            "nvr_snapshots", "Snapshots asked for, by what was answered.", labels=["outcome"]
        )
        for outcome, count in self.counters.snapshots().items():
            snapshots.add_metric([outcome], count)
        return requests, durations, snapshots

    def _index(self) -> Iterator[Any]:
        polling = len(self.folders.polling())
        mode = core.GaugeMetricFamily(
            "nvr_index_mode", "1 for how new pictures are noticed.", labels=["mode"]
        )
        now = "off" if not self.watch else "polling" if polling else "watching"
        for name in MODES:
            mode.add_metric([name], name == now)
        yield mode
        yield core.GaugeMetricFamily(
            "nvr_index_polling_folders", "Folders that cannot be watched.", value=polling
        )


def init_app(app: Flask) -> None:
    """Count every request, and measure the time until its response begins."""
    counters = app.extensions["counters"] = RequestCounters()

    @app.before_request
    def begin() -> None:
        g.began = perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        method, rule = request.method, request.url_rule
        kind = method if method in METHODS else OTHER, rule.rule if rule else UNMATCHED
        counters.count((*kind, response.status_code), perf_counter() - g.began)
        if rule and rule.endpoint == SNAPSHOT:
            counters.count_snapshot(_outcome(response))
        return response


def exposition(metrics: Metrics, as_openmetrics: bool) -> tuple[bytes, str]:
    """The metrics as text in one of two formats, and its media type."""
    if as_openmetrics:
        return openmetrics.generate_latest(metrics), openmetrics.CONTENT_TYPE_LATEST
    return prometheus_text.generate_latest(metrics), prometheus_text.CONTENT_TYPE_PLAIN_0_0_4


def _database() -> Iterator[Any]:
    """The cameras are left out while the database cannot be read; the other metrics stay."""
    try:
        db.migrate()
        cameras: list[Row] | None = camera_service.list_cameras()
    except (DatabaseError, db.DatabaseBusy, db.NewerDatabase, db.InvalidDatabaseFile, OSError):
        cameras = None
    readable = cameras is not None
    yield core.GaugeMetricFamily("nvr_database_up", "1 while it can be read.", value=readable)
    yield core.GaugeMetricFamily(
        "nvr_database_size_bytes", "The database with its WAL.", value=stats.database_bytes()
    )
    yield from _cameras(cameras or [])


def _cameras(cameras: list[Row]) -> tuple[Any, ...]:
    """A time series for each camera, labelled with its id."""

    def family(name: str, what: str, *more: str) -> Any:
        return core.GaugeMetricFamily(f"nvr_camera_{name}", what, labels=["camera", *more])

    status = family("status", "1 for the status that the camera has.", "status")
    uploaded = family("last_upload_timestamp_seconds", "When the last upload was completed.")
    age = family("last_upload_age_seconds", "How long ago that was.")
    now = clock.now()
    for camera in cameras:
        for name in STATUSES:
            status.add_metric([camera["id"], name], name == camera["status"])
        if camera["last_seen_at"]:
            moment = clock.parse(camera["last_seen_at"])
            uploaded.add_metric([camera["id"]], moment.timestamp())
            age.add_metric([camera["id"]], max(0.0, (now - moment).total_seconds()))
    return status, uploaded, age


def _outcome(response: Response) -> str:
    """The problem's code, ``placeholder``, or the status of the picture."""
    if "X-Snapshot-Placeholder" in response.headers:
        return "placeholder"
    return str(g.get("problem", response.status_code))
