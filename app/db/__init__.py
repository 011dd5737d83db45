"""Where is the data kept, and how is it written? See `connection` and `writer`."""

import atexit

from flask import Flask

from . import connection, files, migrations, writer
from .backup import InvalidDatabaseFile
from .connection import DatabaseBusy, DriverError, database, failure_of, watched_version
from .migrations import FolderNotMade, NewerDatabase, known_migrations, migrate


def init_app(app: Flask) -> None:
    """Point the data layer at the configured file; the end of the process closes it."""
    close_all()
    connection.init_app(app)
    atexit.unregister(close_all)
    atexit.register(close_all)


def close_all(are_threads_over: bool = True) -> None:
    """End the writer thread, close every connection, and let other processes restore the file.

    Does not wait for a writer whose change takes long or waits for another process.
    ``are_threads_over``: whether no thread uses a connection any more; where one does, that stays
    open until the process ends.
    """
    if database.deferred:
        return
    if not are_threads_over:
        atexit.unregister(close_all)
    if writer.close() and are_threads_over:
        database.close_all()
    else:
        database.close()
        database.close_idle()
    migrations.forget()


def acquire_leader_lock() -> int | None:
    """A descriptor that makes this process the leader on this database; None if there is one."""
    return files.acquire_lock(f"{database.path}.monitor")


def acquire_pruning_lock() -> int | None:
    """A descriptor while which nobody else deletes pictures; None if somebody does."""
    return files.acquire_lock(f"{database.path}.prune")


def mark_followed(is_followed: bool) -> bool:
    """Note whether this process follows the folders; return whether that was noted before."""
    return files.mark_followed(database.path, is_followed)


def leader_lock_is_held() -> bool:
    """Whether a process leads on this database."""
    return files.leader_lock_is_held(database.path)
