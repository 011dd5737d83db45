"""How is the data written? One change after the other, in transactions that begin IMMEDIATE.

A deferred transaction that has read cannot become a writer once another one has written
(SQLITE_BUSY_SNAPSHOT, sqlite.org/isolation.html).
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from peewee import DatabaseError, OperationalError

from .connection import BUSY_SECONDS, DatabaseBusy, database, hurrying, is_busy, writing
from .group_commit import PATIENCE_SECONDS, Group, coming

# SQLite's busy handler is not fair and before 3.51.3 two connections that write or checkpoint at
# once can meet the WAL-reset bug: writers of this process queue here instead.
_writers = threading.Lock()
# Those whose changes are in the transaction that is open; looked at only in one's turn.
_group: Group | None = None


@contextmanager
def transaction(patience: float | None = None, *, joins: bool = False) -> Iterator[None]:
    """All or nothing for the writes inside it. Not nested.

    With ``joins``, for what is soon done, others' may be committed with them.
    Raises `DatabaseBusy` after ``patience`` (else `BUSY_SECONDS`), for whomever it waited.
    """
    try:
        with _member(patience) if joins else _single(patience):
            yield
    except OperationalError as error:
        if is_busy(error):
            raise DatabaseBusy from error
        raise


@contextmanager
def _single(patience: float | None) -> Iterator[None]:
    deadline = time.monotonic() + (BUSY_SECONDS if patience is None else patience)
    with turn(patience), writing(), hurrying(deadline), database.atomic("IMMEDIATE"):
        yield


@contextmanager
def _member(patience: float | None) -> Iterator[None]:
    """In the transaction that another one has begun, or in a new one; the last one commits."""
    deadline = time.monotonic() + (BUSY_SECONDS if patience is None else patience)
    with _waited(patience), writing(), hurrying(deadline):
        group = _begun()
        try:
            with _undoable() if group.members else contextlib.nullcontext():
                yield
        except BaseException as error:  # raised again: the others' changes must not hang on it
            if not (group.members and database.connection().in_transaction):
                _end(error)
            raise
        group.members += 1
        if group.members >= coming.count:
            _end()
    while not group.wait():
        # Whoever has a turn ends the group first; who has none soon looks whether somebody did.
        with contextlib.suppress(DatabaseBusy), turn(PATIENCE_SECONDS):
            pass


def _begun() -> Group:
    global _group
    if _group is None:
        database.begin("IMMEDIATE")
        _group = Group()
    return _group


@contextmanager
def _undoable() -> Iterator[None]:
    """What is done inside is undone where it fails, and nothing else.

    peewee's own hides why, where SQLite has rolled back all of it (see `Database.rollback`).
    """
    database.execute_sql("SAVEPOINT member")
    try:
        yield
    except BaseException:  # raised again
        if database.connection().in_transaction:
            database.execute_sql("ROLLBACK TO member")
            database.execute_sql("RELEASE member")
        raise
    database.execute_sql("RELEASE member")


def _end(error: BaseException | None = None) -> None:
    """Commit for all in the group, or undo it all for an ``error``."""
    global _group
    group, _group = _group, None
    if group is None:
        return
    try:
        if error is None:
            database.commit()
    except BaseException as failure:  # raised again: nobody in the group must believe it is kept
        error = failure
        raise
    finally:
        group.end(error)
        if error is not None:
            database.rollback()


@contextmanager
def turn(patience: float | None = None) -> Iterator[None]:
    """No other thread of this process writes meanwhile; raises `DatabaseBusy`."""
    with _waited(patience):
        if _group is not None:
            # Those in it are told why it failed; whoever has this turn has nothing to do with it.
            with contextlib.suppress(DatabaseError), writing():
                _end()
        yield


@contextmanager
def _waited(patience: float | None) -> Iterator[None]:
    if not _writers.acquire(timeout=BUSY_SECONDS if patience is None else patience):
        raise DatabaseBusy
    try:
        yield
    finally:
        _writers.release()
