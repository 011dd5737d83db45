"""The box: its health, its row counts, its storage, its audit log and all settings."""

import time
from functools import partial
from uuid import UUID

from flask import Response, current_app, request

from .. import clock
from ..access.authorize import caller
from ..models import AUDIT, AuditEntry, Row
from ..notify.outbox import check_deliveries
from ..pictures import pruning
from ..pictures.room import figures, find_room
from ..pictures.usage import follow_all
from ..schemas import settings as settings_schemas
from ..schemas import system as schemas
from ..services import health, stats
from ..services.settings import Settings
from ..telemetry import exposition
from .blueprint import Blueprint
from .pictures import base_path, folders
from .responses import ROW_ID, page

STARTED = time.monotonic()
OPENMETRICS = "application/openmetrics-text"

blp = Blueprint(
    "system",
    __name__,
    description="The box: its health, its row counts, its storage and the retention of pictures.",
)
metrics_blp = Blueprint("metrics", __name__, description="The metrics that Prometheus scrapes.")
audit_blp = Blueprint(
    "audit",
    __name__,
    url_prefix="/api/audit",
    description="The audit log: who changed what. It is read-only.",
)
settings_blp = Blueprint(
    "settings",
    __name__,
    url_prefix="/api",
    description="The settings of the box and of each camera that can be changed at run time.",
)
UNKNOWN = ("camera_not_found",)


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
    found = _check_all() | {"timestamp": clock.rfc3339(clock.now())}
    return found, 503 if found["status"] == health.UNHEALTHY else 200


def _check_all() -> Row:
    """All checks, and the worst of their statuses."""
    extensions, base, threads = current_app.extensions, base_path(), folders().threads
    loop = extensions.get("event_loop")  # only `server` has one
    server = loop.pulse() if loop else health.OTHER_SERVER
    mounts = [f"{mount.point} ({mount.kind})" for mount in threads.not_answering()]
    checks = {
        "database": health.check_database(),
        "base_path": health.check_base_path(base, threads),
        "storage": health.check_storage(base, threads, partial(find_room, current_app)),
        "storage_answering": health.check_storage_answering(mounts),
        "watcher": health.combine(
            health.check_server(server),
            health.check_watcher(folders()),
            health.check_monitor(extensions["monitor"].pulse()),
        ),
        "clock": health.check_clock(extensions["clock_guard"]),
        "deliveries": check_deliveries(),
        "retention": pruning.check(current_app),
    }
    shown = {name: check._asdict() for name, check in checks.items()}
    return {"status": health.worst(*checks.values()), "checks": shown}


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
@blp.response(
    200,
    schemas.StorageSchema,
    example=schemas.EXAMPLE_STORAGE,
    problems=("storage_not_answering",),
)
def get_storage() -> Row:
    """Get how full the disk is, what each camera occupies, and for how many days there is room

    `bytes_per_day` is the rate of the last 7 days, or since the camera's first picture.
    `days_left` is null where nothing is uploaded, or where a limit of the box holds before the
    disk is full.
    """
    follow_all(current_app.extensions["pictures"])
    return figures(current_app)


@blp.post("/api/system/retention")
@blp.arguments(schemas.RetentionQuerySchema, location="query")
@blp.response(
    200,
    schemas.RetentionSchema,
    example=schemas.EXAMPLE_RETENTION,
    problems=("retention_running",),
)
def delete_pictures(query: Row) -> Row:
    """Delete the pictures and clips that exceed the limits, or say which would go"""
    if request.content_length:
        blp.ARGUMENTS_PARSER.parse(schemas.RetentionBodySchema(), request, location="json")
    pruner: pruning.Pruner = current_app.extensions["pruner"]
    report, _ = pruner.dry_run() if query["dry_run"] else pruner.run(caller())
    return report


@metrics_blp.get("/metrics")
@metrics_blp.text_response(
    "The metrics", "text/plain", OPENMETRICS, example=schemas.EXAMPLE_METRICS
)
def get_metrics() -> Response:
    """Get the metrics of requests, snapshots, cameras, index, database and memory

    In Prometheus' own text format, or in OpenMetrics where Accept asks for it.
    """
    # Prometheus sends it with parameters, which do not matter here.
    accepted = {kind.partition(";")[0].strip() for kind in request.accept_mimetypes.values()}
    text, kind = exposition(current_app, OPENMETRICS in accepted)
    return Response(text, content_type=kind)


@audit_blp.get("")
@audit_blp.arguments(schemas.AuditQuerySchema, location="query")
@audit_blp.response(200, schemas.AuditListSchema, example=schemas.EXAMPLE_ENTRIES)
def list_entries(query: Row) -> Row:
    """List the entries that match every filter, newest first"""
    return page(AUDIT, "entries", query)


@audit_blp.get(f"/<{ROW_ID}:entry_id>")
@audit_blp.response(
    200,
    schemas.AuditEntrySchema,
    example=schemas.EXAMPLE_ENTRY,
    problems=("audit_entry_not_found",),
)
def get_entry(entry_id: int) -> Row:
    """Get an entry by its id"""
    return AuditEntry.one(entry_id)


def settings() -> Settings:
    found: Settings = current_app.extensions["settings"]
    return found


@settings_blp.get("/settings")
@settings_blp.response(
    200, settings_schemas.BoxSettingsSchema, example=settings_schemas.EXAMPLE_BOX_SETTINGS
)
def get_settings() -> Row:
    """Get the current settings of the box"""
    return settings().shown_box()


@settings_blp.patch("/settings")
@settings_blp.arguments(
    settings_schemas.BoxSettingsUpdateSchema, example=settings_schemas.EXAMPLE_BOX_UPDATE
)
@settings_blp.response(
    200,
    settings_schemas.BoxSettingsSchema,
    example=settings_schemas.EXAMPLE_BOX_SETTINGS | settings_schemas.EXAMPLE_BOX_UPDATE,
    problems=("fixed_by_environment",),
)
def update_settings(fields: Row) -> Row:
    """Change settings of the box at once; null returns to the default"""
    return settings().update_box(fields, caller())


@settings_blp.get("/cameras/<uuid:camera_id>/settings")
@settings_blp.response(
    200,
    settings_schemas.CameraSettingsSchema,
    example=settings_schemas.EXAMPLE_CAMERA_SETTINGS,
    problems=UNKNOWN,
)
def get_camera_settings(camera_id: UUID) -> Row:
    """Get a camera's settings, and the effective values"""
    return settings().camera(str(camera_id))


@settings_blp.patch("/cameras/<uuid:camera_id>/settings")
@settings_blp.arguments(
    settings_schemas.CameraSettingsUpdateSchema, example=settings_schemas.EXAMPLE_CAMERA_UPDATE
)
@settings_blp.response(
    200,
    settings_schemas.CameraSettingsSchema,
    example=settings_schemas.EXAMPLE_CAMERA_SETTINGS,
    problems=UNKNOWN,
)
def update_camera_settings(fields: Row, camera_id: UUID) -> Row:
    """Change a camera's settings: only the given ones"""
    return settings().update_camera(str(camera_id), fields, caller())
