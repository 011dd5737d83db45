"""What do all commands share? ``--json``, a progress bar, and errors of one line."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
import peewee
from flask import current_app
from flask.cli import AppGroup

from .. import db
from ..db import DriverError, InvalidDatabaseFile, files
from ..diagnostics.folder_access import service_user
from ..errors import problem_of
from ..logs import one_line
from ..models import Row
from ..pictures.index import MOST_WAITING, NOT_FOLLOWED
from ..services.audit import Caller

# The actor in the audit entries of what a command changes.
CLI = Caller("cli")
IN_USE = "The database is in use. Stop the service and every other command first."
# Their text names the file and what is wrong with it.
DATABASE_ERRORS = (InvalidDatabaseFile, OSError, DriverError, peewee.DatabaseError)
# Problems whose sentence in the API says less than the exception's own text.
GENERAL_PROBLEMS = ("internal_error", "database_unavailable")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Command(click.Command):
    """A command that prints a known failure as one line and exits with 1, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an unknown exception is raised as it is."""
        try:
            return super().invoke(ctx)
        except Exception as error:  # raised again unless there is a sentence for it
            message = _message(error)
            if message is None:
                raise
            raise click.ClickException(message) from error


class Group(AppGroup):
    """A group whose commands are `Command`."""

    command_class = Command


def database_path() -> str:
    """The database's file; says on stderr which one, unless the environment names it.

    Raises `click.ClickException` where this user may not enter its folder.
    """
    path = str(current_app.config["NVR_DATABASE_URL"])
    if source := current_app.config.get("DATABASE_SOURCE"):
        click.echo(one_line(f"Using the database {path}, which {source}."), err=True)
    folder = os.path.dirname(path)
    if os.path.exists(folder) and not os.access(folder, os.X_OK, effective_ids=True):
        raise click.ClickException(
            f"The user {service_user()} may not enter {folder}, where the database is. Type the "
            "command as the service's user: runuser -u USER -- COMMAND, as root."
        )
    return path


def open_database() -> None:
    """Bring the database to the newest schema.

    A missing one is not created, because the service would go on using its own.
    """
    path = database_path()
    if not os.path.exists(path):
        raise click.ClickException(
            f"There is no database at {path}. Start the service once to create it, or name the "
            "service's database in NVR_DATABASE_URL."
        )
    db.migrate()


@contextmanager
def followed(cameras: Iterable[Row]) -> Iterator[None]:
    """Bring the index of these cameras' pictures up to date.

    In the block this process is the leader if the service does not run.
    """
    pictures, monitor = (current_app.extensions[name] for name in ("pictures", "monitor"))
    monitor.lead()
    try:
        for camera in cameras:
            with suppress(*NOT_FOLLOWED):
                while pictures.follow(camera).comparison.is_busy:
                    if monitor.leads and pictures.waiting() >= MOST_WAITING:
                        pictures.flush()
        yield
        if monitor.leads:
            pictures.close()
    finally:
        monitor.close()


def progress_bar(length: int) -> Any:
    """A bar of ``length`` steps on stderr, hidden where stderr is no terminal."""
    return click.progressbar(length=length, file=sys.stderr, hidden=not sys.stderr.isatty())


def _message(error: Exception) -> str | None:
    """What went wrong and what to do, or None for an unknown failure."""
    if isinstance(error, files.InUse):
        return IN_USE
    if isinstance(error, BrokenPipeError):
        return None  # click exits without a message when the reader of a pipe has gone
    problem = problem_of(error)
    if problem.code not in GENERAL_PROBLEMS:
        return problem.detail
    return str(error) if isinstance(error, DATABASE_ERRORS) else None
