"""Which row does a file have in the index, and which one should it have?"""

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from ..models import KeptPicture, Row
from ..models.pictures import IndexedPicture, Picture
from ..storage import safe_open
from ..storage.changes import Changes
from ..storage.folder_tree import STALLED_SECONDS
from ..storage.removal import restore_hidden
from ..storage.storage_clock import StorageClock
from .files import Finder, file_facts, is_listed, new_row
from .overlay import Change, FolderFacts, Overlay

# A folder that changed less than this before it was read may change again without a new time,
# because FAT keeps times in steps of two seconds.
CERTAIN_NS = 2 * 10**9
# How many folders are kept as changed, or as folders with files that are overwritten in place.
MOST_FOLDERS = 10_000
# How many changed files are checked before a response; the background job checks the rest.
MOST_CHECKED = 1000
# How often files that are open for writing are checked again, in seconds.
CHECK_WRITING_SECONDS = 60


class Opened(NamedTuple):
    """The descriptor of the camera's folder, its storage's clock, and whether inode numbers are
    stable there.
    """

    folder: int
    clock: StorageClock
    has_stable_inodes: bool


class Lookups:
    """Compares files of one camera with the index, in one thread at a time, in its ``opened``
    folder.

    ``number``: the camera's number in the table, 0 while it has none; ``being_written``: the files
    that are known to be open for writing; ``waiting``: the paths of changed files that are not
    checked yet; ``changed_folders``: those whose facts are not stored;
    ``rewritten``: those with files that are overwritten in place.
    """

    def __init__(self, finder: Finder) -> None:
        self.finder, self.overlay = finder, Overlay()
        self.number = 0
        self.opened = Opened(-1, None, False)  # type: ignore[arg-type] # before the first use
        self.being_written: frozenset[str] = frozenset()
        self._check_writing_at = 0.0
        self.waiting: dict[str, None] = {}
        self.changed_folders: dict[str, None] = {}
        self.rewritten: set[str] = set()
        # Whether any picture of the camera is kept.
        self.has_marks = False
        # The folders with files that may have been left hidden by a crash.
        self.left_hidden: dict[str, None] = {}
        # Where the files of marks were found that have another path or inode, by the marks' ids.
        self.moved: dict[int, Row] = {}

    def note(self, changes: Changes) -> None:
        """Queue the changed files for a check, and those that are no longer being written."""
        ended, now = self.being_written - changes.being_written, time.monotonic()
        if self.being_written and now >= self._check_writing_at:
            self._check_writing_at = now + CHECK_WRITING_SECONDS
            ended |= self.being_written
        self.being_written = changes.being_written
        self.waiting |= dict.fromkeys(ended) | changes.files

    def compare_waiting(self) -> None:
        """Check the changed files that wait, at most `MOST_CHECKED`."""
        by_folder: dict[str, list[str]] = {}
        for path in list(self.waiting)[:MOST_CHECKED]:
            del self.waiting[path]
            folder, _, name = path.rpartition("/")
            by_folder.setdefault(folder, []).append(name)
        for folder, names in by_folder.items():
            self.note_changed(folder)
            self.compare_files(folder, names)

    def restore_hidden_files(self) -> None:
        """Give files that a crash left hidden their names again, except in locked folders."""
        folders, self.left_hidden = self.left_hidden, {}
        for path in folders:
            folder = self.reach(path)
            if folder is not None:
                try:
                    if not restore_hidden(folder):
                        self.left_hidden[path] = None
                finally:
                    os.close(folder)

    def compare_files(self, folder: str, names: Iterable[str]) -> None:
        """Compare files in a folder with the index, and add their changes to the overlay."""
        names = list(names)
        version, stored = self.overlay.version, self.stored(folder, names)
        parent = self.reach(folder)
        try:
            for name in names:
                before = self._change(folder, name, stored).now
                now = self._row_now(parent, folder, name, before)
                if now == before:
                    continue
                with self.overlay.lock:
                    if version != self.overlay.version:  # the table was written meanwhile
                        version, stored = self.overlay.version, self.stored(folder, names)
                    row = self._change(folder, name, stored).stored
                    self.overlay.put(folder, name, Change(row, now))
                if before is not None and parent is not None:
                    self._note_rewriting(parent, folder, name)
        finally:
            if parent is not None:
                os.close(parent)

    def stored(self, folder: str, names: Iterable[str]) -> dict[str, IndexedPicture]:
        """The table's rows of these files in a folder, by name."""
        rows = Picture.named(self.number, folder, names) if self.number else []
        return {row.name: row for row in rows}

    def reach(self, folder: str) -> int | None:
        """A descriptor of a folder below the camera's; None where it cannot be read."""
        components = folder.split("/") if folder else []
        try:
            return safe_open.open_below(self.opened.folder, components)
        except (safe_open.OutsideBase, safe_open.FolderNotFound):
            return None

    def folder_facts(self, folder: str) -> FolderFacts | None:
        """The current facts of a folder; zeros if it may change without changing them; None if it
        is gone.
        """
        reached = self.reach(folder)
        if reached is None:
            return None
        try:
            return self.facts_of_open_folder(reached, folder)
        finally:
            os.close(reached)

    def facts_of_open_folder(self, reached: int, folder: str) -> FolderFacts:
        """The current facts of an open folder; zeros if it may change without changing them."""
        status = os.fstat(reached)
        is_certain = self.opened.clock.now_ns - status.st_mtime_ns > CERTAIN_NS
        if folder in self.rewritten or not is_certain:
            self.note_changed(folder)
            return FolderFacts()
        return FolderFacts(status.st_ino, status.st_mtime_ns, status.st_ctime_ns)

    def note_changed(self, folder: str) -> None:
        """Note that the current facts of a folder are not stored."""
        if len(self.changed_folders) < MOST_FOLDERS:
            self.changed_folders[folder] = None

    def _change(self, folder: str, name: str, stored: dict[str, IndexedPicture]) -> Change:
        """The unwritten change of a file; without one, both rows are that of the table."""
        row = stored.get(name)
        return self.overlay.change_of(folder, name) or Change(row, row)

    def _row_now(
        self, parent: int | None, folder: str, name: str, before: IndexedPicture | None
    ) -> IndexedPicture | None:
        path = f"{folder}/{name}" if folder else name
        if parent is None:
            return None
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (OSError, ValueError) as error:
            is_silent = getattr(error, "errno", None) in safe_open.NOT_ANSWERING
            return before if is_silent else None
        if self._is_being_written(path, status) or not is_listed(
            self.finder, parent, name, status
        ):
            return None
        facts = file_facts(self.finder.camera_id, path, status, self.opened.has_stable_inodes)
        row = before
        if row is None or row.tag != facts.tag:
            row = new_row((folder, name), status, facts, self.opened.clock)
        return row._replace(kept=self.has_marks and self._is_kept(path, status))

    def _is_kept(self, path: str, status: os.stat_result) -> bool:
        marks = KeptPicture.of_file(self.finder.camera_id, path, status)
        place = {"path": os.fsencode(path), "inode": status.st_ino}
        for mark in marks:
            if any(mark[name] != value for name, value in place.items()):
                self.moved[mark["id"]] = place
        return bool(marks)

    def _is_being_written(self, path: str, status: os.stat_result) -> bool:
        """After truncate(2) by name no close follows, so a file that is unchanged for long is
        complete.
        """
        stalled_ns = self.opened.clock.now_ns - STALLED_SECONDS * 10**9
        return path in self.being_written and status.st_mtime_ns > stalled_ns

    def _note_rewriting(self, parent: int, folder: str, name: str) -> None:
        """Discard the folder's stored facts: a file that is overwritten in place does not change
        them, so that the next start would miss the change.
        """
        if folder in self.rewritten or len(self.rewritten) >= MOST_FOLDERS:
            return
        if os.access(name, os.F_OK, dir_fd=parent, follow_symlinks=False):
            self.rewritten.add(folder)
            self.overlay.put_folder_facts(folder, FolderFacts())
            self.overlay.is_urgent = True
