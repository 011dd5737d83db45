"""Which metrics does Prometheus collect? What is known already, read when it asks.

Names and units follow prometheus.io/docs/practices/naming.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from peewee import DatabaseError
from prometheus_client import core
from prometheus_client import exposition as prometheus_text
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector

from .. import clock, db
from ..models import STATUSES, Row
from ..services import cameras as camera_service
from ..services import stats
from ..storage.folders import Folders
from .counters import BOUNDS, RequestCounters

MODES = ("watching", "polling", "off")


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

    def _requests(self) -> Iterator[Any]:
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
        return iter((requests, durations, snapshots))

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


def _cameras(cameras: list[Row]) -> Iterable[Any]:
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
