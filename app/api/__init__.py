"""Which resources does the API have, and where is it described?"""

from flask import Flask, request

from .. import db
from ..images.resize import Resizer
from . import audit, cameras, detections, events, system
from .openapi import DESCRIPTION, SECURITY_SCHEMES, create_api
from .responses import ROW_ID, RowId

BLUEPRINTS = (
    *(cameras.blp, cameras.folders_blp, detections.blp, events.blp, audit.blp),
    *(system.blp, system.metrics_blp),
)
# Endpoints that respond also while the database cannot be used.
WITHOUT_DATABASE = ("system.get_alive", "system.get_health", "metrics.get_metrics")


def init_app(app: Flask) -> None:
    """Register every resource, its OpenAPI description and the page that shows it."""
    app.url_map.merge_slashes = False
    app.url_map.converters[ROW_ID] = RowId
    app.config.update(
        API_TITLE="NVR Cameras",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        API_SPEC_OPTIONS={
            "info": {"description": DESCRIPTION},
            "components": {"securitySchemes": SECURITY_SCHEMES},
        },
    )
    app.extensions["resizer"] = Resizer()
    app.before_request(_migrate)
    api = create_api(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    app.register_blueprint(system.docs_blp)


def _migrate() -> None:
    """Create or upgrade the tables before the first request, under any WSGI server."""
    if request.endpoint not in WITHOUT_DATABASE:
        db.migrate()
