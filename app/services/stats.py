"""How much is stored, and where is the room for more?"""

import os
from pathlib import Path

from ..db import database
from ..models import INTERNAL, MODELS, RISK_LEVELS, STATUSES, Row, fetch
from ..models.listings import EVENTS


def events(period: Row) -> Row:
    """The events that began in the ``period``: how many, by risk level, by camera."""
    where, parameters = EVENTS.where(period)
    levels = fetch(
        f"SELECT risk_level, count(*) AS n FROM event{where} GROUP BY risk_level",  # noqa: S608
        parameters,
    )
    cameras = fetch(
        "SELECT camera.id AS camera_id, camera.name AS camera_name, n AS event_count FROM "  # noqa: S608
        f"(SELECT camera_id, count(*) AS n FROM event{where} GROUP BY camera_id) "
        "JOIN camera ON camera.id = camera_id ORDER BY n DESC, camera.name, camera.id",
        parameters,
    )
    by_level = {row["risk_level"]: row["n"] for row in levels}
    return {
        "total_events": sum(by_level.values()),
        "events_by_risk_level": {level: by_level.get(level, 0) for level in RISK_LEVELS},
        "events_by_camera": cameras,
    }


def totals() -> Row:
    """How many cameras (also by status), detections and events there are."""
    found = fetch("SELECT status, count(*) AS n FROM camera GROUP BY status", ())
    by_status = {row["status"]: row["n"] for row in found}
    rows = row_counts()
    return {
        "total_cameras": rows["camera"],
        "cameras_by_status": {status: by_status.get(status, 0) for status in STATUSES},
        "total_detections": rows["detection"],
        "total_events": rows["event"],
    }


def row_counts() -> dict[str, int]:
    """How many rows each table has; how many can get in is nobody's business."""
    tables = [model._meta.table_name for model in MODELS if model not in INTERNAL]
    counts = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in tables)  # noqa: S608
    return fetch(f"SELECT {counts}", ())[0]


def database_bytes() -> int:
    """Of the database's files together."""
    files = (Path(database.path + suffix) for suffix in ("", "-wal", "-shm"))
    return sum(file.stat().st_size for file in files if file.exists())


def storage(base: str) -> Row:
    """Bytes of the file system that holds ``base`` (or will), of the database, and the rows."""
    system = os.statvfs(existing(base))
    return {
        "free_bytes": system.f_bavail * system.f_frsize,
        "used_bytes": (system.f_blocks - system.f_bfree) * system.f_frsize,
        "database_bytes": database_bytes(),
        "rows": row_counts(),
    }


def existing(path: str) -> str:
    """``path``, or the nearest folder above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
