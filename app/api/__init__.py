"""Which resources does the API have, and where is it described?"""

from flask import Flask, request

from .. import db
from ..images.clip_frame import ClipFrames
from ..images.resize import Resizer
from . import camera_pictures, cameras, detections, events, moments, notifications, system
from .openapi import Description, docs_blp
from .responses import ROW_ID, RowId

BLUEPRINTS = (
    *(cameras.blp, cameras.folders_blp, cameras.homeassistant_blp),
    *(camera_pictures.blp, moments.blp),
    *(detections.blp, events.blp, notifications.blp),
    system.audit_blp,
    *(system.settings_blp, system.blp, system.metrics_blp),
)
# Endpoints that respond also while the database cannot be used.
WITHOUT_DATABASE = ("system.get_alive", "system.get_health", "metrics.get_metrics")


def init_app(app: Flask) -> None:
    """Register every resource, its OpenAPI description and the page that shows it."""
    app.url_map.merge_slashes = False
    app.url_map.converters[ROW_ID] = RowId
    app.extensions["resizer"] = Resizer()
    app.extensions["clip_frames"] = ClipFrames(max(1, app.config["NVR_THREADS"] // 2))
    app.before_request(_migrate)
    for blueprint in (*BLUEPRINTS, docs_blp):
        app.register_blueprint(blueprint)
    Description(app, BLUEPRINTS).init_app(app)


def _migrate() -> None:
    """Create or upgrade the tables before the first request, under any WSGI server."""
    if not db.database.is_migrated and request.endpoint not in WITHOUT_DATABASE:
        db.migrate()
