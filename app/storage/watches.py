"""Which folders does the kernel watch, and which path does each of its events speak of?

inotify(7) queues an event before the system call that caused it returns, so reading the queue at
the moment of a question makes the answer exact.
"""

import contextlib
import errno
from collections.abc import Iterator

from inotify_simple import INotify, flags

MASK = (
    *(flags.CREATE, flags.MODIFY, flags.CLOSE_WRITE, flags.ATTRIB, flags.DELETE),
    *(flags.MOVED_FROM, flags.MOVED_TO, flags.DELETE_SELF, flags.ONLYDIR, flags.EXCL_UNLINK),
)
WATCHED = sum(MASK)
# Events of a folder itself, that end its watch.
ENDED = flags.IGNORED | flags.UNMOUNT | flags.DELETE_SELF

OVERFLOW = "too many changes came at once; the folder is read anew"
REPLACED = "the folder was deleted, or a disk in it unmounted; it is read anew"
SENSELESS = "the kernel told of a folder that is not watched; the folder is read anew"
NO_WATCHES = "the kernel has no inotify watch left: raise fs.inotify.max_user_watches with sysctl"
NO_INSTANCES = (
    "the kernel has no inotify instance left: raise fs.inotify.max_user_instances with sysctl"
)
NO_INOTIFY = "this system has no inotify: new pictures are found by reading the folder"


class Lost(Exception):
    """It is no longer known what is in the folder; the text is the reason, and the remedy."""


class Watches:
    """The folders that are watched: the camera's own, and those below it."""

    def __init__(self) -> None:
        """Raises `Lost` where nothing can be watched."""
        self._inotify = _open_inotify()
        # Each folder's path with a slash at its end, empty for the camera's own.
        self._prefixes: dict[int, str] = {}
        # Events of these that were queued before may still come, the last one is IGNORED.
        self._given_back: set[int] = set()

    def __len__(self) -> int:
        return len(self._prefixes)

    def close(self) -> None:
        """Give all of them back."""
        self._inotify.close()

    def add(self, folder: int, prefix: str) -> str:
        """Watch the descriptor ``folder``; the prefix by which it was watched before, if it was.

        Raises `Lost`.
        """
        try:
            wd = self._inotify.add_watch(f"/proc/self/fd/{folder}", WATCHED)
        except OSError as error:
            raise Lost(NO_WATCHES if error.errno == errno.ENOSPC else NO_INOTIFY) from None
        known = self._prefixes.get(wd, prefix)
        self._prefixes[wd] = prefix
        return known

    def give_back(self, prefix: str) -> None:
        """Watch no more what lies at and below ``prefix``."""
        for wd in [wd for wd, known in self._prefixes.items() if known.startswith(prefix)]:
            self._forget(wd)
            with contextlib.suppress(OSError):  # the folder is gone, and its watch with it
                self._inotify.rm_watch(wd)

    def changes(self) -> Iterator[tuple[str, int]]:
        """The path and the mask of each event that is queued, as the folders lie by then.

        What begins with a dot is passed over. Raises `Lost`.
        """
        for wd, mask, _, name in self._inotify.read(timeout=0):
            if mask & flags.Q_OVERFLOW:
                raise Lost(OVERFLOW)
            if wd not in self._prefixes and wd not in self._given_back:
                raise Lost(SENSELESS)
            if mask & ENDED and not name:
                self._end(wd, mask)
            elif wd in self._prefixes and name and not name.startswith("."):
                yield self._prefixes[wd] + name, mask

    def _end(self, wd: int, mask: int) -> None:
        if self._prefixes.get(wd) == "" or mask & flags.UNMOUNT:
            raise Lost(REPLACED)
        self._forget(wd)
        if mask & flags.IGNORED:
            self._given_back.discard(wd)

    def _forget(self, wd: int) -> None:
        self._prefixes.pop(wd, None)
        self._given_back.add(wd)


def _open_inotify() -> INotify:
    try:
        return INotify(nonblocking=True)
    except OSError as error:
        out = error.errno in (errno.EMFILE, errno.ENFILE)
        raise Lost(NO_INSTANCES if out else NO_INOTIFY) from None
