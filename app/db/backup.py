"""How is the database backed up, checked and restored?"""

import os
import secrets
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing

from .. import clock
from ..config import MIB
from ..layout import COMMAND
from . import files
from .connection import BUSY_SECONDS, LOG_SUFFIX, uri

Progress = Callable[[int], None]
# Share of copying in the progress of a backup, in percent; the rest is checking.
COPY_HUNDREDTHS = 40
# SQLite's instructions between two reports of progress: a few milliseconds.
PROGRESS_INSTRUCTIONS = 100_000
# The number by which a database is told from older copies of it, as `models.RetentionFact` has it.
CHANGE_NUMBER = "INSERT OR REPLACE INTO retention_fact VALUES ('number', ?, '')"
# Larger files are read through only for a backup: 64 MiB take 0.15 s, from an SD card 2 s.
QUICK_CHECK_BYTES = 64 * MIB
REMEDY = f"restore a backup ({COMMAND} restore FILE), or move it away to begin anew"


class InvalidDatabaseFile(Exception):
    """The file cannot be the service's database; the text says why and what to do."""

    def __init__(self, path: str, why: str, remedy: str = REMEDY) -> None:
        super().__init__(f"the database {path} {why}: {remedy}")


def backup(source: str, target: str, progress: Progress = lambda _: None) -> int:
    """Copy the database ``source``, as it is now, to ``target``; return the size in bytes.

    Others may read and write meanwhile. ``target`` is complete, checked and on the disk, or it
    does not exist. ``progress`` gets the hundredths done since its last call. Raises
    `FileExistsError`, `OSError`, `sqlite3.Error` and `InvalidDatabaseFile`.
    """
    if os.path.lexists(target):
        raise FileExistsError(f"{target} exists already")
    with files.new_file(target) as partial:
        _copy(source, partial, progress)
        _change_number(partial)
        examine(partial, thoroughly=True)
        progress(100 - COPY_HUNDREDTHS)
    return os.path.getsize(target)


def restore(
    source: str, path: str, known: set[str], progress: Progress = lambda _: None
) -> str | None:
    """Replace the database ``path`` by the backup ``source``; return the old one's path, if any.

    ``known``: the migrations of this version. Raises `files.InUse` while any process uses the
    database, `InvalidDatabaseFile` where the backup cannot be used, and what `backup` raises.
    """
    seen = examine(source, thoroughly=True)
    if not seen:
        raise InvalidDatabaseFile(source, "is empty", "give a backup")
    if newer := seen - known:
        raise InvalidDatabaseFile(
            source, f"is of a newer version (it has seen {', '.join(newer)})", "install that one"
        )
    fresh = f"{path}.new"
    with files.exclusive_lock(path):
        files.remove(fresh)
        backup(source, fresh, progress)
        _copy_owner(fresh, path)
        # Backups from before migration 0010 have no number that identifies them.
        files.replace_text(f"{path}{files.NUMBER_SUFFIX}", secrets.token_hex(16), like=fresh)
        kept = _set_aside(path)
        files.rename_durably(fresh, path)
    return kept


def examine(path: str, thoroughly: bool = False) -> set[str]:
    """Check the file and return the names of the migrations that were applied to it.

    ``thoroughly`` checks every page and every reference, however long that takes. Raises
    `InvalidDatabaseFile` and `sqlite3.Error`.
    """
    _check_file(path)
    try:
        with closing(_connect(path)) as connection:
            _check_content(connection, path, thoroughly)
            return _seen_migrations(connection, path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise InvalidDatabaseFile(path, f"is damaged or no database ({error})") from error
        raise


def damage(path: str) -> str | None:
    """What SQLite finds wrong in the database's pages; None where it is sound."""
    try:
        with closing(_connect(path)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else found


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(uri(path), uri=True, timeout=BUSY_SECONDS)


def _check_file(path: str) -> None:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidDatabaseFile(path, "is not a file", "let NVR_DATABASE_URL name a file")
    if not status.st_size:
        raise InvalidDatabaseFile(path, "is empty")


def _check_content(connection: sqlite3.Connection, path: str, thoroughly: bool) -> None:
    if thoroughly or os.path.getsize(path) <= QUICK_CHECK_BYTES:
        check = "integrity_check(1)" if thoroughly else "quick_check(1)"
        found = connection.execute(f"PRAGMA {check}").fetchone()[0]
        if found != "ok":
            raise InvalidDatabaseFile(path, f"is damaged ({found})")
    if thoroughly and connection.execute("PRAGMA foreign_key_check").fetchone():
        raise InvalidDatabaseFile(path, "holds rows that refer to nothing")


def _seen_migrations(connection: sqlite3.Connection, path: str) -> set[str]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return set()
    if "schema_migration" not in tables:
        remedy = "let NVR_DATABASE_URL name another"
        raise InvalidDatabaseFile(path, "belongs to another program", remedy)
    return {name for (name,) in connection.execute("SELECT name FROM schema_migration")}


def _copy(source: str, target: str, progress: Progress) -> None:
    """Copy the database; the progress is the size of ``target`` so far."""
    size, done = max(1, os.path.getsize(source)), 0

    def report() -> None:
        nonlocal done
        now = min(COPY_HUNDREDTHS, COPY_HUNDREDTHS * os.path.getsize(target) // size)
        progress(now - done)
        done = now

    with closing(_connect(source)) as connection:
        connection.set_progress_handler(report, PROGRESS_INSTRUCTIONS)
        connection.execute("VACUUM INTO ?", [target])
    progress(COPY_HUNDREDTHS - done)


def _change_number(path: str) -> None:
    """Give a copy of the database another number, so that a restore is noticed."""
    with closing(_connect(path)) as connection, connection:
        if connection.execute("PRAGMA table_info(retention_fact)").fetchone():
            connection.execute(CHANGE_NUMBER, [f'"{secrets.token_hex(16)}"'])


def _copy_owner(fresh: str, path: str) -> None:
    """Give the new files to the owner of the old database, even where root restores it."""
    like = os.stat(path if os.path.exists(path) else os.path.dirname(path))
    for name in (fresh, f"{path}.lock"):
        if os.stat(name).st_uid != like.st_uid:
            os.chown(name, like.st_uid, like.st_gid)


def _set_aside(path: str) -> str | None:
    """Rename the database and SQLite's files beside it; return its new path, if there was one.

    Its log is copied into it first; a damaged database keeps the log under its own new name.
    """
    moment = clock.rfc3339(clock.now()).translate(str.maketrans("", "", "-:."))
    kept = f"{path}.replaced-{moment}"
    was_there = os.path.exists(path)
    if was_there:
        _empty_log(path)
    for suffix in ("", LOG_SUFFIX, "-shm"):
        if os.path.exists(path + suffix):
            os.rename(path + suffix, kept + suffix)
    files.sync(os.path.dirname(path))
    return kept if was_there else None


def _empty_log(path: str) -> None:
    try:
        with closing(_connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return  # it is damaged: its log is renamed with it
