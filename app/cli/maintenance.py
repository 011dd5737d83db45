"""How does an operator check the box, delete old rows, back up the database and restore it?"""

import json
import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from peewee import DatabaseError

from .. import clock, db
from ..db import backup as backup_files
from ..diagnostics import doctor as checks
from ..diagnostics.camera import diagnose
from ..diagnostics.deletion import check_deletion
from ..logs import one_line
from ..models import Row
from ..services import cameras as camera_service
from ..services.health import DEGRADED, HEALTHY, UNHEALTHY, Check, worst
from .common import Command, as_json, database_path, progress_bar

WORDS = {HEALTHY: "ok", DEGRADED: "warning", UNHEALTHY: "problem"}


@click.command(cls=Command)
@with_appcontext
@as_json
def doctor(as_json: bool) -> None:
    """Check the box and every camera; exits with 1 if there is a problem.

    Run it as the user that the service runs as. It changes nothing.
    """
    base, path = current_app.config["NVR_FOSCAM_BASE_PATH"], database_path()
    cameras = _cameras(path)
    guard = current_app.extensions["clock_guard"]
    box_checks = checks.check_box(base, path, len(cameras), clock.now(), guard)
    found = {}
    with progress_bar(checks.BOX_CHECKS + len(cameras)) as bar:
        for name, check in chain(box_checks, _camera_checks(cameras)):
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
    """Every camera; none if the database cannot be read, which another check reports."""
    try:
        if not Path(path).exists():
            return []
        current_app.extensions["settings"].box()  # older databases have no settings yet
        return camera_service.list_cameras()
    except DatabaseError:
        return []


def _camera_checks(cameras: list[Row]) -> Iterator[tuple[str, Check]]:
    """The check of each camera by its name; each takes up to a second."""
    context, settings = (current_app.extensions[name] for name in ("diagnostics", "settings"))
    for camera in cameras:
        problems = diagnose(camera, cameras, context, clock.now())["problems"]
        own, box = settings.effective([camera["id"]])[camera["id"]], settings.box()
        limits = own.keep_days, own.keep_bytes, box["keep_bytes"], box["keep_free_bytes"]
        deletion = check_deletion(
            context.base, camera["folder_path"], context.folders, any(limits)
        )
        found = checks.check_camera(problems, deletion)
        yield f"camera {camera['name']} ({camera['id']})", found


@click.command(cls=Command)
@with_appcontext
@click.argument("path")
@as_json
def backup(path: str, as_json: bool) -> None:
    """Write a checked copy of the database to the new file PATH.

    The service may run meanwhile.
    """
    path = os.path.abspath(path)
    with progress_bar(100) as bar:
        size = backup_files.backup(database_path(), path, bar.update)
    if as_json:
        click.echo(json.dumps({"path": path, "bytes": size}))
    else:
        click.echo(f"backed up to {path}, {size} bytes, checked")


@click.command(cls=Command)
@with_appcontext
@click.argument("path")
@as_json
def restore(path: str, as_json: bool) -> None:
    """Replace the database by the backup PATH; the old file is kept beside it.

    Refuses while the service runs.
    """
    database = database_path()
    with progress_bar(100) as bar:
        source = os.path.abspath(path)
        kept = backup_files.restore(source, database, db.known_migrations(), bar.update)
    if as_json:
        click.echo(json.dumps({"database": database, "kept": kept}))
    else:
        click.echo(f"restored {database}" + (f"; the old file is kept as {kept}" if kept else ""))
