"""What changed below a folder since it was last asked? The kernel's own list of events, applied.

inotify(7) queues an event before the system call that caused it returns, so reading the queue at
the moment of a question makes the answer exact. Where the queue cannot be trusted the tree is
`Lost` and the folder must be walked.
"""

import contextlib
import ctypes
import errno
import os
import stat
import time
from datetime import datetime

from inotify_simple import INotify, flags

from app import containment
from app.ranking import Candidate, Ranking
from app.walking import files, has_suffix, is_candidate, is_readable

MASK = (
    *(flags.CREATE, flags.MODIFY, flags.CLOSE_WRITE, flags.ATTRIB, flags.DELETE),
    *(flags.MOVED_FROM, flags.MOVED_TO, flags.DELETE_SELF, flags.ONLYDIR, flags.EXCL_UNLINK),
)
WATCHED = sum(MASK)
GONE = flags.DELETE | flags.MOVED_FROM
COMPLETED = flags.CLOSE_WRITE | flags.MOVED_TO
# A file that was written to and neither closed nor written again for this long, in seconds, is
# no upload any more: truncate(2) by name closes nothing, and FTP servers time out sooner.
STALLED_SECONDS = 900
# Changes made on another machine raise no event here: statfs(2), linux/magic.h.
REMOTE = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "SMB",
    0x65735546: "FUSE",
    0x01021997: "9P",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x0BD00BD0: "Lustre",
}

OVERFLOW = "too many changes came at once; the folder is read anew"
REPLACED = "the folder was deleted or unmounted; it is read anew"
HARD_LINKS = (
    "a picture has a second name (hard link), and a change through that one goes unnoticed: "
    "delete one of the two names"
)
TOO_LONG = "the path of a picture is too long to be followed: use fewer or shorter sub-folders"
NO_WATCHES = "the kernel has no inotify watch left: raise fs.inotify.max_user_watches with sysctl"
NO_INSTANCES = (
    "the kernel has no inotify instance left: raise fs.inotify.max_user_instances with sysctl"
)
NO_INOTIFY = "this system has no inotify: new pictures are found by reading the folder"


class Lost(Exception):
    """The tree can no longer say what is newest; the text is the reason, and the remedy."""


class Tree:
    """A camera's folder with everything below it, watched. Not safe for threads by itself."""

    def __init__(self, folder: int, now: datetime, most_bytes: int) -> None:
        """Watch and read the descriptor ``folder``; raises `Lost` where that cannot be done."""
        _refuse_remote(folder)
        self._most_bytes = most_bytes
        self._ranking = Ranking(now)
        self._prefixes: dict[int, str] = {}
        self._writing: dict[str, float] = {}
        self._answer: list[Candidate] | None = None
        # When the last upload was completed that was seen to be: nanoseconds since the epoch.
        self.uploaded_ns = 0
        self._inotify = _open_inotify()
        try:
            self._read(folder, "")
        except BaseException:  # raised again: the watches must not leak
            self.close()
            raise

    def close(self) -> None:
        """Give the watches back."""
        self._inotify.close()

    @property
    def folders(self) -> int:
        """How many folders are watched."""
        return len(self._prefixes)

    def newest(self, folder: int, now: datetime) -> list[Candidate]:
        """What a walk over ``folder`` would answer at this moment; raises `Lost`."""
        self._catch_up(folder)
        if not self._ranking.vouches(now):
            raise Lost(OVERFLOW)
        if self._answer is None or self._writing:
            self._answer = self._ranking.answer(self._being_written())
        return self._answer

    def _catch_up(self, folder: int) -> None:
        """Apply what the kernel has queued: folders at once, each changed file once at the end."""
        changed: dict[str, bool] = {}
        for wd, mask, _, name in self._inotify.read(timeout=0):
            path = self._path(wd, mask, name)
            if path is None:
                continue
            if mask & flags.ISDIR:
                self._folder_changed(folder, path, mask)
            elif has_suffix(name):
                changed[path] = bool(mask & COMPLETED) or changed.get(path, False)
                self._note_writer(path, mask)
        for path, completed in changed.items():
            self._file_changed(folder, path, completed)

    def _path(self, wd: int, mask: int, name: str) -> str | None:
        """What an event speaks of; None where it says nothing about pictures."""
        if mask & flags.Q_OVERFLOW:
            raise Lost(OVERFLOW)
        prefix = self._prefixes.get(wd)
        if prefix is None:
            return None  # a watch that was given back: read before, counted anew since
        if mask & (flags.IGNORED | flags.UNMOUNT | flags.DELETE_SELF) and not name:
            if not prefix:
                raise Lost(REPLACED)
            self._prefixes.pop(wd)
            return None
        return None if not name or name.startswith(".") else prefix + name

    def _folder_changed(self, folder: int, path: str, mask: int) -> None:
        """Forget what was below it, and read it anew where it still is."""
        self._answer = None
        prefix = path + "/"
        for wd, known in list(self._prefixes.items()):
            if known.startswith(prefix):
                self._give_back(wd)
        self._ranking.drop_below(prefix)
        if mask & GONE:
            return
        try:
            below = containment.open_below(folder, path.split("/"))
        except (containment.OutsideBase, containment.FolderNotFound):
            return
        try:
            self._read(below, prefix)
        finally:
            os.close(below)

    def _read(self, folder: int, prefix: str) -> None:
        """Watch, and only then list, every folder from here down."""
        for path, parent, entry in files(folder, prefix, self._watch):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            self._rank(path, status, is_readable(parent, entry.name, status))

    def _watch(self, folder: int, prefix: str) -> None:
        try:
            wd = self._inotify.add_watch(f"/proc/self/fd/{folder}", WATCHED)
        except OSError as error:
            raise Lost(NO_WATCHES if error.errno == errno.ENOSPC else NO_INOTIFY) from None
        known = self._prefixes.get(wd, prefix)
        if known != prefix:  # the same folder under its new name
            self._ranking.drop_below(known)
        self._prefixes[wd] = prefix

    def _give_back(self, wd: int) -> None:
        del self._prefixes[wd]
        with contextlib.suppress(OSError):  # the folder is gone, and its watch with it
            self._inotify.rm_watch(wd)

    def _file_changed(self, folder: int, path: str, completed: bool) -> None:
        self._answer = None
        try:
            status = os.stat(path, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise Lost(TOO_LONG) from None
            self._ranking.drop(path)
            return
        ranked = self._rank(path, status, is_readable(folder, path, status))
        if ranked and completed:
            self.uploaded_ns = max(self.uploaded_ns, status.st_ctime_ns)

    def _rank(self, path: str, status: os.stat_result, readable: bool) -> bool:
        """Whether the file counts; raises `Lost` where it could change unseen."""
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise Lost(HARD_LINKS)  # whatever its size is now
        if not is_candidate(status, self._most_bytes) or not readable:
            self._ranking.drop(path)
            return False
        self._ranking.put(path, status.st_mtime_ns)
        return True

    def _note_writer(self, path: str, mask: int) -> None:
        if mask & flags.MODIFY:
            self._writing[path] = time.monotonic()
        elif mask & (COMPLETED | GONE):
            self._writing.pop(path, None)

    def _being_written(self) -> frozenset[str]:
        stalled = time.monotonic() - STALLED_SECONDS
        self._writing = {path: at for path, at in self._writing.items() if at > stalled}
        return frozenset(self._writing)


def _open_inotify() -> INotify:
    try:
        return INotify(nonblocking=True)
    except OSError as error:
        out = error.errno in (errno.EMFILE, errno.ENFILE)
        raise Lost(NO_INSTANCES if out else NO_INOTIFY) from None


def _refuse_remote(folder: int) -> None:
    kind = REMOTE.get(filesystem_type(folder))
    if kind:
        raise Lost(f"the folder lies on {kind}, where changes made elsewhere raise no event here")


def filesystem_type(folder: int) -> int:
    """The magic number of the file system, the first field of what fstatfs(2) fills in."""
    buffer = (ctypes.c_long * 64)()
    if ctypes.CDLL(None).fstatfs(folder, buffer) != 0:
        return 0
    return buffer[0] & 0xFFFFFFFF
