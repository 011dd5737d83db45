"""How is the database kept a second time, and brought back?"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing

from .. import clock
from . import files
from .inspection import Unusable, examine, uri

Progress = Callable[[int], None]
# The hundredths of a backup that are its copying; the others are its checking.
COPYING = 40
# SQLite's, from one look at how far it is to the next: a few milliseconds.
INSTRUCTIONS = 100_000


def backup(source: str, target: str, progress: Progress = lambda _: None) -> int:
    """Write a copy of the database ``source``, as it is now, to ``target``; its size in bytes.

    Others may read and write meanwhile. ``target`` is whole, checked and on the disk, or it is not
    there. ``progress`` is told how many more hundredths are done. Raises `FileExistsError`,
    `OSError`, `sqlite3.Error` and `Unusable`.
    """
    if os.path.lexists(target):
        raise FileExistsError(f"{target} exists already")
    partial = f"{target}.partial"
    files.remove(partial)
    try:
        files.make_private(partial)
        _copy(source, partial, progress)
        examine(partial, thoroughly=True)
        progress(100 - COPYING)
        files.settle(partial, target)
    except BaseException:  # raised again: half a backup must not stay
        files.remove(partial)
        raise
    return os.path.getsize(target)


def restore(
    source: str, path: str, known: set[str], progress: Progress = lambda _: None
) -> str | None:
    """Put the backup ``source`` in the place of the database ``path``; where the old one is now.

    ``known``: the migrations of this version. ``progress`` as with `backup`. Raises
    `files.InUse` while any process uses the database, `Unusable` where the backup
    cannot be used, and what `backup` raises.
    """
    if not examine(source, thoroughly=True):
        raise Unusable(source, "is empty", "give a backup")
    if newer := examine(source) - known:
        raise Unusable(
            source, f"is of a newer version (it has seen {', '.join(newer)})", "install that one"
        )
    fresh = f"{path}.new"
    with files.alone(path):
        files.remove(fresh)
        backup(source, fresh, progress)
        _own(fresh, path)
        kept = _set_aside(path)
        files.settle(fresh, path)
    return kept


def _copy(source: str, target: str, progress: Progress) -> None:
    """By what stands in ``target`` already one sees how far it is."""
    size, done = max(1, os.path.getsize(source)), 0

    def look() -> None:
        nonlocal done
        now = min(COPYING, COPYING * os.path.getsize(target) // size)
        progress(now - done)
        done = now

    with closing(sqlite3.connect(uri(source), uri=True, timeout=5)) as connection:
        connection.set_progress_handler(look, INSTRUCTIONS)
        connection.execute("VACUUM INTO ?", [target])
    progress(COPYING - done)


def _own(fresh: str, path: str) -> None:
    """The service's user keeps its database, and may lock it, though root restores it."""
    like = os.stat(path if os.path.exists(path) else os.path.dirname(path))
    for name in (fresh, f"{path}.lock"):
        if os.stat(name).st_uid != like.st_uid:
            os.chown(name, like.st_uid, like.st_gid)


def _set_aside(path: str) -> str | None:
    """Move the database and what SQLite keeps beside it; where to, or None if there is none.

    Its log goes into it first where that can be; a damaged one keeps it under its own name.
    """
    moment = clock.rfc3339(clock.now()).translate(str.maketrans("", "", "-:."))
    kept = f"{path}.replaced-{moment}"
    was_there = os.path.exists(path)
    if was_there:
        _empty_log(path)
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.rename(path + suffix, kept + suffix)
    files.sync(os.path.dirname(path))
    return kept if was_there else None


def _empty_log(path: str) -> None:
    try:
        with closing(sqlite3.connect(uri(path), uri=True, timeout=5)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return  # it is damaged: its log is moved beside it
