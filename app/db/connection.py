"""Where is the data kept? One SQLite file in WAL mode, one long-lived connection per thread."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from peewee import OperationalError, SqliteDatabase

from . import inspection

BUSY_SECONDS = 5
# So long a wait for a turn is not worth a change of SQLite's own.
UNNOTICED_SECONDS = 0.05
LOG_SUFFIX = "-wal"
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
        connection = sqlite3.connect(
            place,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            # Of `writing` only, which has one thread at a time use it.
            check_same_thread=False,
        )
        try:
            self._add_conn_hooks(connection)  # type: ignore[attr-defined]
        except BaseException:  # raised again: the connection must not leak
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
# The connection that all of them write on, and the file that it is open on. Another one's pages
# would be read anew after each write: 14 reads, and a tenth of the time of a PATCH.
_written: tuple[str, sqlite3.Connection] | None = None


class DatabaseBusy(Exception):
    """Another writer held the database for longer than `BUSY_SECONDS`."""


def init_app(app: Flask) -> None:
    """Point the data layer at the configured file; nothing is opened before the first query."""
    database.init(app.config["NVR_DATABASE_URL"], pragmas=PRAGMAS)


@contextmanager
def writing() -> Iterator[None]:
    """What this thread asks of the database goes to the connection that all writers share.

    Only in one's turn to write.
    """
    global _written
    state, path = database._state, str(database.database)  # type: ignore[attr-defined]
    own, is_closed = state.conn, state.closed
    if _written is None or _written[0] != path:
        stop_writing()
        state.closed = True
    try:
        if _written is None:
            database.connect()
            _written = path, state.conn
        state.conn, state.closed = _written[1], False
        yield
    finally:
        state.conn, state.closed = own, is_closed


def stop_writing() -> None:
    """Close the connection that writers share; nobody writes any more, or not to this file."""
    global _written
    if _written is not None:
        _written[1].close()
        _written = None


@contextmanager
def hurrying(deadline: float) -> Iterator[None]:
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


def is_busy(error: OperationalError) -> bool:
    """Whether another process held the database for longer than SQLite waits."""
    return int(getattr(error.__context__, "sqlite_errorcode", 0)) & 0xFF == sqlite3.SQLITE_BUSY
