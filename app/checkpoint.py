"""When does SQLite's log move into the database? At a quiet moment, so that no writer does it.

A commit then costs one fsync. The log is SQLite's WAL (sqlite.org/wal.html, section 4.1).
"""

import os
import time

from app.db import LOG_SUFFIX, database, turn

INTERVAL_SECONDS = 1.0
# A smaller log is left alone: each page that changes often is moved once instead of often.
LEAST_BYTES = 4 * 1024 * 1024
# A larger one is moved though there is no quiet.
MOST_BYTES = 48 * 1024 * 1024
QUIET_SECONDS = 1.0


def checkpoint() -> bool:
    """Move the log if it is due; whether it was."""
    try:
        log = os.stat(f"{database.database}{LOG_SUFFIX}")
    except FileNotFoundError:
        return False
    quiet = time.time() - log.st_mtime > QUIET_SECONDS
    due = log.st_size > LEAST_BYTES and (quiet or log.st_size > MOST_BYTES)
    if due:
        with turn():
            database.execute_sql("PRAGMA wal_checkpoint(PASSIVE)")
    return due
