"""How is a file deleted, and never another one that has come to its place meanwhile?

By the descriptor of its folder: it is renamed to a hidden name, looked at again, and only then
deleted. No link is followed.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import safe_open

# What says that the service may not delete here.
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


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
        name, hidden = components[-1], f".{secrets.token_hex(8)}.deleted"
        _hide(parent, name, hidden, is_same)
        try:
            yield
        except BaseException:  # raised again: the file stays
            _bring_back(parent, hidden, name)
            raise
        os.unlink(hidden, dir_fd=parent)
    finally:
        os.close(parent)


def _hide(parent: int, name: str, hidden: str, is_same: Callable[[os.stat_result], bool]) -> None:
    try:
        before = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISREG(before.st_mode) or not is_same(before):
            raise safe_open.FileNotReadable(errno.ESTALE)
        os.rename(name, hidden, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError as error:
        if error.errno in FORBIDDEN:
            raise NotDeletable from None
        raise safe_open.FileNotReadable(error.errno) from None
    after = os.stat(hidden, dir_fd=parent, follow_symlinks=False)
    if _facts(after) != _facts(before):
        _bring_back(parent, hidden, name)
        raise safe_open.FileNotReadable(errno.ESTALE)


def _bring_back(parent: int, hidden: str, name: str) -> None:
    """Give the file its name again, unless another one has that now."""
    with contextlib.suppress(OSError):
        os.stat(name, dir_fd=parent, follow_symlinks=False)
        return
    os.rename(hidden, name, src_dir_fd=parent, dst_dir_fd=parent)


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    """What a rename does not change."""
    return status.st_ino, status.st_size, status.st_mtime_ns
