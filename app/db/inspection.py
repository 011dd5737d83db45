"""Is this file the service's database, and whole? Looked at before it is used."""

import os
import sqlite3
import stat
from contextlib import closing
from urllib.parse import quote

from ..config import MIB
from . import files

# Larger ones are looked through only for a backup: 64 MiB take 0.15 s, from an SD card 2 s.
QUICK_BYTES = 64 * MIB
REMEDY = "restore a backup (flask --app wsgi restore FILE), or move it away to begin anew"


class Unusable(Exception):
    """The file cannot be the service's database; the text says why and what to do."""

    def __init__(self, path: str, why: str, remedy: str = REMEDY) -> None:
        super().__init__(f"the database {path} {why}: {remedy}")


def uri(path: str) -> str:
    """How SQLite is to open the file: never made anew, and also where nothing can be written."""
    return f"file:{quote(path)}?{'immutable=1' if files.is_read_only(path) else 'mode=rw'}"


def examine(path: str, thoroughly: bool = False) -> set[str]:
    """The names of the migrations that the database has seen; raises `Unusable`, `sqlite3.Error`.

    ``thoroughly``: every page of it and every reference, however long that takes.
    """
    _look_at_file(path)
    try:
        with closing(sqlite3.connect(uri(path), uri=True, timeout=5)) as connection:
            _look_through(connection, path, thoroughly)
            return _seen(connection, path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Unusable(path, f"is damaged or no database ({error})") from error
        raise


def _look_at_file(path: str) -> None:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(path, "is not a file", "let NVR_DATABASE_URL name a file")
    if not status.st_size:
        raise Unusable(path, "is empty")


def _look_through(connection: sqlite3.Connection, path: str, thoroughly: bool) -> None:
    if thoroughly or os.path.getsize(path) <= QUICK_BYTES:
        check = "integrity_check(1)" if thoroughly else "quick_check(1)"
        found = connection.execute(f"PRAGMA {check}").fetchone()[0]
        if found != "ok":
            raise Unusable(path, f"is damaged ({found})")
    if thoroughly and connection.execute("PRAGMA foreign_key_check").fetchone():
        raise Unusable(path, "holds rows that refer to nothing")


def _seen(connection: sqlite3.Connection, path: str) -> set[str]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return set()
    if "schema_migration" not in tables:
        raise Unusable(path, "belongs to another program", "let NVR_DATABASE_URL name another")
    return {name for (name,) in connection.execute("SELECT name FROM schema_migration")}
