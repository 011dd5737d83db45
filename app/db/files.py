"""What lies beside the database, and who holds it? Locks by flock(2), and names that are synced.

A lock goes back by closing its descriptor, also by dying. Never is the database itself opened
here: to close a second descriptor of it would drop SQLite's own locks (sqlite.org/lockingv3.html).
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

POLL_SECONDS = 0.02
# Of a file system that only reads, or a folder of somebody else's: nothing can be made there.
NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


class InUse(Exception):
    """Another process holds the database."""


def take_lead(path: str) -> int | None:
    """A descriptor that makes this process the one that leads on the database, or None."""
    file = _open(f"{path}.monitor")
    if file is not None and not _lock(file, fcntl.LOCK_EX, 0):
        os.close(file)
        return None
    return file


def is_led(path: str) -> bool:
    """Whether a process leads on the database. Makes no file and keeps no lock: who wants to
    lead at just this moment succeeds at the next try.
    """
    try:
        file = os.open(f"{path}.monitor", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _lock(file, fcntl.LOCK_SH, 0)
    finally:
        os.close(file)


def take_share(path: str, seconds: float) -> int | None:
    """A descriptor that says: this process uses the database. Nobody restores it meanwhile.

    None where nothing can be written beside it. Raises `InUse` while somebody makes or restores
    it for longer than ``seconds``.
    """
    file = _open(f"{path}.lock")
    if file is not None and not _lock(file, fcntl.LOCK_SH, seconds):
        os.close(file)
        raise InUse
    return file


@contextmanager
def alone(path: str, seconds: float = 0) -> Iterator[None]:
    """Nobody else uses the database inside; raises `InUse` where somebody does."""
    file = _open(f"{path}.lock")
    if file is None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    try:
        if not _lock(file, fcntl.LOCK_EX, seconds):
            raise InUse
        yield
    finally:
        os.close(file)


def is_read_only(path: str) -> bool:
    """Whether nothing can be written beside the database and nothing waits in its log."""
    return not os.access(os.path.dirname(path), os.W_OK) and not os.path.exists(f"{path}-wal")


def make_private(path: str) -> None:
    """A new and empty file that only its owner reads; raises `FileExistsError`."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def settle(new: str, path: str) -> None:
    """Give the file ``new`` its name for good, on the disk; raises `FileExistsError`."""
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
    """Write a file or the names in a folder to the disk."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def remove(path: str) -> None:
    """Remove a database and what SQLite keeps beside it, if it is there."""
    for name in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        with suppress(FileNotFoundError):
            os.unlink(name)


def _open(path: str) -> int | None:
    """A descriptor to lock, the file made where it is missing; None where it cannot be."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            return None
        raise


def _lock(file: int, how: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        time.sleep(POLL_SECONDS)
