"""How does a file get the newest schema? Once per process, safe while another process does too."""

import contextlib
import os
import sqlite3
import threading
import time

from peewee import OperationalError
from playhouse.migrations import Runner

from ..config import PROJECT
from . import files, inspection, upgrading, usage_lock
from .connection import (
    BUSY_SECONDS,
    Database,
    DatabaseBusy,
    database,
    is_busy,
    stop_writing,
    writing,
)
from .transactions import transaction, turn

WAL_RETRY_SECONDS = 0.01
# Of a database that nobody sees before it is whole and on the disk; one that is not is begun anew.
MAKING = (("journal_mode", "memory"), ("synchronous", "off"))
MIGRATIONS = PROJECT / "migrations"
_migrating = threading.Lock()
_migrated: set[str] = set()


class FolderNotMade(OSError):
    """The database's folder is not there and cannot be made."""


def migrate() -> None:
    """Bring the file to the newest schema, once per process; safe while another process does too.

    What is there already is looked through first, and copied beside itself before its schema
    changes. Raises `NewerDatabase` where the file has seen a migration that this version does not
    know, `FolderNotMade`, `inspection.Unusable` and `DatabaseBusy`.
    """
    path = str(database.database)
    with _migrating:
        if path in _migrated:
            return
        _make_folder(path)
        try:
            usage_lock.share(path, BUSY_SECONDS, _make)
        except files.InUse as error:
            raise DatabaseBusy(f"{path} is held by another process") from error
        _examine(path)
        _open()
        runner = Runner(database, str(MIGRATIONS))
        if upgrading.pending(runner):
            _apply(runner)
        _migrated.add(path)


def let_go() -> None:
    """Close this thread's connection, and let others restore the databases of this process."""
    if not database.deferred:
        database.close()
    with contextlib.suppress(DatabaseBusy), turn(patience=0):
        stop_writing()  # unless somebody waits on it still, as at the end of the process
    with _migrating:
        usage_lock.unshare_all()
        _migrated.clear()


def known_migrations() -> set[str]:
    """The names of this version's migrations."""
    return {step.name for step in Runner(database, str(MIGRATIONS)).migrations()}


def _examine(path: str) -> None:
    try:
        inspection.examine(path)
    except sqlite3.Error as error:
        usage_lock.unshare(path)
        raise OperationalError(*error.args) from error
    except BaseException:  # raised again: what cannot be used is not in use
        usage_lock.unshare(path)
        raise


def _make(path: str) -> None:
    new = upgrading.begin(path)
    made = Database(new, pragmas=MAKING)
    try:
        with made, made.atomic("IMMEDIATE"):
            Runner(made, str(MIGRATIONS)).up()
    except BaseException:  # raised again: half a database must not stay
        files.remove(new)
        raise
    files.settle(new, path)


def _make_folder(path: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise FolderNotMade(*error.args, error.filename) from error


def _open() -> None:
    """Connect, which turns a new file to WAL mode.

    To the second of two processes that do so at once SQLite says «locked» without waiting: both
    would wait for the other's read lock to go.
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
        time.sleep(WAL_RETRY_SECONDS)


def _apply(runner: Runner) -> None:
    """All pending steps in one IMMEDIATE transaction, which a second process waits for.

    Foreign keys are off meanwhile, which takes effect only outside a transaction: a step that
    builds a table anew must not cascade (sqlite.org/lang_altertable.html, section 7).
    """
    _set_foreign_keys(0)
    try:
        with transaction():
            if pending := upgrading.pending(runner):
                upgrading.back_up(str(database.database), pending[0])
                runner.up()
    finally:
        _set_foreign_keys(1)


def _set_foreign_keys(value: int) -> None:
    with turn(), writing():
        database.foreign_keys = value
