"""How does a command fail? With a line that says what to do and exit code 1, not a traceback."""

from typing import Any

import click
import peewee
from flask.cli import AppGroup

from ..db import DriverError, InvalidDatabaseFile, files
from ..errors import problem_of

IN_USE = "the database is in use: stop the service and every command first"
# Their own text says what is wrong with which file.
TELLING = (InvalidDatabaseFile, OSError, DriverError, peewee.DatabaseError)
VAGUE = ("internal_error", "database_unavailable")


class Command(click.Command):
    """A command whose failures are the problems of the API where they are the same."""

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; what nobody foresaw rises as it is."""
        try:
            return super().invoke(ctx)
        except Exception as error:  # raised again unless it is one that is known
            sentence = _sentence(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


class Group(AppGroup):
    """A group of such commands."""

    command_class = Command


def _sentence(error: Exception) -> str | None:
    """What went wrong and what to do, or None where nobody knows."""
    if isinstance(error, files.InUse):
        return IN_USE
    if isinstance(error, BrokenPipeError):
        return None  # click ends in silence, as one does whose reader has gone
    problem = problem_of(error)
    if problem.code not in VAGUE:
        return problem.detail
    return str(error) if isinstance(error, TELLING) else None
