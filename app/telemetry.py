"""What does the service count about itself, and how does Prometheus read it?

A request is counted by the pattern of its route, so that no URL makes a new time series. Names and
units follow prometheus.io/docs/practices/naming.
"""

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, request
from peewee import DatabaseError
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics

from . import clock, db
from .models import STATUSES, Delivery, Row
from .pictures.listing import KINDS
from .pictures.prune_record import pruned
from .pictures.room import find_room
from .pictures.usage import measure
from .services import cameras as camera_service
from .services import stats

# Upper bounds of the histogram's buckets, in seconds; the last bucket has none.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SNAPSHOT = "cameras.get_camera_snapshot"
METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
# The label for all URLs without a route, and the one for all methods that HTTP does not define.
UNMATCHED, OTHER = "unmatched", "other"
MODES = ("watching", "polling", "off")


class StateCollector:
    """The metrics of index, database and cameras, which are read at each scrape."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def collect(self) -> Iterator[Any]:
        """Every family of these metrics."""
        polling = len(self._app.extensions["folders"].polling())
        watch = self._app.config["NVR_WATCH"] == "auto"
        now = "off" if not watch else "polling" if polling else "watching"
        modes = [([mode], mode == now) for mode in MODES]
        yield _family("index_mode", "1 for how new pictures are noticed.", "mode", modes)
        name = "nvr_index_polling_folders"
        yield GaugeMetricFamily(name, "Folders that cannot be watched.", value=polling)
        publisher = self._app.extensions.get("mqtt")  # only the server has one, with a broker
        text = "1 while the MQTT broker is connected, 0 also where none is set."
        is_connected = publisher is not None and publisher.is_connected
        yield GaugeMetricFamily("nvr_mqtt_connected", text, value=is_connected)
        yield from _database(self._app)


class RequestMetrics:
    """The metrics that each request changes; `begin` runs before it, `count` after it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["method", "route", "status"]
        text = "Requests answered."
        self._requests = Counter("nvr_http_requests", text, labels, registry=registry)
        name = "nvr_http_request_duration_seconds"
        text = "From the start of a request to its response."
        self._durations = Histogram(name, text, labels[:2], buckets=BOUNDS, registry=registry)
        text = "Snapshots asked for, by what was answered."
        self._snapshots = Counter("nvr_snapshots", text, ["outcome"], registry=registry)

    def begin(self) -> None:
        g.began = perf_counter()

    def count(self, response: Response) -> Response:
        """Count the request, and the time until its response begins."""
        method, rule = request.method, request.url_rule
        kind = method if method in METHODS else OTHER, rule.rule if rule else UNMATCHED
        self._requests.labels(*kind, response.status_code).inc()
        self._durations.labels(*kind).observe(perf_counter() - g.began)
        if rule and rule.endpoint == SNAPSHOT:
            self._snapshots.labels(_outcome(response)).inc()
        return response


def init_app(app: Flask) -> None:
    """Count every request, and collect the metrics in a registry of the app."""
    disable_created_metrics()  # the process's start is among its own metrics
    registry = app.extensions["metrics"] = CollectorRegistry()
    build = Gauge("nvr_build_info", "Always 1.", ["version"], registry=registry)
    build.labels(app.config["API_VERSION"]).set(1)
    metrics = RequestMetrics(registry)
    registry.register(StateCollector(app))
    ProcessCollector(registry=registry)
    app.before_request(metrics.begin)
    app.after_request(metrics.count)


def exposition(app: Flask, as_openmetrics: bool) -> tuple[bytes, str]:
    """The metrics as text in one of two formats, and its media type."""
    registry = app.extensions["metrics"]
    if as_openmetrics:
        return openmetrics.generate_latest(registry), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def _family(name: str, text: str, labels: str, samples: Iterable[Any]) -> GaugeMetricFamily:
    """A family of metrics; ``samples``: the values of the ``labels``, and a number for them."""
    family = GaugeMetricFamily(f"nvr_{name}", text, labels=labels.split())
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _database(app: Flask) -> Iterator[Any]:
    """The metrics of the database and, while it can be read, of the cameras."""
    try:
        db.migrate()
        cameras: list[Row] | None = camera_service.list_cameras()
    except (DatabaseError, db.DatabaseBusy, db.NewerDatabase, db.InvalidDatabaseFile, OSError):
        cameras = None
    yield GaugeMetricFamily(
        "nvr_database_up", "1 while it can be read.", value=cameras is not None
    )
    size = stats.database_bytes()
    yield GaugeMetricFamily("nvr_database_size_bytes", "The database with its WAL.", value=size)
    yield from _cameras(cameras or [], clock.now().timestamp())
    if cameras is not None:
        yield from _deliveries(clock.now().timestamp())
        yield from _pictures(app)


def _cameras(cameras: list[Row], now: float) -> Iterator[Any]:
    """A time series for each camera, labelled with its id."""
    status = (
        ([camera["id"], name], name == camera["status"]) for camera in cameras for name in STATUSES
    )
    seen = [
        ([camera["id"]], clock.parse(camera["last_seen_at"]).timestamp())
        for camera in cameras
        if camera["last_seen_at"]
    ]
    ages = ((labels, max(0.0, now - moment)) for labels, moment in seen)
    text = "1 for the status that the camera has."
    yield _family("camera_status", text, "camera status", status)
    name, text = "camera_last_upload_timestamp_seconds", "When the last upload was completed."
    yield _family(name, text, "camera", seen)
    name, text = "camera_last_upload_age_seconds", "How long ago that was."
    yield _family(name, text, "camera", ages)


def _pictures(app: Flask) -> Iterator[Any]:
    """How many pictures and clips there are, how far the index is behind, and how much room."""
    usages = measure(app)
    counts = [
        ([usage.camera["id"], kind], number)
        for usage in usages
        for kind, number in zip(KINDS, (usage.pictures, usage.clips), strict=True)
    ]
    text = "Pictures and clips of the camera."
    yield _family("camera_pictures", text, "camera kind", counts)
    sizes = [([usage.camera["id"]], usage.bytes) for usage in usages]
    text = "What the camera's pictures and clips occupy."
    yield _family("camera_pictures_bytes", text, "camera", sizes)
    lag = app.extensions["pictures"].lag()
    for name, value, text in (
        ("lag_seconds", lag["seconds"], "How long changes have waited to be written."),
        ("waiting_changes", lag["changes"], "Changes that are not written yet."),
        ("comparing_cameras", lag["cameras"], "Cameras whose folders are being compared."),
    ):
        yield GaugeMetricFamily(f"nvr_picture_index_{name}", text, value=value)
    text = "Bytes of pictures and clips that retention has deleted."
    yield CounterMetricFamily("nvr_pruned_bytes", text, value=pruned()["bytes"])
    days = find_room(app, usages).days_left
    text = "Until a disk is full; missing where no end is foreseen."
    yield _family("storage_days_left", text, "", [] if days is None else [([], days)])


def _deliveries(now: float) -> Iterator[Any]:
    """How many messages of the outbox have each state, and since when the oldest waits."""
    counts = (([state], number) for state, number in Delivery.counts_by_state().items())
    yield _family("deliveries", "Messages of the last seven days.", "state", counts)
    oldest = Delivery.oldest_waiting()
    age = max(0.0, now - clock.parse(oldest).timestamp()) if oldest else 0.0
    name, text = "nvr_deliveries_oldest_waiting_age_seconds", "Of the oldest message that waits."
    yield GaugeMetricFamily(name, text, value=age)


def _outcome(response: Response) -> str:
    """The problem's code, ``placeholder``, or the status of the picture."""
    if "X-Snapshot-Placeholder" in response.headers:
        return "placeholder"
    return str(g.get("problem", response.status_code))
