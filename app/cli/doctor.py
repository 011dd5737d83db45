"""What is wrong with this box? Every check with a sentence, for a shell."""

import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from peewee import DatabaseError

from .. import clock
from ..diagnostics import doctor as checks
from ..diagnostics.camera import diagnose
from ..logs import one_line
from ..models import Row
from ..services import cameras as camera_service
from ..services.health import DEGRADED, HEALTHY, UNHEALTHY, Check, worst
from . import progress
from .failures import Command

WORDS = {HEALTHY: "ok", DEGRADED: "warning", UNHEALTHY: "problem"}


@click.command(cls=Command)
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def doctor(as_json: bool) -> None:
    """Look at all that the service needs, and at every camera; ends with 1 on a problem.

    Run it as the user that the service runs as. It changes nothing.
    """
    base, path = (
        current_app.config[f"NVR_{name}"] for name in ("FOSCAM_BASE_PATH", "DATABASE_URL")
    )
    cameras = _cameras(path)
    looks = chain(checks.check_box(base, path, len(cameras), clock.now()), _of_cameras(cameras))
    found = {}
    with progress.bar(checks.BOX_CHECKS + len(cameras)) as bar:
        for name, check in looks:
            found[name] = check
            bar.update(1)
    status = worst(*found.values())
    if as_json:
        listed = {name: check._asdict() for name, check in found.items()}
        click.echo(json.dumps({"status": status, "checks": listed}, ensure_ascii=False))
    else:
        for name, check in found.items():
            click.echo(one_line(f"{WORDS[check.status]:8}{name}: {check.message}"))
    sys.exit(int(status == UNHEALTHY))


def _cameras(path: str) -> list[Row]:
    """Every camera, or none where the database tells of none: its own check says why."""
    try:
        return camera_service.list_cameras() if Path(path).exists() else []
    except DatabaseError:
        return []


def _of_cameras(cameras: list[Row]) -> Iterator[tuple[str, Check]]:
    """Up to a second for each camera."""
    context = current_app.extensions["diagnostics"]
    for camera in cameras:
        problems = diagnose(camera, cameras, context, clock.now())["problems"]
        yield f"camera {camera['name']} ({camera['id']})", checks.check_camera(problems)
