"""When does SQLite's log move into the database? At a quiet moment, so that no writer does it.

A commit then costs one fsync. The log is SQLite's WAL (sqlite.org/wal.html, section 4.1).
"""

import os
import time

from . import LOG_SUFFIX, DatabaseBusy, database, turn

INTERVAL_SECONDS = 1.0
# A smaller log is left alone: each page that changes often is moved once instead of often.
LEAST_BYTES = 4 * 1024 * 1024
# A larger one is moved though there is no quiet; a writer waits meanwhile.
MOST_BYTES = 16 * 1024 * 1024
QUIET_SECONDS = 1.0


def checkpoint() -> bool:
    """Move the log if it is due and nobody writes; whether it was moved."""
    try:
        log = os.stat(f"{database.database}{LOG_SUFFIX}")
    except FileNotFoundError:
        return False
    quiet = time.time() - log.st_mtime > QUIET_SECONDS
    due = log.st_size > LEAST_BYTES and (quiet or log.st_size > MOST_BYTES)
    return due and _move()


def _move() -> bool:
    try:
        with turn(patience=0):
            database.execute_sql("PRAGMA wal_checkpoint(PASSIVE)")
    except DatabaseBusy:
        return False
    return True
