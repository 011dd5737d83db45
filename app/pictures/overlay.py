"""What changed since the index was written last? Every answer takes account of it."""

import threading
from typing import NamedTuple

from ..models import Row
from ..models.pictures import IndexedPicture, Key

# A row among the pictures and clips of a camera.
RowKey = tuple[bool, Key]


class Change(NamedTuple):
    """The row that the table has for a file, and the one that it should have."""

    stored: IndexedPicture | None
    now: IndexedPicture | None


class FolderFacts(NamedTuple):
    """What changes with what a folder holds; all zero where its files must be compared again."""

    inode: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0


class Corrections(NamedTuple):
    """By what the rows of the table of this ``version`` are to be corrected.

    ``hidden``: those that do not count, or are among the ``added`` ones; ``removed``: those that
    the table has; ``totals``: what is to be added to the totals.
    """

    version: int
    hidden: frozenset[RowKey]
    removed: list[IndexedPicture]
    added: list[IndexedPicture]
    totals: Row


class Batch(NamedTuple):
    """What is written together: changes by folder and name, and facts of folders."""

    changes: dict[str, dict[str, Change]]
    folders: dict[str, FolderFacts | None]


class Overlay:
    """The changes of one camera's pictures that are not written yet. Safe for threads.

    ``version``: of the table's rows that they belong to; ``is_urgent``: whether they must be
    written soon. A folder whose facts are None is gone.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.version, self.is_urgent = 0, False
        self._changes: dict[str, dict[str, Change]] = {}
        self._number = 0
        self._folders: dict[str, FolderFacts | None] = {}
        self._corrections: Corrections | None = None

    def __len__(self) -> int:
        return self._number + len(self._folders)

    def clear(self, version: int) -> None:
        """Forget all changes; the table has this version now."""
        with self.lock:
            self._changes, self._folders, self._number = {}, {}, 0
            self.version, self.is_urgent, self._corrections = version, False, None

    def changes_in(self, folder: str) -> dict[str, Change]:
        """What waits for the files in a folder, by their names."""
        with self.lock:
            return dict(self._changes.get(folder, {}))

    def change_of(self, folder: str, name: str) -> Change | None:
        """What waits for one file."""
        return self._changes.get(folder, {}).get(name)

    def folders_below(self, top: str) -> list[str]:
        """The folders below this one in which files wait."""
        prefix = f"{top}/" if top else ""
        with self.lock:
            return [each for each in self._changes if each.startswith(prefix)]

    def facts_of(self, folder: str) -> FolderFacts | None:
        """What waits for a folder."""
        return self._folders.get(folder)

    def put(self, folder: str, name: str, change: Change) -> None:
        """Let the change of a file wait."""
        with self.lock:
            files = self._changes.setdefault(folder, {})
            self._number -= files.pop(name, None) is not None
            if change.stored != change.now:
                files[name] = change
                self._number += 1
            elif not files:
                del self._changes[folder]
            self._corrections = None

    def put_folder(self, folder: str, facts: FolderFacts | None) -> None:
        """Let the facts of a folder wait."""
        with self.lock:
            self._folders[folder] = facts

    def corrections(self) -> Corrections:
        """What an answer is to take account of."""
        with self.lock:
            if self._corrections is None:
                changes = [c for files in self._changes.values() for c in files.values()]
                self._corrections = _corrections(self.version, changes)
            return self._corrections

    def batch(self, most: int) -> Batch:
        """What is to be written next: about so many changes, and the folders with the last."""
        with self.lock:
            taken: dict[str, dict[str, Change]] = {}
            for folder, files in self._changes.items():
                taken[folder] = dict(list(files.items())[:most])
                most -= len(taken[folder])
                if most <= 0:
                    break
            number = sum(map(len, taken.values()))
            return Batch(taken, dict(self._folders) if number == self._number else {})

    def settle(self, written: Batch, version: int) -> None:
        """Forget what was written, unless it has changed since; the table has this version."""
        with self.lock:
            if self.version != version:  # else what waits was compared with these rows already
                self.version, self._corrections = version, None
                for folder, changes in written.changes.items():
                    self._rebase(folder, changes)
            for folder, facts in written.folders.items():
                if folder in self._folders and self._folders[folder] == facts:
                    del self._folders[folder]
            self.is_urgent = self.is_urgent and not written.folders

    def _rebase(self, folder: str, written: dict[str, Change]) -> None:
        """What waits for these files now differs from the rows that were written."""
        for name, change in written.items():
            waiting = self.change_of(folder, name)
            self.put(
                folder, name, Change(change.now, (waiting or Change(None, change.stored)).now)
            )


def add_to_totals(totals: Row, row: IndexedPicture, sign: int) -> None:
    """Count the row in, or out."""
    number, size = ("clips", "clip_bytes") if row.is_clip else ("pictures", "picture_bytes")
    totals[number] = totals.get(number, 0) + sign
    totals[size] = totals.get(size, 0) + sign * row.size


def _corrections(version: int, changes: list[Change]) -> Corrections:
    removed = [change.stored for change in changes if change.stored is not None]
    added = [change.now for change in changes if change.now is not None]
    totals: Row = {}
    for rows, sign in ((removed, -1), (added, 1)):
        for row in rows:
            add_to_totals(totals, row, sign)
    hidden = frozenset((row.is_clip, row.key) for row in (*removed, *added))
    return Corrections(version, hidden, removed, added, totals)
