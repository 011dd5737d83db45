"""How is the data written? By one thread, which commits together all changes that wait.

A commit costs more than the change of a row, because it waits for the disk. Changes that arrive
during one commit make the next transaction. Transactions begin IMMEDIATE, because a deferred one
that has read cannot become a writer once another process has written (SQLITE_BUSY_SNAPSHOT,
sqlite.org/isolation.html).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

from peewee import DatabaseError

from .connection import BUSY_SECONDS, DatabaseBusy, checkpoint, database, is_busy

T = TypeVar("T")
# A function that returns a change, or None where there is nothing to write.
Companion = Callable[[], Callable[[], object] | None]

log = logging.getLogger(__name__)

# How long SQLite waits for another process's lock before the thread drops changes that timed out.
LOCK_MILLISECONDS = 500
# How often the thread checks whether a checkpoint is due, and at most calls the companion.
CHECKPOINT_SECONDS = 1.0
COMPANION_SECONDS = 1.0
# How long `close` waits for the change that the thread is running.
STOP_SECONDS = 1.0


class Write(Generic[T]):
    """One change that waits or runs, and the future that its caller waits for."""

    def __init__(self, change: Callable[[], T], alone: bool) -> None:
        self.change = change
        self.alone = alone
        self.future: Future[T] = Future()
        self.is_abandoned = False
        # What is called once the change is committed.
        self.after_commit: list[Callable[[], object]] = []
        self._result: T | None = None
        self._error: BaseException | None = None

    def wait(self, patience: float) -> T:
        """The value of the change, once it is on the disk; raises what `Writer.run` raises."""
        try:
            return self.future.result(patience)
        except TimeoutError:
            if self.future.cancel():
                raise DatabaseBusy from None
        return self.future.result()

    def run(self) -> None:
        """Run the change; an exception is kept for the caller and raised again."""
        try:
            self._result = self.change()
            if self.is_abandoned:
                raise CancelledError
        except BaseException as error:  # raised again
            self._error = error
            raise

    def run_in_savepoint(self) -> None:
        """Run the change; if it fails, undo only this change.

        Raises only where SQLite has undone the whole transaction, as on a full disk.
        """
        try:
            with database.savepoint():
                self.run()
        except BaseException as error:  # kept for the caller, whatever it is
            self._error = self._error or error
            if not database.connection().in_transaction:
                raise self._error from None

    def answer(self, lost: BaseException | None = None) -> None:
        """Give the caller the result; ``lost`` is why the whole transaction failed, if it did."""
        error = self._error or lost
        if error is None:
            self.future.set_result(self._result)  # type: ignore[arg-type]
        else:
            self.future.set_exception(error)

    def call_back(self) -> None:
        """Call what waits for the commit, unless the change was undone."""
        if self._error is None:
            for callback in self.after_commit:
                callback()


class Writer:
    """The thread that owns the connection that writes; the first change starts it."""

    def __init__(self) -> None:
        self._waiting: deque[Write[Any]] = deque()
        self._changed = threading.Condition()
        # The current thread; an earlier one that still runs is to end.
        self._thread: threading.Thread | None = None
        self._checkpoint_at = 0.0
        self._companion: Companion = lambda: None
        self._companion_at = 0.0
        self._running: Write[Any] | None = None

    def run(
        self, change: Callable[[], T], *, alone: bool = False, patience: float | None = None
    ) -> T:
        """Run ``change`` in a transaction and return its value once it is on the disk.

        If it raises an exception, it is undone and the exception is raised here. ``alone`` gives a
        long change a transaction of its own. Raises `DatabaseBusy` where it could not begin within
        ``patience`` seconds (`BUSY_SECONDS`); a change that has begun is waited for.
        """
        write = Write(change, alone)
        try:
            self._add(write)
            return write.wait(BUSY_SECONDS if patience is None else patience)
        except KeyboardInterrupt:  # of a command: what it began must not be kept
            write.is_abandoned = True
            write.future.cancel()
            raise

    def set_companion(self, companion: Companion) -> None:
        """Set the function that returns a change to add to the transaction of other changes.

        It is called at most once in `COMPANION_SECONDS`, and only where something is written.
        """
        self._companion, self._companion_at = companion, 0.0

    def after_commit(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` in the writer thread once the running change is committed and its
        caller has the result; not at all if it is undone. It must neither wait nor raise.
        """
        if self._thread is not threading.current_thread() or self._running is None:
            raise RuntimeError("after_commit must be called inside a change")
        self._running.after_commit.append(callback)

    def close(self) -> bool:
        """End the thread after its current change; return whether it ended in time.

        The next change starts another thread.
        """
        with self._changed:
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is None:
            return True
        thread.join(STOP_SECONDS)
        return not thread.is_alive()

    def _add(self, write: Write[Any]) -> None:
        with self._changed:
            if self._thread is threading.current_thread():
                raise RuntimeError("a change must not call writer.run: call that change itself")
            self._waiting.append(write)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _work(self) -> None:
        try:
            while self._wait():
                self._commit_waiting()
                self._checkpoint()
        finally:
            database.manual_close()

    def _wait(self) -> bool:
        """Wait a while for a change; False when the thread is to end."""
        with self._changed:
            if self._thread is threading.current_thread() and not self._waiting:
                self._changed.wait(CHECKPOINT_SECONDS)
            return self._thread is threading.current_thread()

    def _commit_waiting(self) -> None:
        """Run the changes that wait in one transaction, then answer their callers."""
        if not self._waiting:
            return
        writes: list[Write[Any]] = []
        try:
            if database.connect(reuse_if_open=True):
                database.execute_sql(f"PRAGMA busy_timeout = {LOCK_MILLISECONDS}")
            with database.atomic("IMMEDIATE"):
                writes = self._take()
                self._run(writes)
        except BaseException as error:  # whatever it is, the callers get it
            if writes or not is_busy(error):
                for write in writes or self._take():
                    write.answer(error)
            return
        finally:
            self._running = None
        for write in writes:
            write.answer()
        for write in writes:
            write.call_back()

    def _run(self, writes: list[Write[Any]]) -> None:
        changes = database.connection().total_changes
        for write in writes:
            self._running = write
            write.run() if len(writes) == 1 else write.run_in_savepoint()
        if database.connection().total_changes > changes:
            self._write_companion()

    def _write_companion(self) -> None:
        if time.monotonic() < self._companion_at:
            return
        self._companion_at = time.monotonic() + COMPANION_SECONDS
        if change := self._companion():
            Write(change, False).run_in_savepoint()

    def _take(self) -> list[Write[Any]]:
        """Take the waiting changes up to the first one that runs alone; they can be cancelled no
        more.
        """
        taken: list[Write[Any]] = []
        with self._changed:
            while self._waiting and not (taken and (taken[0].alone or self._waiting[0].alone)):
                write = self._waiting.popleft()
                if write.future.set_running_or_notify_cancel():
                    taken.append(write)
        return taken

    def _checkpoint(self) -> None:
        """Let SQLite copy its log if that is due, while no change waits."""
        if time.monotonic() < self._checkpoint_at or database.is_closed():
            return
        self._checkpoint_at = time.monotonic() + CHECKPOINT_SECONDS
        try:
            checkpoint()
        except DatabaseError:
            log.exception("the checkpoint failed; the next one is in %s s", CHECKPOINT_SECONDS)


_writer = Writer()
run = _writer.run
close = _writer.close
set_companion = _writer.set_companion
after_commit = _writer.after_commit
