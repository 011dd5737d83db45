"""What changed below a folder since it was last asked? The kernel's own list of events, applied.

Where the events do not tell everything the tree is `Lost` and the folder must be walked.
"""

import errno
import os
import stat
from datetime import datetime

from inotify_simple import flags

from . import safe_open
from .filesystems import remote_kind
from .newest_files import KEPT, Candidate, Ranking
from .open_writers import Writing
from .scan import files, has_suffix, is_candidate, is_readable
from .watches import Lost, Watches

GONE = flags.DELETE | flags.MOVED_FROM
COMPLETED = flags.CLOSE_WRITE | flags.MOVED_TO

FORGOTTEN = "more of the newest pictures are gone than are remembered; the folder is read anew"
HARD_LINKS = (
    "a picture has a second name (hard link), and a change through that one goes unnoticed: "
    "delete one of the two names"
)
TOO_LONG = "the path of a picture is too long to be followed: use fewer or shorter sub-folders"


class Tree:
    """A camera's folder with everything below it, watched. Not safe for threads by itself."""

    def __init__(self, folder: int, now: datetime, most_bytes: int) -> None:
        """Watch and read the descriptor ``folder``; raises `Lost` where that cannot be done."""
        if kind := remote_kind(folder):
            raise Lost(f"the folder lies on {kind}, where changes made elsewhere raise no event")
        self._most_bytes = most_bytes
        self._ranking = Ranking(now)
        self._writing = Writing()
        self._answer: list[Candidate] | None = None
        # When the last upload was completed that was seen to be: nanoseconds since the epoch.
        self.uploaded_ns = 0
        self._watches = Watches()
        try:
            self._read(folder, "")
        except BaseException:  # raised again: the watches must not leak
            self.close()
            raise

    def close(self) -> None:
        """Give the watches back."""
        self._watches.close()

    @property
    def folders(self) -> int:
        """How many folders are watched."""
        return len(self._watches)

    def newest(self, folder: int, now: datetime) -> list[Candidate]:
        """What a walk over ``folder`` would answer at this moment; raises `Lost`."""
        self._catch_up(folder)
        for _ in range(KEPT):
            answer = self._ranked(now)
            if not answer or self._is_as_told(folder, answer[0]):
                break
            self._file_changed(folder, answer[0].path, completed=False)
        return answer

    def _ranked(self, now: datetime) -> list[Candidate]:
        if not self._ranking.vouches(now):
            raise Lost(FORGOTTEN)
        if self._answer is None or self._writing:
            self._answer = self._ranking.answer(self._writing.paths())
        return self._answer

    def _is_as_told(self, folder: int, candidate: Candidate) -> bool:
        """Whether the file is what the events say: link(2) elsewhere tells nobody here."""
        try:
            status = os.stat(candidate.path, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return (status.st_nlink, status.st_mtime_ns) == (1, candidate.mtime_ns)

    def _catch_up(self, folder: int) -> None:
        """Apply what the kernel has queued: folders at once, each changed file once at the end."""
        changed: dict[str, bool] = {}
        for path, mask in self._watches.changes():
            if mask & flags.ISDIR:
                self._folder_changed(folder, path, mask, changed)
            elif has_suffix(path):
                changed[path] = bool(mask & COMPLETED) or changed.get(path, False)
                self._note_writer(path, mask)
        for path, completed in changed.items():
            self._file_changed(folder, path, completed)

    def _folder_changed(self, folder: int, path: str, mask: int, changed: dict[str, bool]) -> None:
        """Forget what was below it, and read it anew where it still is."""
        self._answer = None
        prefix = path + "/"
        self._ranking.drop_below(prefix)
        if not mask & flags.ATTRIB:  # another folder than before, or a link to one elsewhere
            self._watches.give_back(prefix)
            self._writing.drop_below(prefix)
            for below in [known for known in changed if known.startswith(prefix)]:
                del changed[below]
        if not mask & GONE:
            self._read_below(folder, prefix)

    def _read_below(self, folder: int, prefix: str) -> None:
        try:
            below = safe_open.open_below(folder, prefix.rstrip("/").split("/"))
        except (safe_open.OutsideBase, safe_open.FolderNotFound):
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
        known = self._watches.add(folder, prefix)
        if known != prefix:  # the same folder under its new name
            self._ranking.drop_below(known)

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
            self._writing.put(path)
        elif mask & (COMPLETED | GONE):
            self._writing.drop(path)
