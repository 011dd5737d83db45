"""Where is the data kept, and how is it written? See `connection` and `transactions`."""

from . import files
from .connection import BUSY_SECONDS, LOG_SUFFIX, DatabaseBusy, database, init_app
from .migrations import MIGRATIONS, FolderNotMade, known_migrations, let_go, migrate
from .transactions import transaction, turn
from .upgrading import NewerDatabase

__all__ = [
    "BUSY_SECONDS",
    "LOG_SUFFIX",
    "MIGRATIONS",
    "DatabaseBusy",
    "FolderNotMade",
    "NewerDatabase",
    "database",
    "init_app",
    "is_led",
    "known_migrations",
    "let_go",
    "migrate",
    "take_lead",
    "transaction",
    "turn",
]


def take_lead() -> int | None:
    """A descriptor that makes this process the one that leads on this database, or None."""
    return files.take_lead(str(database.database))


def is_led() -> bool:
    """Whether a process leads on this database."""
    return files.is_led(str(database.database))
