"""The box: is it well, and how full is it?"""

import time

from flask import current_app

from .. import clock
from ..models import Row
from ..schemas import examples
from ..schemas import system as schemas
from ..services import health, stats
from .blueprint import Blueprint
from .pictures import base_path, folders

blp = Blueprint("system", __name__, description=__doc__)
STARTED = time.monotonic()


@blp.get("/health")
@blp.open_to_all
@blp.answers(200, schemas.AliveSchema, example=examples.ALIVE)
def get_alive() -> Row:
    """Say that the process answers; touches no disk"""
    return {"status": "alive"}


@blp.get("/api/system/health")
@blp.answers(200, schemas.HealthSchema, also=503, example=examples.HEALTH)
def get_health() -> tuple[Row, int]:
    """Look at everything that the service needs; 503 where it cannot do its work"""
    pulse = current_app.extensions["monitor"].pulse()
    found = health.look(base_path(), folders().polling(), pulse)
    found |= {"timestamp": clock.rfc3339(clock.now())}
    return found, 503 if found["status"] == health.UNHEALTHY else 200


@blp.get("/api/system/stats")
@blp.answers(200, schemas.StatsSchema, example=examples.STATS)
def get_stats() -> Row:
    """Count what is stored"""
    uptime = int(time.monotonic() - STARTED)
    return stats.totals() | {
        "uptime_seconds": uptime,
        "version": current_app.config["API_VERSION"],
    }


@blp.get("/api/system/storage")
@blp.answers(200, schemas.StorageSchema, example=examples.STORAGE)
def get_storage() -> Row:
    """Say how many bytes are free and used, and how many rows are stored"""
    return stats.storage(base_path())
