"""The numbers that Prometheus collects."""

from flask import Response, current_app, request

from ..telemetry.metrics import Metrics, exposition
from .blueprint import Blueprint
from .pictures import folders

OPENMETRICS = "application/openmetrics-text"

EXAMPLE = """\
# HELP nvr_snapshots_total Snapshots asked for, by what was answered.
# TYPE nvr_snapshots_total counter
nvr_snapshots_total{outcome="200"} 97.0
nvr_snapshots_total{outcome="no_snapshot"} 1.0
"""

blp = Blueprint("metrics", __name__, description=__doc__)


@blp.get("/metrics")
@blp.text("The metrics", "text/plain", OPENMETRICS, example=EXAMPLE)
def get_metrics() -> Response:
    """Get requests, snapshots, cameras, index, database and memory in numbers

    In Prometheus' own text format, or in OpenMetrics where Accept asks for it.
    """
    app = current_app
    watch, version = app.config["NVR_WATCH"] == "auto", app.config["API_VERSION"]
    metrics = Metrics(app.extensions["tally"], folders(), watch, version)
    # Prometheus names it with parameters; whoever names it at all can read it.
    wanted = {kind.partition(";")[0].strip() for kind in request.accept_mimetypes.values()}
    text, kind = exposition(metrics, OPENMETRICS in wanted)
    return Response(text, content_type=kind, headers={"Cache-Control": "no-store"})
