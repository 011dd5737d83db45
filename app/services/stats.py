"""How much is stored, and how much space is left?"""

import os

from ..db import database
from ..models import (
    INTERNAL,
    MODELS,
    RISK_LEVELS,
    Camera,
    Detection,
    Event,
    Row,
    event_counts_by_camera,
    event_counts_by_level,
)
from ..storage.mount_threads import StorageThreads


def events(period: Row) -> Row:
    """The events that began in the ``period``: how many, by risk level, by camera."""
    by_level = event_counts_by_level(period)
    return {
        "total_events": sum(by_level.values()),
        "events_by_risk_level": {level: by_level.get(level, 0) for level in RISK_LEVELS},
        "events_by_camera": event_counts_by_camera(period),
    }


def totals() -> Row:
    """How many cameras (also by status), detections and events there are."""
    by_status = Camera.counts_by_status()
    return {
        "total_cameras": sum(by_status.values()),
        "cameras_by_status": by_status,
        "total_detections": Detection.row_count(),
        "total_events": Event.row_count(),
    }


def row_counts() -> dict[str, int]:
    """How many rows each table has, but for the `INTERNAL` ones: tokens are not counted."""
    return {model.table(): model.row_count() for model in MODELS if model not in INTERNAL}


def database_bytes() -> int:
    """The size of the database's files together."""
    files = (database.path + suffix for suffix in ("", "-wal", "-shm"))
    return sum(os.path.getsize(file) for file in files if os.path.exists(file))


def storage(base: str, threads: StorageThreads) -> Row:
    """Bytes of the file system of ``base``, which may not exist yet, of the database, and rows.

    Raises `StorageNotAnswering`.
    """
    system = threads.ask(lambda: os.statvfs(existing(base)), base)
    return {
        "free_bytes": system.f_bavail * system.f_frsize,
        "used_bytes": (system.f_blocks - system.f_bfree) * system.f_frsize,
        "database_bytes": database_bytes(),
        "rows": row_counts(),
    }


def existing(path: str) -> str:
    """``path``, or the nearest folder above it that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path
