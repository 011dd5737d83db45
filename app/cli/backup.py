"""How does an operator keep a copy of the database, and get back to one?"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app
from flask.cli import with_appcontext

from app import db
from app.db import backups
from app.db.inspection import Unusable
from app.disk import files


def _path() -> str:
    return str(current_app.config["NVR_DATABASE_URL"])


@contextmanager
def _in_one_line() -> Iterator[None]:
    """A failure as one line on stderr and exit code 1."""
    try:
        yield
    except files.InUse:
        raise click.ClickException(
            f"the database {_path()} is in use: stop the service and every command first"
        ) from None
    except (Unusable, OSError, sqlite3.Error) as error:
        raise click.ClickException(str(error)) from None


@click.command()
@with_appcontext
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def backup(path: str, as_json: bool) -> None:
    """Write a checked copy of the database to PATH, which must not exist yet.

    The service may run meanwhile.
    """
    path = os.path.abspath(path)
    with _in_one_line():
        size = backups.backup(_path(), path)
    if as_json:
        click.echo(json.dumps({"path": path, "bytes": size}))
    else:
        click.echo(f"backed up to {path}, {size} bytes, checked")


@click.command()
@with_appcontext
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def restore(path: str, as_json: bool) -> None:
    """Put the backup PATH in the place of the database, which is kept beside it.

    Refuses while the service runs.
    """
    with _in_one_line():
        kept = backups.restore(os.path.abspath(path), _path(), db.known_migrations())
    if as_json:
        click.echo(json.dumps({"database": _path(), "kept": kept}))
    else:
        click.echo(f"restored {_path()}; the old one is kept as {kept}" if kept else "restored")
