"""Which steps is a database behind, and what happens before they are taken?"""

import os

from playhouse.migrations import Runner

from . import backup as backup_files
from . import files
from .inspection import Unusable


class NewerDatabase(Exception):
    """The database was written by a newer version of the service; its text says what to do."""


def pending(runner: Runner) -> list[str]:
    """The names of the migrations to come; raises `NewerDatabase`."""
    status = runner.status()
    unknown = [step.name for step in status if step.path is None]
    if unknown:
        raise NewerDatabase(
            f"the database {runner.database.database} was written by a newer version (it has "
            f"seen {', '.join(unknown)}): start that version, or restore a backup made before it"
        )
    return [step.name for step in status if not step.applied]


def begin(path: str) -> str:
    """The name of an empty file to make the database ``path`` in; raises `Unusable`.

    It gets its own name when it is whole, so that an empty one under that name is always a loss.
    """
    if os.path.exists(f"{path}-wal"):
        raise Unusable(path, "is gone, only its -wal is there", "restore a backup")
    new = f"{path}.new"
    files.remove(new)
    files.make_private(new)
    return new


def back_up(path: str, step: str) -> None:
    """Keep the database as it is before ``step``, by that name; an older such copy goes."""
    kept = f"{path}.before-{step}"
    files.remove(kept)
    backup_files.backup(path, kept)
