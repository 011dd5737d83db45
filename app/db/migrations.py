"""How does a database get the newest schema?"""

import os
import sqlite3
import threading
import time
from contextlib import closing

from peewee import OperationalError, SqliteDatabase
from playhouse.migrations import Runner

from ..clock import pause
from ..layout import MIGRATIONS
from . import backup, files
from .backup import InvalidDatabaseFile
from .connection import BUSY_SECONDS, PRAGMAS, Database, DatabaseBusy, database, is_busy
from .files import usage_locks

WAL_RETRY_SECONDS = 0.01
# For a new database, which gets its name only once it is complete and on the disk.
CREATING = (("journal_mode", "memory"), ("synchronous", "off"))
_migrating = threading.Lock()


class FolderNotMade(OSError):
    """The database's folder does not exist and cannot be created."""


class NewerDatabase(Exception):
    """The database was written by a newer version of the service; the text says what to do."""


def migrate() -> None:
    """Bring the file to the newest schema, once per process; safe while another process does too.

    An existing file is checked first, and backed up beside itself before its schema changes.
    Raises `NewerDatabase` where the file has seen a migration that this version does not know,
    `FolderNotMade`, `InvalidDatabaseFile` and `DatabaseBusy`.
    """
    path = database.path
    with _migrating:
        if database.is_migrated:
            return
        _lock(path)
        _connect()
        if pending(Runner(database, str(MIGRATIONS))):
            _apply(path)
        database.is_migrated = True


def forget() -> None:
    """Unlock the databases, so that other processes may restore them."""
    with _migrating:
        usage_locks.release_all()
        database.is_migrated = False


def known_migrations() -> set[str]:
    return {step.name for step in Runner(database, str(MIGRATIONS)).migrations()}


def pending(runner: Runner) -> list[str]:
    """The names of the migrations to apply; raises `NewerDatabase`."""
    status = runner.status()
    unknown = [step.name for step in status if step.path is None]
    if unknown:
        raise NewerDatabase(
            f"the database {database.path} was written by a newer version (it has seen "
            f"{', '.join(unknown)}): start that version, or restore a backup made before it"
        )
    return [step.name for step in status if not step.applied]


def _lock(path: str) -> None:
    """Lock the database for use, after a check; create it where it does not exist."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise FolderNotMade(*error.args, error.filename) from error
    try:
        usage_locks.acquire(path, BUSY_SECONDS, _create)
    except files.InUse as error:
        raise DatabaseBusy(f"{path} is held by another process") from error
    try:
        backup.examine(path)
    except BaseException as error:  # raised again, without the lock of an unusable file
        usage_locks.release(path)
        if isinstance(error, sqlite3.Error):
            raise OperationalError(*error.args) from error
        raise


def _create(path: str) -> None:
    """Create the database, under another name first, so that it is never seen empty."""
    if os.path.exists(f"{path}-wal"):
        raise InvalidDatabaseFile(path, "is gone, only its -wal is there", "restore a backup")
    with files.new_file(path) as new:
        created = SqliteDatabase(new, pragmas=CREATING)
        with closing(created), created.atomic("IMMEDIATE"):
            Runner(created, str(MIGRATIONS)).up()


def _connect() -> None:
    """Connect, which turns a new file to WAL mode.

    If two processes do so at once, SQLite refuses the second without waiting, because each would
    wait for the other's read lock.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            database.connect(reuse_if_open=True)
            return
        except OperationalError as error:
            if not is_busy(error):
                raise
            if time.monotonic() > deadline:
                raise DatabaseBusy from error
        pause(WAL_RETRY_SECONDS)


def _apply(path: str) -> None:
    """Apply all pending migrations in one IMMEDIATE transaction; a second process waits for it.

    The connection does not enforce foreign keys: rebuilding a table must not delete by cascade
    (sqlite.org/lang_altertable.html, section 7).
    """
    upgraded = Database(path, pragmas=(*PRAGMAS, ("foreign_keys", 0)))
    runner = Runner(upgraded, str(MIGRATIONS))
    try:
        with upgraded.atomic("IMMEDIATE"):
            if steps := pending(runner):
                _keep_copy(path, steps[0])
                runner.up()
    except OperationalError as error:
        if is_busy(error):
            raise DatabaseBusy from error
        raise
    finally:
        upgraded.close_all()


def _keep_copy(path: str, step: str) -> None:
    """Keep the database as it is before ``step``, named after it, in place of an older copy."""
    kept = f"{path}.before-{step}"
    files.remove(kept)
    backup.backup(path, kept)
