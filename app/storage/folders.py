"""What is newest in each folder right now? A watched tree knows; where none can, a walk."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from .newest_files import Candidate
from .scan import walk
from .watched_tree import Tree
from .watches import Lost

# How long a folder that cannot be watched is walked before watching is tried again, in seconds.
RETRY_SECONDS = 60
# How long a question waits for another thread that reads the same folder anew, before it walks.
PATIENCE_SECONDS = 0.05
# A folder that nobody has asked about for so long, in seconds, is let go when a new one comes.
IDLE_SECONDS = 600
OFF = "watching is switched off by NVR_WATCH"
NOT_YET = "the folder has not been read yet"

# A folder by device and inode, so that a folder put in its place is another one.
Key = tuple[int, int]


class Look(NamedTuple):
    """What is known of a folder: its newest candidates, when the last upload was seen to be
    completed (nanoseconds since the epoch, 0 if none was), and why it is polled, if it is.
    """

    newest: list[Candidate]
    uploaded_ns: int
    polling: str | None


@dataclass(slots=True)
class _Entry:
    """One folder: its tree while it can be watched, else the reason and when to try again."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    tree: Tree | None = None
    reason: str = NOT_YET
    retry_at: float = 0.0
    uploaded_ns: int = 0
    asked_at: float = field(default_factory=time.monotonic)
    kept: bool = True


class Folders:
    """Every folder that was ever asked about, until `keep` lets go of it. Safe for threads."""

    def __init__(self, most_bytes: int, watch: bool = True) -> None:
        self._most_bytes = most_bytes
        self._watch = watch
        self._entries: dict[Key, _Entry] = {}
        self._lock = threading.Lock()

    def newest(self, folder: int, now: datetime) -> list[Candidate]:
        """The newest candidates below the descriptor ``folder``, the first to be tried first."""
        return self.look(folder, now).newest

    def look(self, folder: int, now: datetime) -> Look:
        """The newest candidates, and how they are known. Never older than the folder itself."""
        if not self._watch:
            return Look(walk(folder, now, self._most_bytes), 0, OFF)
        entry = self._entry(key_of(folder))
        return self._ask(entry, folder, now) or Look(
            walk(folder, now, self._most_bytes), entry.uploaded_ns, entry.reason
        )

    def why_polled(self, folder: int) -> str | None:
        """Why a look at the folder would read it; None where it is watched. Reads nothing."""
        if not self._watch:
            return OFF
        with self._lock:
            entry = self._entries.get(key_of(folder), _Entry())
        return None if entry.tree else entry.reason

    def polling(self) -> list[str]:
        """Why each folder that cannot be watched is walked instead."""
        with self._lock:
            entries = list(self._entries.values())
        return [entry.reason for entry in entries if not entry.tree and entry.reason != NOT_YET]

    def keep(self, keys: Iterable[Key]) -> None:
        """Stop watching all folders but these."""
        kept = set(keys)
        self._drop(lambda key, _: key not in kept)

    def _drop(self, is_needless: Callable[[Key, _Entry], bool]) -> None:
        with self._lock:
            gone = [key for key, entry in self._entries.items() if is_needless(key, entry)]
            entries = [self._entries.pop(key) for key in gone]
        for entry in entries:
            entry.kept = False
            _let_go(entry)

    def _entry(self, key: Key) -> _Entry:
        now = time.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            is_new = entry is None
            entry = entry or self._entries.setdefault(key, _Entry())
            entry.asked_at = now
        if is_new:  # where nobody calls `keep`, the watches of deleted cameras must end, too
            self._drop(lambda _, known: known.asked_at < now - IDLE_SECONDS)
        return entry

    def _ask(self, entry: _Entry, folder: int, now: datetime) -> Look | None:
        """What the tree knows, or a new one; None where there is none or another thread reads."""
        if not entry.lock.acquire(timeout=PATIENCE_SECONDS):
            return None
        try:
            try:
                if entry.tree:
                    return self._from_tree(entry, entry.tree, folder, now)
            except Lost:
                pass
            if time.monotonic() >= entry.retry_at:
                with contextlib.suppress(Lost):
                    return self._from_tree(entry, self._plant(entry, folder, now), folder, now)
            return None
        finally:
            entry.lock.release()
            if not entry.kept:
                _let_go(entry)

    def _plant(self, entry: _Entry, folder: int, now: datetime) -> Tree:
        """A new tree; where the folder cannot be watched, not before the next try."""
        try:
            entry.tree = Tree(folder, now, self._most_bytes)
        except Lost as lost:
            entry.reason = str(lost)
            entry.retry_at = time.monotonic() + RETRY_SECONDS
            raise
        entry.reason = NOT_YET
        return entry.tree

    def _from_tree(self, entry: _Entry, tree: Tree, folder: int, now: datetime) -> Look:
        try:
            newest = tree.newest(folder, now)
        except BaseException as error:  # raised again: what was queued is half applied
            if isinstance(error, Lost):
                entry.reason = str(error)
            _cut(entry)
            raise
        entry.uploaded_ns = max(entry.uploaded_ns, tree.uploaded_ns)
        return Look(newest, entry.uploaded_ns, None)


def key_of(folder: int) -> Key:
    """What the folder is, whatever its name."""
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def _let_go(entry: _Entry) -> None:
    """Stop watching, unless a question is being answered: that one does it when it has ended."""
    if entry.lock.acquire(blocking=False):
        try:
            _cut(entry)
        finally:
            entry.lock.release()


def _cut(entry: _Entry) -> None:
    if entry.tree:
        entry.tree.close()
        entry.tree = None
