"""Where is the data kept, and how is it written?

One SQLite file in WAL mode, one long-lived connection per thread. Every write goes through
`transaction`: a deferred transaction that has read cannot become a writer once another one has
written (SQLITE_BUSY_SNAPSHOT), so writers begin IMMEDIATE.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from peewee import OperationalError, SqliteDatabase
from playhouse.migrations import Runner

from app.config import PROJECT
from app.db import inspection, sharing, upgrading
from app.db.upgrading import NewerDatabase as NewerDatabase
from app.disk import files

BUSY_SECONDS = 5
# So long a wait for a turn is not worth a change of SQLite's own.
UNNOTICED_SECONDS = 0.05
LOG_SUFFIX = "-wal"
WAL_RETRY_SECONDS = 0.01
MIGRATIONS = PROJECT / "migrations"
PRAGMAS = (
    ("journal_mode", "wal"),
    # FULL: a commit that was acknowledged survives a power cut (sqlite.org/pragma.html).
    ("synchronous", "full"),
    # Off by default, on every connection anew; without it nothing cascades.
    ("foreign_keys", 1),
    # In pages. `checkpoint` is there before; this is for a server that does not run it.
    ("wal_autocheckpoint", 8192),
    # In bytes: once it is in the database the log is cut, so that its size says what it holds.
    ("journal_size_limit", 0),
)


class Database(SqliteDatabase):
    """peewee's, which makes no file, and for a transaction that SQLite itself may end."""

    def _connect(self) -> sqlite3.Connection:
        """A connection to a file that is there.

        peewee would make an empty one in the place of a database that is gone.
        """
        place = inspection.uri(str(self.database))
        connection = sqlite3.connect(place, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            self._add_conn_hooks(connection)  # type: ignore[attr-defined]
        except BaseException:
            connection.close()
            raise
        return connection

    def rollback(self) -> None:
        """Undo what is left to undo.

        On a full disk or a read error SQLite has rolled back already, and the complaint about a
        second time would hide why (sqlite.org/lang_transaction.html, section 3).
        """
        if self.connection().in_transaction:  # type: ignore[no-untyped-call]
            super().rollback()


database: SqliteDatabase = Database(None)
# SQLite's busy handler is not fair and before 3.51.3 two connections that write or checkpoint at
# once can meet the WAL-reset bug: writers of this process queue here instead.
_writers = threading.Lock()
_migrating = threading.Lock()
_migrated: set[str] = set()


class DatabaseBusy(Exception):
    """Another writer held the database for longer than `BUSY_SECONDS`."""


class FolderNotMade(OSError):
    """The database's folder is not there and cannot be made."""


def init_app(app: Flask) -> None:
    """Point the data layer at the configured file; nothing is opened before the first query."""
    database.init(app.config["NVR_DATABASE_URL"], pragmas=PRAGMAS)


@contextmanager
def transaction(patience: float | None = None) -> Iterator[None]:
    """All or nothing for the writes inside it. Not nested.

    Raises `DatabaseBusy` after ``patience`` (else `BUSY_SECONDS`), for whomever it waited.
    """
    deadline = time.monotonic() + (BUSY_SECONDS if patience is None else patience)
    with turn(patience), _hurrying(deadline):
        try:
            with database.atomic("IMMEDIATE"):
                yield
        except OperationalError as error:
            if _is_busy(error):
                raise DatabaseBusy from error
            raise


@contextmanager
def turn(patience: float | None = None) -> Iterator[None]:
    """No other thread of this process writes meanwhile; raises `DatabaseBusy`."""
    if not _writers.acquire(timeout=BUSY_SECONDS if patience is None else patience):
        raise DatabaseBusy
    try:
        yield
    finally:
        _writers.release()


@contextmanager
def _hurrying(deadline: float) -> Iterator[None]:
    """SQLite waits for another process no longer than until ``deadline``."""
    left = deadline - time.monotonic()
    if left > BUSY_SECONDS - UNNOTICED_SECONDS:
        yield
        return
    database.execute_sql(f"PRAGMA busy_timeout = {max(0, int(left * 1000))}")
    try:
        yield
    finally:
        database.execute_sql(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


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
            sharing.share(path, BUSY_SECONDS, _make)
        except files.InUse as error:
            raise DatabaseBusy(f"{path} is held by another process") from error
        _examine(path)
        _open()
        runner = Runner(database, str(MIGRATIONS))
        if upgrading.pending(runner):
            _apply(runner)
        _migrated.add(path)


def take_lead() -> int | None:
    """A descriptor that makes this process the one that leads on this database, or None."""
    return files.take_lead(str(database.database))


def is_led() -> bool:
    """Whether a process leads on this database."""
    return files.is_led(str(database.database))


def let_go() -> None:
    """Close this thread's connection, and let others restore the databases of this process."""
    if not database.deferred:
        database.close()
    with _migrating:
        sharing.unshare_all()
        _migrated.clear()


def known_migrations() -> set[str]:
    """The names of this version's migrations."""
    return {step.name for step in Runner(database, str(MIGRATIONS)).migrations()}


def _examine(path: str) -> None:
    try:
        inspection.examine(path)
    except sqlite3.Error as error:
        sharing.unshare(path)
        raise OperationalError(*error.args) from error
    except BaseException:
        sharing.unshare(path)
        raise


def _make(path: str) -> None:
    new = upgrading.begin(path)
    made = Database(new, pragmas=PRAGMAS)
    try:
        with made, made.atomic("IMMEDIATE"):
            Runner(made, str(MIGRATIONS)).up()
    except BaseException:
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
            if not _is_busy(error):
                raise
            if time.monotonic() > deadline:
                raise DatabaseBusy from error
        time.sleep(WAL_RETRY_SECONDS)


def _is_busy(error: OperationalError) -> bool:
    return int(getattr(error.__context__, "sqlite_errorcode", 0)) & 0xFF == sqlite3.SQLITE_BUSY


def _apply(runner: Runner) -> None:
    """All pending steps in one IMMEDIATE transaction, which a second process waits for.

    Foreign keys are off meanwhile, which takes effect only outside a transaction: a step that
    builds a table anew must not cascade (sqlite.org/lang_altertable.html, section 7).
    """
    database.foreign_keys = 0
    try:
        with transaction():
            if pending := upgrading.pending(runner):
                upgrading.back_up(str(database.database), pending[0])
                runner.up()
    finally:
        database.foreign_keys = 1
