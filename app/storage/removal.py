"""How is a file deleted, and never another one that has come to its place meanwhile?

By the descriptor of its folder: it is renamed to a hidden name, looked at again, and only then
deleted. No link is followed. A file that a crash leaves hidden gets its name again: the hidden
name contains it, with a checksum, so that files of other programs are left alone.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from ..clock import pause
from . import safe_open

# What says that the service may not delete here.
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
# ``.NAME.NONCE CHECKSUM.deleted``, without the blank.
HIDDEN = re.compile(r"\.(.+)\.([0-9a-f]{8})([0-9a-f]{8})\.deleted", re.DOTALL)
# The most bytes of a name (NAME_MAX of limits.h).
MOST_BYTES = 255


class NotDeletable(Exception):
    """The service may not delete the file."""


@contextmanager
def removing(
    folder: int, components: list[str], is_same: Callable[[os.stat_result], bool]
) -> Iterator[None]:
    """Deletes the file at ``components`` below ``folder`` if the block ends without an exception.

    ``is_same`` says of its status whether it is the one to be deleted. In the block the file has a
    hidden name. Raises `NotDeletable`, and `safe_open.FileNotReadable` where it is another one.
    """
    try:
        parent = safe_open.open_below(folder, components[:-1])
    except (safe_open.OutsideBase, safe_open.FolderNotFound):
        raise safe_open.FileNotReadable(errno.ENOENT) from None
    try:
        _lock_shared(parent)
        name = components[-1]
        hidden = _hide(parent, name, is_same)
        try:
            yield
        except BaseException:  # raised again: the file stays
            _restore_name(parent, hidden, name)
            raise
        os.unlink(hidden, dir_fd=parent)
    finally:
        os.close(parent)


def is_left_hidden(name: str) -> bool:
    """Whether a file of this name may be one that a crash left hidden."""
    return name.startswith(".") and HIDDEN.fullmatch(name) is not None


def restore_hidden(folder: int) -> bool:
    """Give the files that a crash left hidden in the open ``folder`` their names again.

    Returns whether it is done: False while a process deletes a file of the folder. Does nothing
    where the file system has no locks (flock(2)) for folders.
    """
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    try:
        for found in filter(None, map(HIDDEN.fullmatch, _names(folder))):
            with contextlib.suppress(OSError):
                hidden, (stem, nonce, checksum) = found[0], found.groups()
                status = os.stat(hidden, dir_fd=folder, follow_symlinks=False)
                is_ours = checksum == _checksum(stem, nonce, status)
                if is_ours and stat.S_ISREG(status.st_mode):
                    _restore_name(folder, hidden, stem)
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)
    return True


def remove_empty(folder: int, components: list[str], stays: Callable[[list[str]], bool]) -> None:
    """Delete the folder at ``components`` below ``folder``, and those above it, if they are empty,
    up to one that ``stays``. ``folder`` itself is never deleted.
    """
    while components and not stays(components):
        *above, name = components
        try:
            parent = safe_open.open_below(folder, above)
        except (safe_open.OutsideBase, safe_open.FolderNotFound):
            return
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError:
            return
        finally:
            os.close(parent)
        components = above


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as found:
        return [entry.name for entry in found]


def _lock_shared(folder: int) -> None:
    """Keep `restore_hidden` from the folder until its descriptor is closed."""
    for _ in range(100):  # the other process takes some milliseconds
        try:
            fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pause(0.01)
        except OSError:
            return
        else:
            return


def _hide(parent: int, name: str, is_same: Callable[[os.stat_result], bool]) -> str:
    """Rename the file, and return its hidden name."""
    try:
        before = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISREG(before.st_mode) or not is_same(before):
            raise safe_open.FileNotReadable(errno.ESTALE)
        hidden = _hidden(name, before)
        os.rename(name, hidden, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError as error:
        if error.errno in FORBIDDEN:
            raise NotDeletable from None
        raise safe_open.FileNotReadable(error.errno) from None
    after = os.stat(hidden, dir_fd=parent, follow_symlinks=False)
    if _facts(after) != _facts(before):
        _restore_name(parent, hidden, name)
        raise safe_open.FileNotReadable(errno.ESTALE)
    return hidden


def _hidden(name: str, status: os.stat_result) -> str:
    """A new hidden name; one that is too long contains only the suffix of the file's name."""
    nonce = secrets.token_hex(4)
    hidden = f".{name}.{nonce}{_checksum(name, nonce, status)}.deleted"
    if len(os.fsencode(hidden)) > MOST_BYTES:
        return _hidden(nonce + os.path.splitext(name)[1], status)
    return hidden


def _checksum(stem: str, nonce: str, status: os.stat_result) -> str:
    text = os.fsencode(f"{stem}\0{nonce}\0{status.st_size}")
    return blake2b(text, digest_size=4).hexdigest()


def _restore_name(parent: int, hidden: str, name: str) -> None:
    """Give the file its name again. If another one has it now, that has overwritten the file.

    A link counts as no upload, unlike a renamed file, and replaces none.
    """
    try:
        os.link(hidden, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        pass
    except OSError:  # the file system has no links
        if _is_unused(parent, name):
            os.rename(hidden, name, src_dir_fd=parent, dst_dir_fd=parent)
            return
    os.unlink(hidden, dir_fd=parent)


def _is_unused(parent: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return True
    return False


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    """What a rename does not change."""
    return status.st_ino, status.st_size, status.st_mtime_ns
