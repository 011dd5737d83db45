"""How does an operator keep a copy of the database, and get back to one?"""

import json
import os

import click
from flask import current_app
from flask.cli import with_appcontext

from .. import db
from ..db import backup as backup_files
from . import progress
from .failures import Command


def _path() -> str:
    return str(current_app.config["NVR_DATABASE_URL"])


@click.command(cls=Command)
@with_appcontext
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def backup(path: str, as_json: bool) -> None:
    """Write a checked copy of the database to PATH, which must not exist yet.

    The service may run meanwhile.
    """
    path = os.path.abspath(path)
    with progress.bar(100) as bar:
        size = backup_files.backup(_path(), path, bar.update)
    if as_json:
        click.echo(json.dumps({"path": path, "bytes": size}))
    else:
        click.echo(f"backed up to {path}, {size} bytes, checked")


@click.command(cls=Command)
@with_appcontext
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def restore(path: str, as_json: bool) -> None:
    """Put the backup PATH in the place of the database, which is kept beside it.

    Refuses while the service runs.
    """
    with progress.bar(100) as bar:
        source = os.path.abspath(path)
        kept = backup_files.restore(source, _path(), db.known_migrations(), bar.update)
    if as_json:
        click.echo(json.dumps({"database": _path(), "kept": kept}))
    else:
        click.echo(f"restored {_path()}; the old one is kept as {kept}" if kept else "restored")
