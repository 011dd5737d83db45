"""What has changed since the index was written? Each response takes it into account."""

import threading
from typing import NamedTuple

from ..clock import HOUR_US
from ..models import Row
from ..models.pictures import IndexedPicture, Key

# A row among the pictures and clips of a camera.
RowKey = tuple[bool, Key]


class Change(NamedTuple):
    """The row that the table has for a file, and the one that it should have."""

    stored: IndexedPicture | None
    now: IndexedPicture | None


class FolderFacts(NamedTuple):
    """The attributes that change with a folder's entries; zeros if its files must be compared
    again.
    """

    inode: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0


class Corrections(NamedTuple):
    """The difference between the table's rows of this ``version`` and the current pictures.

    ``hidden``: rows of the table to ignore, because they are removed or ``added`` anew;
    ``removed``: the removed rows; ``totals``: the differences of the totals.
    """

    version: int
    hidden: frozenset[RowKey]
    removed: list[IndexedPicture]
    added: list[IndexedPicture]
    totals: Row


class Batch(NamedTuple):
    """Changes that are written together, by folder and name, and facts of folders.

    ``version``: that of the table's rows to which they apply; ``compared_us``: when every file was
    compared, if that is to be written, else 0.
    """

    version: int
    changes: dict[str, dict[str, Change]]
    folders: dict[str, FolderFacts | None]
    compared_us: int


class Overlay:
    """The changes of one camera's pictures that are not written yet. Safe for threads.

    ``version``: that of the table's rows to which the changes apply; ``is_urgent``: whether they
    must be written soon. Folder facts of None mean that the folder is gone.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.version, self.is_urgent = 0, False
        self._changes: dict[str, dict[str, Change]] = {}
        self._number, self._is_writing, self._compared_us = 0, False, 0
        self._folders: dict[str, FolderFacts | None] = {}
        self._corrections: Corrections | None = None

    def __len__(self) -> int:
        return self._number + len(self._folders) + bool(self._compared_us)

    def clear(self, version: int) -> None:
        """Discard all changes and begin with this version of the table."""
        with self.lock:
            self._changes, self._folders, self._number = {}, {}, 0
            self.version, self.is_urgent, self._corrections = version, False, None
            self._is_writing, self._compared_us = False, 0

    def all_changes(self) -> dict[str, dict[str, Change]]:
        """The changes of files, by folder and name."""
        with self.lock:
            return {folder: dict(files) for folder, files in self._changes.items()}

    def changes_in(self, folder: str) -> dict[str, Change]:
        """The changes of files in a folder, by name."""
        with self.lock:
            return dict(self._changes.get(folder, {}))

    def change_of(self, folder: str, name: str) -> Change | None:
        """The change of one file."""
        with self.lock:
            return self._changes.get(folder, {}).get(name)

    def folders_below(self, top: str) -> list[str]:
        """The folders below this one that have changed files."""
        prefix = f"{top}/" if top else ""
        with self.lock:
            return [each for each in self._changes if each.startswith(prefix)]

    def folder_facts(self, folder: str) -> FolderFacts | None:
        """The facts of a folder that are not written yet."""
        return self._folders.get(folder)

    def put(self, folder: str, name: str, change: Change) -> None:
        """Add the change of a file.

        While a batch is written, one that was undone is kept, because the batch may contain it.
        """
        with self.lock:
            files = self._changes.setdefault(folder, {})
            self._number -= files.pop(name, None) is not None
            if change.stored != change.now or self._is_writing:
                files[name] = change
                self._number += 1
            elif not files:
                del self._changes[folder]
            self._corrections = None

    def put_folder_facts(self, folder: str, facts: FolderFacts | None) -> None:
        """Add the facts of a folder."""
        with self.lock:
            self._folders[folder] = facts

    def put_compared(self, compared_us: int) -> None:
        """Add when every file was compared."""
        with self.lock:
            self._compared_us = compared_us

    def corrections(self) -> Corrections:
        """The difference that responses must take into account."""
        with self.lock:
            if self._corrections is None:
                changes = [c for files in self._changes.values() for c in files.values()]
                self._corrections = _corrections(self.version, changes)
            return self._corrections

    def batch(self, most: int) -> Batch:
        """The next changes to write, about ``most``; the last batch also has facts of folders."""
        with self.lock:
            taken: dict[str, dict[str, Change]] = {}
            for folder, files in self._changes.items():
                taken[folder] = dict(list(files.items())[:most])
                most -= len(taken[folder])
                if most <= 0:
                    break
            number, self._is_writing = sum(map(len, taken.values())), True
            if number < self._number:
                return Batch(self.version, taken, {}, 0)
            return Batch(self.version, taken, dict(self._folders), self._compared_us)

    def rebase(self, version: int, stored: dict[str, dict[str, IndexedPicture]]) -> None:
        """Let the changes apply to the rows of a newer version of the table, which has the rows
        ``stored``, by folder and name.

        Where the table has the same file now, its row is right: somebody may keep the picture.
        """
        with self.lock:
            self.version, self._is_writing = version, False
            for folder, changes in self.all_changes().items():
                for name, (_, now) in changes.items():
                    row = stored[folder].get(name)
                    self.put(folder, name, Change(row, row if is_same(row, now) else now))

    def end_writing(self) -> None:
        """Note that no batch is being written, also after a failure."""
        self._is_writing = False

    def drop_written(self, written: Batch, version: int) -> None:
        """Drop the written changes, except those that changed again; set the table's version."""
        with self.lock:
            self._is_writing = False
            if self.version < version:  # else the changes apply to these rows already
                self.version, self._corrections = version, None
                for folder, changes in written.changes.items():
                    self._rebase(folder, changes)
            if self._compared_us == written.compared_us:
                self._compared_us = 0
            for folder, facts in written.folders.items():
                if folder in self._folders and self._folders[folder] == facts:
                    del self._folders[folder]
            self.is_urgent = self.is_urgent and not written.folders

    def _rebase(self, folder: str, written: dict[str, Change]) -> None:
        """Let the changes of these files apply to the rows that were written."""
        for name, change in written.items():
            waiting = self.change_of(folder, name)
            self.put(
                folder, name, Change(change.now, (waiting or Change(None, change.stored)).now)
            )


def is_same(one: IndexedPicture | None, other: IndexedPicture | None) -> bool:
    """Whether these are two rows of the same file."""
    return one is not None and other is not None and one.tag == other.tag


def add_to_totals(totals: Row, row: IndexedPicture, sign: int) -> None:
    """Add the row to the totals, or subtract it."""
    number, size = ("clips", "clip_bytes") if row.is_clip else ("pictures", "picture_bytes")
    totals[number] = totals.get(number, 0) + sign
    totals[size] = totals.get(size, 0) + sign * row.size


def add_to_hours(hours: dict[int, int], row: IndexedPicture, sign: int) -> None:
    """Add the row's bytes to the hour in which it was taken, or subtract them."""
    hour = row.taken_us // HOUR_US
    hours[hour] = hours.get(hour, 0) + sign * row.size


def _corrections(version: int, changes: list[Change]) -> Corrections:
    removed = [change.stored for change in changes if change.stored is not None]
    added = [change.now for change in changes if change.now is not None]
    totals: Row = {}
    for rows, sign in ((removed, -1), (added, 1)):
        for row in rows:
            add_to_totals(totals, row, sign)
    hidden = frozenset((row.is_clip, row.key) for row in (*removed, *added))
    return Corrections(version, hidden, removed, added, totals)
