"""Which file system does a path lie on, and which limits does inotify have?

Mounts are found by the text of a path in /proc/self/mountinfo (proc(5)): where a file system does
not answer, stat(2) of a path on it would never return.
"""

import os
import re
import select
import threading
from functools import cached_property
from typing import NamedTuple

from . import safe_open
from .names import normalised

# The kernel reports each change of a file on these. On all others a change may come from another
# machine or program without an event, and any system call may wait for ever.
LOCAL = (
    *("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "tmpfs", "overlay"),
    *("vfat", "exfat", "ntfs3"),
)
MOUNTS = "/proc/self", "mountinfo"
LIMITS = "/proc/sys/fs/inotify"
READ_BYTES = 65536
# How many links one path may lead through (path_resolution(7)).
MOST_LINKS = 40


class Mount(NamedTuple):
    """A row of mountinfo. ``parent``: the mount that it is mounted on, by its ``id``; ``point``:
    where it is mounted; ``kind``: the type of the file system.
    """

    id: int
    parent: int
    point: str
    kind: str

    @property
    def is_local(self) -> bool:
        """Whether its file system is known to be local."""
        return self.kind in LOCAL

    def covers(self, path: str) -> bool:
        """Whether ``path`` is its mount point or lies below that, by its text."""
        return f"{path}/".startswith(f"{self.point.rstrip('/')}/")


# Where the table has no mount for a path: in a chroot(2) that is no mount point.
UNKNOWN = Mount(0, 0, "/", "an unknown file system")


class MountTable:
    """What is mounted where, from the text of mountinfo."""

    def __init__(self, text: str) -> None:
        self.mounts = [_mount(line) for line in text.splitlines()]
        self._children: dict[int, list[Mount]] = {}
        known = {mount.id for mount in self.mounts}
        for mount in self.mounts:
            is_top = mount.parent not in known or mount.parent == mount.id
            self._children.setdefault(0 if is_top else mount.parent, []).append(mount)

    def way(self, path: str) -> list[Mount]:
        """The mounts on the way from the root to ``path``; the last one holds it.

        A mount hides everything that was below its mount point before.
        """
        way: list[Mount] = []
        here = 0
        while found := [m for m in self._children.get(here, ()) if m.covers(path)]:
            shortest = min(len(mount.point) for mount in found)
            way.append([mount for mount in found if len(mount.point) == shortest][-1])
            here = way[-1].id
        return way if way and way[0].point == "/" else [UNKNOWN, *way]

    def around(self, path: str) -> tuple[Mount, ...]:
        """The mount that holds ``path``, and those that can be reached below it."""
        below = [m for m in self._reachable if m.point.startswith(f"{path.rstrip('/')}/")]
        return (self.way(path)[-1], *below)

    def doubtful(self, path: str, is_read: bool) -> tuple[Mount, ...]:
        """The mounts that may not answer when ``path`` is opened, or ``is_read`` as a whole.

        Those whose mount points only read like it, too: see `safe_open.open_folder`.
        """
        found = [mount for mount in self.way(path) if not mount.is_local][-1:]
        found += [mount for mount in self.around(path)[1:] if is_read and not mount.is_local]
        folder = "" if path.isascii() else f"{_normalised_path(path)}/"
        for mount in self.mounts if folder else ():
            point = f"{_normalised_path(mount.point)}/"
            is_met = folder.startswith(point) or (is_read and point.startswith(folder))
            if is_met and not (mount.is_local or mount.point.isascii() or mount in found):
                found.append(mount)
        return tuple(found)

    def without_links(self, path: str) -> str:
        """``path`` without links, which are resolved only on local file systems."""
        names, real, links = path.split("/")[::-1], "", 0
        while names:
            name = names.pop()
            step = os.path.normpath(f"{real or '/'}/{name}").replace("//", "/")
            target = safe_open.link_target(step) if self._is_local(step) else None
            if target is None or links == MOST_LINKS:
                real = step
                continue
            links += 1
            names += target.split("/")[::-1]
            real = "" if target.startswith("/") else real
        return real

    @cached_property
    def _reachable(self) -> list[Mount]:
        return [mount for mount in self.mounts if self.way(mount.point)[-1] is mount]

    def _is_local(self, path: str) -> bool:
        return all(mount.is_local for mount in self.way(path))


class Mounts:
    """The current table, read again whenever the kernel signals a change. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        self._table = MountTable("")

    def table(self) -> MountTable:
        """The same object as long as nothing was mounted, unmounted or moved."""
        if self._file is None or _has_changed(self._file):
            with self._lock:
                file = _open_kernel_file(*MOUNTS) if self._file is None else self._file
                if file is not None:
                    self._table = MountTable(_read(file))
                    self._file = file  # last: other threads use the table from then on
        return self._table

    def close(self) -> None:
        """Close the file; the next call of `table` opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


# One for the process; opened by its first use, so not before a server has forked.
mounts = Mounts()


def mount_of(path: str) -> Mount:
    """The mount that ``path`` lies on after its links are resolved."""
    known = Mounts()
    try:
        table = known.table()
        return table.way(table.without_links(path))[-1]
    finally:
        known.close()


def inotify_limit(name: str) -> int:
    """A limit of inotify(7); 0 where the kernel has none."""
    file = _open_kernel_file(LIMITS, name)
    if file is None:
        return 0
    try:
        return int(_read(file))
    finally:
        os.close(file)


def _normalised_path(path: str) -> str:
    """The normalised text of a path: the same for all paths that read alike."""
    return "/".join(map(normalised, path.split("/")))


def _mount(line: str) -> Mount:
    fields, _, more = line.partition(" - ")
    number, parent, _, _, point = fields.split(" ")[:5]
    return Mount(int(number), int(parent), _unescape(point), more.split(" ")[0])


def _unescape(point: str) -> str:
    """Blanks, tabs, newlines and backslashes of a path are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)


def _open_kernel_file(folder: str, name: str) -> int | None:
    """None where the kernel, or a sandbox, does not show it."""
    try:
        opened = safe_open.open_folder(folder, folder)
    except safe_open.FolderNotFound:
        return None
    try:
        return safe_open.open_file(opened, [name])
    except safe_open.FileNotReadable:
        return None
    finally:
        os.close(opened)


def _has_changed(file: int) -> bool:
    """Whether the kernel has signalled a change of the mounts since the last call."""
    poll = select.poll()
    poll.register(file, select.POLLPRI)
    return bool(poll.poll(0))


def _read(file: int) -> str:
    """All of the file, whose every piece is read again from its beginning."""
    os.lseek(file, 0, os.SEEK_SET)
    text = b""
    while piece := os.read(file, READ_BYTES):
        text += piece
    return os.fsdecode(text)
