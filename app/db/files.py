"""How do processes share the database's files? Locks by flock(2), and durable file names.

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

from ..clock import pause

POLL_SECONDS = 0.02
# Of the file beside the database by which a restored one is told.
NUMBER_SUFFIX = ".number"
# Nothing can be created on a read-only file system or in a folder of another user.
NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


class InUse(Exception):
    """Another process holds the database."""


class UsageLocks:
    """The databases that this process uses, locked so that no other process restores them."""

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
                    self._held[path] = _acquire(f"{path}.lock", fcntl.LOCK_SH, left)
                    return
                with exclusive_lock(path):
                    if not os.path.exists(path):
                        create(path)
            except InUse:
                if not left:
                    raise
                pause(POLL_SECONDS)

    def release(self, path: str) -> None:
        file = self._held.pop(path)
        if file is not None:
            os.close(file)

    def release_all(self) -> None:
        for path in list(self._held):
            self.release(path)


usage_locks = UsageLocks()


def acquire_lock(path: str) -> int | None:
    """A descriptor that holds the lock file at ``path``; None if it is held already."""
    with suppress(InUse):
        return _acquire(path, fcntl.LOCK_EX)
    return None


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
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(file)


def mark_followed(path: str, is_followed: bool) -> bool:
    """Note beside the database whether a process follows the folders of its cameras.

    Returns whether that was noted before: then the process was killed, or the power failed.
    """
    with suppress(OSError):
        file = os.open(f"{path}.monitor", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            was_followed = os.fstat(file).st_size > 0
            os.ftruncate(file, int(is_followed))
            return was_followed
        finally:
            os.close(file)
    return False


@contextmanager
def exclusive_lock(path: str) -> Iterator[None]:
    """Keep every other process from using the database; raises `InUse` where one does."""
    file = _acquire(f"{path}.lock", fcntl.LOCK_EX)
    if file is None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    try:
        yield
    finally:
        os.close(file)


def is_read_only(path: str) -> bool:
    """Whether the database exists, nothing can be written beside it, and its log is empty."""
    is_writable = os.access(os.path.dirname(path), os.W_OK)
    return os.path.exists(path) and not is_writable and not os.path.exists(f"{path}-wal")


@contextmanager
def new_file(path: str) -> Iterator[str]:
    """The path of an empty file beside ``path`` that only its owner can read.

    It is synced and renamed to ``path`` at the end, or removed where an exception ends the block.
    Raises `FileExistsError`.
    """
    partial = f"{path}.partial"
    remove(partial)
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield partial
        rename_durably(partial, path)
    except BaseException:  # raised again, without half a file
        remove(partial)
        raise


def rename_durably(new: str, path: str) -> None:
    """Sync the file ``new``, give it the name ``path`` and sync that too.

    Raises `FileExistsError`.
    """
    sync(new)
    rename_new(new, path)
    sync(os.path.dirname(path))


def rename_new(new: str, path: str) -> None:
    """Give the file ``new`` the name ``path``. Raises `FileExistsError`."""
    try:
        os.link(new, path)
        os.unlink(new)
    except FileExistsError:
        raise
    except OSError:  # of a file system without links, as on a USB stick
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(new, path)


def text_of(path: str) -> str | None:
    """The text of a file; None where it does not exist, empty where it cannot be read."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return ""


def replace_text(path: str, text: str, like: str) -> None:
    """Write the file at ``path`` anew, so that it has its old text or this one at any moment.

    It gets the owner of the file ``like``, even where root writes it.
    """
    new = f"{path}.new"
    with open(new, "w", encoding="ascii", opener=_open_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        owner = os.stat(like)
        if owner.st_uid != os.fstat(file.fileno()).st_uid:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    os.replace(new, path)
    sync(os.path.dirname(path))


def sync(path: str) -> None:
    """Write a file, or a folder's list of names, to the disk."""
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


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _acquire(path: str, how: int, seconds: float = 0) -> int | None:
    """A descriptor of the lock file, which is created if missing; None where it cannot be.

    Raises `InUse` where other processes hold it for longer than ``seconds``.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            return None
        raise
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(file)
                raise InUse from None
        pause(POLL_SECONDS)
