"""How is a file below the base path opened without ever leaving the base path?

By descriptor, one component at a time: the base is opened (it may be a link), every component
below it with ``O_NOFOLLOW`` relative to the descriptor before. So the checked folder is the open
one: a name that is swapped for a link changes no open descriptor (open(2), openat(2)). No other
module opens a file of the cameras.
"""

import contextlib
import errno
import os
import stat
from functools import lru_cache

from .names import folders_that_read

LIST_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_PATH: entering a folder needs the right to search it, not the right to list it.
BASE_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
BELOW_FLAGS = BASE_FLAGS | os.O_NOFOLLOW
# O_NONBLOCK: opening a FIFO that nobody writes to must not wait for a writer (fifo(7)).
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# How many normalised paths are kept; each camera has one.
CACHED_PATHS = 1024
# Errors of the service itself, which do not mean that the file or folder is missing.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
# Errors of a folder which mean that its disk, server or FUSE program does not answer.
NOT_ANSWERING = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT)


class OutsideBase(Exception):
    """The folder is not below the base path, or a link stands on the way to it.

    ``depth``: where on the way the link stands, None where the names alone lead outside.
    """

    def __init__(self, depth: int | None = None) -> None:
        super().__init__(depth)
        self.depth = depth


class OutsideFolder(Exception):
    """The file is not below the camera's folder, or a link stands on the way to it."""


class FolderNotFound(Exception):
    """The folder is inside the base path but is missing, not a directory, or may not be read.

    ``depth``: how many components of the way were passed, -1 where the base itself cannot be
    opened; ``reason``: the errno of what came then.
    """

    def __init__(self, depth: int = 0, reason: int = errno.ENOENT) -> None:
        super().__init__(depth, reason)
        self.depth, self.reason = depth, reason


class StorageNotAnswering(Exception):
    """The storage of the base path or of a folder does not answer, or says that it cannot."""


class FileNotReadable(Exception):
    """The file is gone, not a regular file, or may not be read; the argument is the errno."""


@lru_cache(CACHED_PATHS)
def normalise(base: str, folder_path: str) -> str:
    """``folder_path`` joined with ``base``, lexically without ``.``, ``..``, ``//``, end slash."""
    return "/" + os.path.normpath(os.path.join(base, folder_path)).lstrip("/")


def open_folder(base: str, folder_path: str) -> int:
    """A descriptor that lists the camera's folder, to be closed by the caller.

    ``folder_path`` is absolute or relative to ``base``. Whether it is outside is decided before
    whether it exists, so that the response reveals nothing about the rest of the disk. If no
    folder's name has exactly these bytes, the only one that reads the same is opened (`names`).
    Raises `OutsideBase` or `FolderNotFound`.
    """
    components = components_below(base, folder_path)
    try:
        root = os.open(base, BASE_FLAGS)
    except OSError as error:
        raise failure(error, FolderNotFound(-1, _errno(error))) from None
    try:
        return _open_as_it_reads(root, components)
    finally:
        os.close(root)


def components_below(base: str, path: str) -> list[str]:
    """The way from the base, by its configured or real name, to ``path``; raises `OutsideBase`.

    Only names are compared, nothing is opened but the base.
    """
    path = normalise(base, path)
    components = below(path, base)
    if components is None:
        try:
            root = os.open(base, BASE_FLAGS)
        except OSError as error:
            raise failure(error, OutsideBase()) from None
        try:
            components = below(path, real_path(root))
        finally:
            os.close(root)
    if components is None:
        raise OutsideBase
    return components


def components_within(base: str, folder_path: str, file_path: str) -> list[str]:
    """The way from the camera's folder to ``file_path``, absolute or relative to that folder.

    As `components_below`; raises `OutsideFolder` for the file.
    """
    above = components_below(base, folder_path)
    try:
        way = components_below(base, normalise(normalise(base, folder_path), file_path))
    except OutsideBase:
        raise OutsideFolder from None
    if way[: len(above)] != above or len(way) == len(above):
        raise OutsideFolder
    return way[len(above) :]


def real_path(descriptor: int) -> str:
    """The current path of the open folder, by the kernel, not by its file system (proc(5))."""
    return os.readlink(f"/proc/self/fd/{descriptor}")


def link_target(path: str, folder: int | None = None) -> str | None:
    """The target of the link at ``path``, relative to ``folder``; None if there is no link."""
    try:
        return os.readlink(path, dir_fd=folder)
    except (OSError, ValueError):
        return None


def open_below(folder: int, components: list[str]) -> int:
    """A descriptor that lists the folder; raises `OutsideBase` or `FolderNotFound`."""
    if len(components) == 1:  # by far the most, and two system calls less
        with contextlib.suppress(OSError, ValueError):  # the longer way says what is wrong
            return os.open(components[0], LIST_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    reached = _descend(folder, components)
    try:
        return os.open(".", LIST_FLAGS, dir_fd=reached)
    except OSError as error:
        raise failure(error, FolderNotFound(len(components), _errno(error))) from None
    finally:
        os.close(reached)


def _open_as_it_reads(root: int, components: list[str]) -> int:
    try:
        return open_below(root, components)
    except FolderNotFound as missing:
        depth, alike = missing.depth, _names_alike(root, components, missing)
        if len(alike) != 1:
            raise FolderNotFound(depth, errno.ENOTUNIQ if alike else missing.reason) from None
    return _open_as_it_reads(root, [*components[:depth], *alike, *components[depth + 1 :]])


def _names_alike(root: int, components: list[str], missing: FolderNotFound) -> list[str]:
    """The folders whose names read like the missing one's; none where it is not missing."""
    if missing.reason not in (errno.ENOENT, errno.ENAMETOOLONG):
        return []
    try:
        parent = open_below(root, components[: missing.depth])
    except (OutsideBase, FolderNotFound):
        return []
    try:
        return folders_that_read(components[missing.depth], parent)
    except OSError as error:
        raise failure(error, missing) from None
    finally:
        os.close(parent)


def open_file(folder: int, components: list[str]) -> int:
    """A descriptor of the regular file; raises `OutsideFolder` or `FileNotReadable`."""
    *above, name = components
    try:
        parent = _descend(folder, above) if above else folder
    except OutsideBase:
        raise OutsideFolder from None
    except FolderNotFound:
        raise FileNotReadable from None
    try:
        file = os.open(name, FILE_FLAGS, dir_fd=parent)
    except (OSError, ValueError) as error:
        if _errno(error) in EXHAUSTED:
            raise
        is_link = _errno(error) == errno.ELOOP
        raise OutsideFolder if is_link else FileNotReadable(_errno(error)) from None
    finally:
        if above:
            os.close(parent)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotReadable
    return file


def _descend(folder: int, components: list[str]) -> int:
    """A new O_PATH descriptor of the folder that ``components`` lead to from ``folder``."""
    reached = os.dup(folder)
    try:
        for depth, component in enumerate(components):
            above, reached = reached, _enter(reached, component, depth)
            os.close(above)
    except BaseException:  # raised again: the descriptor must not leak
        os.close(reached)
        raise
    return reached


def below(path: str, *bases: str) -> list[str] | None:
    """The components that lead to ``path`` from the first of ``bases`` that it is below."""
    for base in bases:
        prefix = base.rstrip("/") + "/"
        if (path + "/").startswith(prefix):
            return [component for component in path[len(prefix) :].split("/") if component]
    return None


def _enter(folder: int, component: str, depth: int) -> int:
    try:
        return os.open(component, BELOW_FLAGS, dir_fd=folder)
    except (OSError, ValueError) as error:
        # With O_DIRECTORY the error is ENOTDIR for a link as for a file: find out which it is.
        if link_target(component, folder) is not None:
            raise OutsideBase(depth) from None
        raise failure(error, FolderNotFound(depth, _errno(error))) from None


def _errno(error: OSError | ValueError) -> int:
    """The error's errno; a name that no system call accepts counts as missing."""
    return getattr(error, "errno", None) or errno.ENOENT


def failure(error: OSError | ValueError, answer: Exception) -> Exception:
    """``answer``, unless the service or the storage is in trouble."""
    if _errno(error) in EXHAUSTED:
        return error
    return StorageNotAnswering() if _errno(error) in NOT_ANSWERING else answer
