"""The box: its health, its numbers and its storage."""

import time
from importlib.metadata import version
from pathlib import Path

import flask
import flask_swagger_ui
from flask import Response, current_app, make_response, render_template, request

from .. import clock
from ..access.headers import is_not_modified
from ..models import Row
from ..schemas import system as schemas
from ..services import health, stats
from ..telemetry import Metrics, exposition
from .blueprint import Blueprint
from .pictures import base_path, folders

STARTED = time.monotonic()
OPENMETRICS = "application/openmetrics-text"
# Swagger UI's scripts and styles are files of this origin; it draws icons from data: URLs.
DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
SWAGGER_UI_TAG = version("flask-swagger-ui")

blp = Blueprint("system", __name__, description=__doc__)
metrics_blp = Blueprint("metrics", __name__, description="The numbers that Prometheus collects.")
docs_blp = flask.Blueprint("docs", __name__, url_prefix="/docs")


@blp.get("/health")
@blp.response(200, schemas.AliveSchema, example=schemas.EXAMPLE_ALIVE)
def get_alive() -> Row:
    """Report that the process responds; reads no disk"""
    return {"status": "alive"}


@blp.get("/api/system/health")
@blp.alt_response(503, schema=schemas.HealthSchema, success=True)
@blp.response(200, schemas.HealthSchema, example=schemas.EXAMPLE_HEALTH)
def get_health() -> tuple[Row, int]:
    """Check everything that the service needs; 503 where it cannot do its work"""
    pulse = current_app.extensions["monitor"].pulse()
    loop = current_app.extensions.get("event_loop")  # only `server` has one
    server = (loop.pulse(),) if loop else ()
    found = health.check_all(base_path(), folders().polling(), pulse, *server)
    found |= {"timestamp": clock.rfc3339(clock.now())}
    return found, 503 if found["status"] == health.UNHEALTHY else 200


@blp.get("/api/system/stats")
@blp.response(200, schemas.StatsSchema, example=schemas.EXAMPLE_STATS)
def get_stats() -> Row:
    """Count what is stored"""
    uptime = int(time.monotonic() - STARTED)
    return stats.totals() | {
        "uptime_seconds": uptime,
        "version": current_app.config["API_VERSION"],
    }


@blp.get("/api/system/storage")
@blp.response(200, schemas.StorageSchema, example=schemas.EXAMPLE_STORAGE)
def get_storage() -> Row:
    """Get how many bytes are free and used, and how many rows are stored"""
    return stats.storage(base_path())


@metrics_blp.get("/metrics")
@metrics_blp.text_response(
    "The metrics", "text/plain", OPENMETRICS, example=schemas.EXAMPLE_METRICS
)
def get_metrics() -> Response:
    """Get the metrics of requests, snapshots, cameras, index, database and memory

    In Prometheus' own text format, or in OpenMetrics where Accept asks for it.
    """
    app = current_app
    watch, version = app.config["NVR_WATCH"] == "auto", app.config["API_VERSION"]
    metrics = Metrics(app.extensions["counters"], folders(), watch, version)
    # Prometheus names it with parameters, which do not matter here.
    accepted = {kind.partition(";")[0].strip() for kind in request.accept_mimetypes.values()}
    text, kind = exposition(metrics, OPENMETRICS in accepted)
    return Response(text, content_type=kind)


@docs_blp.get("")
def page() -> Response:
    """The API's description in Swagger UI, without files of another host."""
    response = make_response(render_template("docs.html"))
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response


@docs_blp.get("/<any('swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png'):name>")
def asset(name: str) -> Response:
    """A file of Swagger UI that the page loads."""
    if is_not_modified(SWAGGER_UI_TAG):
        response = Response(status=304)
        response.set_etag(SWAGGER_UI_TAG)
    else:
        response = flask.send_from_directory(
            SWAGGER_UI, name, conditional=False, etag=SWAGGER_UI_TAG
        )
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@docs_blp.get("/start.js")
def start() -> Response:
    """The script that starts Swagger UI."""
    return Response(render_template("docs.js"), mimetype="text/javascript")
