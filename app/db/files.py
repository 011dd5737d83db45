"""What lies beside the database, and who holds it? Locks by flock(2), and durable file names.

Closing the descriptor of a lock releases it, and so does the end of the process. The database
itself is never opened here: closing a second descriptor of it would drop SQLite's own locks
(sqlite.org/lockingv3.html).
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

POLL_SECONDS = 0.02
# Nothing can be created on a read-only file system or in a folder of another user.
NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


class InUse(Exception):
    """Another process holds the database."""


class UsageLocks:
    """Tells other processes which databases this one uses, so that none is restored meanwhile."""

    def __init__(self) -> None:
        # Path of a database → its locked descriptor, None where nothing can be written beside it.
        self._held: dict[str, int | None] = {}

    def acquire(self, path: str, seconds: float, create: Callable[[str], None]) -> None:
        """Lock the database for use; a missing one is made by ``create`` under an exclusive lock.

        Raises `InUse` where another process creates or restores it for longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while path not in self._held:
            left = max(0.0, deadline - time.monotonic())
            try:
                if os.path.exists(path):
                    self._held[path] = _shared_lock(path, left)
                    return
                with exclusive_lock(path):
                    if not os.path.exists(path):
                        create(path)
            except InUse:
                if not left:
                    raise
                time.sleep(POLL_SECONDS)

    def release(self, path: str) -> None:
        """Say that the database is no longer used."""
        file = self._held.pop(path)
        if file is not None:
            os.close(file)

    def release_all(self) -> None:
        """Say that no database is used any longer."""
        for path in list(self._held):
            self.release(path)


usage_locks = UsageLocks()


def acquire_leader_lock(path: str) -> int | None:
    """A descriptor that makes this process the leader on the database; None if there is one."""
    file = _open(f"{path}.monitor")
    if file is not None and not _lock(file, fcntl.LOCK_EX, 0):
        os.close(file)
        return None
    return file


def leader_lock_is_held(path: str) -> bool:
    """Whether a process leads on the database.

    Creates no file and keeps no lock: a process that wants to lead at just this moment succeeds at
    its next try.
    """
    try:
        file = os.open(f"{path}.monitor", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _lock(file, fcntl.LOCK_SH, 0)
    finally:
        os.close(file)


@contextmanager
def exclusive_lock(path: str) -> Iterator[None]:
    """Keep every other process from using the database; raises `InUse` where one does."""
    file = _open(f"{path}.lock")
    if file is None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    try:
        if not _lock(file, fcntl.LOCK_EX, 0):
            raise InUse
        yield
    finally:
        os.close(file)


def is_read_only(path: str) -> bool:
    """Whether the database exists, nothing can be written beside it, and its log is empty."""
    is_writable = os.access(os.path.dirname(path), os.W_OK)
    return os.path.exists(path) and not is_writable and not os.path.exists(f"{path}-wal")


def create_private(path: str) -> None:
    """Create an empty file that only its owner reads; raises `FileExistsError`."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def rename_durably(new: str, path: str) -> None:
    """Sync the file ``new``, give it the name ``path`` and sync that too.

    Raises `FileExistsError`.
    """
    sync(new)
    try:
        os.link(new, path)
        os.unlink(new)
    except PermissionError:  # of a file system without links, as on a USB stick
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(new, path)
    sync(os.path.dirname(path))


def sync(path: str) -> None:
    """Write a file, or the names in a folder, to the disk."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def remove(path: str) -> None:
    """Remove a database and what SQLite keeps beside it, if it exists."""
    for name in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        with suppress(FileNotFoundError):
            os.unlink(name)


def _shared_lock(path: str, seconds: float) -> int | None:
    file = _open(f"{path}.lock")
    if file is not None and not _lock(file, fcntl.LOCK_SH, seconds):
        os.close(file)
        raise InUse
    return file


def _open(path: str) -> int | None:
    """A descriptor to lock, of a file that is created if missing; None where it cannot be."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            return None
        raise


def _lock(file: int, how: int, seconds: float) -> bool:
    """Whether the lock was acquired within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(POLL_SECONDS)
