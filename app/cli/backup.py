"""How does an operator back up the database and restore a backup?"""

import json
import os

import click
from flask.cli import with_appcontext

from .. import db
from ..db import backup as backup_files
from .common import Command, as_json, database_path, progress_bar


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
