"""How is the database opened? One SQLite file in WAL mode, through a pool of connections.

A thread gets a connection with its first query and gives it back by `database.close()`; Flask
does so when a request's or a command's app context ends.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import quote

from flask import Flask
from playhouse.pool import PooledSqliteDatabase

from ..config import BadSetting
from ..storage import filesystems
from . import files

BUSY_SECONDS = 5.0
LOG_SUFFIX = "-wal"
PRAGMAS = (
    ("journal_mode", "wal"),
    # FULL: a commit that was acknowledged survives a power cut (sqlite.org/pragma.html).
    ("synchronous", "full"),
    # Off by default on every new connection; without it no deletion cascades.
    ("foreign_keys", 1),
    # In pages. `checkpoint` normally comes first; this is for a process that never stops writing.
    ("wal_autocheckpoint", 8192),
    # In bytes: a log is truncated once it is copied, so that its size says what it holds.
    ("journal_size_limit", 0),
)
# Primary result codes (sqlite.org/rescode.html).
FAILURES = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
}
REMOTE = (
    "the database {} lies on {} (mounted at {}), which is not known to be a local disk; there it "
    "can be destroyed. Move it to a local disk and name that file in NVR_DATABASE_URL, or set "
    "NVR_DATABASE_ANYWHERE=1 if you know better."
)
# The driver's exceptions, which occur where peewee is not used, as in `backup`.
DriverError = sqlite3.Error
# A smaller log is not copied, so that a page that changes often is copied once.
CHECKPOINT_BYTES = 4 * 1024 * 1024
# A larger log is copied without waiting for a quiet moment.
LARGE_LOG_BYTES = 16 * 1024 * 1024
QUIET_SECONDS = 1.0


class DatabaseBusy(Exception):
    """Another writer held the database for longer than `BUSY_SECONDS`."""


class Database(PooledSqliteDatabase):  # type: ignore[misc] # has no types
    """A pool of connections to the file ``path``, which must exist.

    ``is_migrated``: whether this process has brought the file to the newest schema.
    """

    path = ""
    is_migrated = False

    def init(self, path: str | None, **options: Any) -> None:
        """Name the file; nothing is opened before the first query."""
        self.path = path or ""
        super().init(
            uri(path) if path else None,
            uri=True,
            # A pooled connection serves one thread after the other, never two at once.
            check_same_thread=False,
            timeout=BUSY_SECONDS,
            **options,
        )

    def rollback(self) -> None:
        """Undo the transaction, unless SQLite has done so already.

        It does so on a full disk or a read error, and the error of a second rollback would hide
        the reason (sqlite.org/lang_transaction.html, section 3).
        """
        if self.connection().in_transaction:
            super().rollback()


database = Database(None, max_connections=None)


def init_app(app: Flask) -> None:
    """Name the configured file, and return each app context's connection to the pool.

    Raises `BadSetting` where SQLite's locks and its WAL cannot be relied on (sqlite.org/wal.html).
    """
    path = app.config["NVR_DATABASE_URL"]
    mount = filesystems.mount_of(path)
    if not mount.is_local and app.config["NVR_DATABASE_ANYWHERE"] != "1":
        raise BadSetting(REMOTE.format(path, mount.kind, mount.point))
    database.init(path, pragmas=PRAGMAS)
    app.teardown_appcontext(_return_connection)


def uri(path: str) -> str:
    """The file as SQLite is to open it: never created, and also where nothing can be written."""
    return f"file:{quote(path)}?{'immutable=1' if files.is_read_only(path) else 'mode=rw'}"


def failure_of(error: BaseException | None) -> str:
    """Why the database failed: ``busy``, ``full``, ``read_only``, or else ``unavailable``.

    By the first of the chained exceptions that SQLite gave a result code.
    """
    while error is not None:
        result = getattr(error, "sqlite_errorcode", None)
        if result is not None:
            return FAILURES.get(result & 0xFF, "unavailable")
        error = error.__cause__ or error.__context__
    return "unavailable"


@contextmanager
def watched_version() -> Iterator[Callable[[], int]]:
    """A function that returns the same number while nobody commits a change to the database.

    It has a connection of its own, because only its numbers can be compared
    (sqlite.org/pragma.html#pragma_data_version). One thread at a time may call it.
    """
    watching = sqlite3.connect(uri(database.path), uri=True, check_same_thread=False)
    with closing(watching):
        yield lambda: int(watching.execute("PRAGMA data_version").fetchone()[0])


def is_busy(error: BaseException) -> bool:
    """Whether another process held the database for longer than SQLite waits."""
    return failure_of(error) == "busy"


def checkpoint() -> bool:
    """Copy the log into the database if that is due; return whether it was.

    The log is SQLite's WAL (sqlite.org/wal.html, section 4.1). It is due when it is large, or when
    nobody has written for a second: so no commit has to do the copying, and each costs one fsync.
    """
    try:
        log = os.stat(f"{database.path}{LOG_SUFFIX}")
    except FileNotFoundError:
        return False
    # If the clock was set back, the log's time lies in the future.
    quiet = abs(time.time() - log.st_mtime) > QUIET_SECONDS
    due = log.st_size > CHECKPOINT_BYTES and (quiet or log.st_size > LARGE_LOG_BYTES)
    if due:
        database.execute_sql("PRAGMA wal_checkpoint(PASSIVE)")
    return due


def _return_connection(_: BaseException | None) -> None:
    if not database.deferred and not database.in_transaction():
        database.close()
