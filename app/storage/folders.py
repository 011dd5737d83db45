"""What is newest in each folder right now? A watched tree knows; where none can, a walk."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from flask import Flask

from . import safe_open
from .asking import ConcurrencyLimit, FolderBusy, StorageThreads
from .checks import FileChecks
from .filesystems import Mount, MountTable, mounts
from .mount_threads import SILENT_SECONDS, Answer
from .newest_files import Candidate
from .scan import walk
from .versions import Versions
from .watched_tree import WatchedTree
from .watches import NOT_LOCAL, Watches, WatchLost

# How long a folder that cannot be watched is walked before watching is tried again, in seconds.
RETRY_SECONDS = 60
# How long a question waits for another thread that reads the same folder anew, before it walks.
PATIENCE_SECONDS = 0.05
# The watches of a folder that nobody has asked about for so long, in seconds, are given back when
# a new folder comes.
IDLE_SECONDS = 600
# How often the kernel's queue of 16,384 events is emptied, in seconds: it has room for a folder of
# thousands that is deleted, and for uploads that come in many small writes.
DRAIN_SECONDS = 0.1
OFF = "watching is switched off by NVR_WATCH"
NOT_YET = "the folder has not been read yet"

# A folder by device and inode, so that a folder put in its place is another one, and the
# `file_pattern` of the camera whose pictures are looked for in it.
FolderKey = tuple[int, int, str | None]


class FolderState(NamedTuple):
    """What is known of a folder: its newest candidates, when the last upload was seen to be
    completed (nanoseconds since the epoch, 0 if none was), and why it is polled, if it is.
    """

    newest: list[Candidate]
    uploaded_ns: int
    polling: str | None


@dataclass(slots=True)
class _Entry:
    """One folder and pattern: its tree while it can be watched, else the reason and when to try
    again.

    ``mounts``: the one that it lies on and those in it, by the ``table`` that was read last.
    """

    file_pattern: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    tree: WatchedTree | None = None
    reason: str = NOT_YET
    retry_at: float = 0.0
    uploaded_ns: int = 0
    table: MountTable | None = None
    mounts: tuple[Mount, ...] = ()
    asked_at: float = field(default_factory=time.monotonic)
    retained: bool = True


def init_app(app: Flask) -> None:
    """Give the app its `Folders`; nothing is watched before somebody asks."""
    app.extensions["folders"] = Folders(
        app.config["NVR_MAX_PICTURE_BYTES"],
        watch=app.config["NVR_WATCH"] == "auto",
        threads=app.config["NVR_THREADS"],
    )


class Folders:
    """Every folder that was asked about, until `retain` drops it. Safe for threads.

    ``most_bytes``: of a picture; ``threads``: how many answer requests.
    """

    def __init__(self, most_bytes: int, watch: bool = True, threads: int = 4) -> None:
        self.most_bytes = most_bytes
        self.checks = FileChecks(most_bytes)
        self.versions = Versions()
        self._watch = watch
        self._watches = Watches()
        self._entries: dict[FolderKey, _Entry] = {}
        self._lock = threading.Lock()
        self._slots = ConcurrencyLimit(max(1, threads // 2))
        self.threads = StorageThreads(max(1, threads // 2))

    def slot(self, base: str, folder_path: str) -> contextlib.AbstractContextManager[None]:
        """One of the threads that the folder may occupy, for the block; raises `FolderBusy`."""
        return self._slots.slot(safe_open.normalise(base, folder_path))

    def ask(self, function: Callable[[], Answer], base: str, folder_path: str) -> Answer:
        """What the function, which opens and reads the camera's folder, returns.

        A folder occupies at most half of the threads that answer requests, and one on a file
        system that may hang, none for long. Raises what the function does, `FolderBusy` and
        `safe_open.StorageNotAnswering`.
        """
        threads = self.threads.find(base, folder_path)
        try:
            with self.slot(base, folder_path):
                return threads.ask(function) if threads else function()
        except FolderBusy:
            if threads and threads.silence() >= SILENT_SECONDS:
                raise safe_open.StorageNotAnswering from None
            raise

    def query(self, folder: int, now: datetime, file_pattern: str | None = None) -> FolderState:
        """What lies below the descriptor ``folder``. Never older than the folder itself."""
        uploaded_ns, reason = 0, OFF
        if self._watch:
            key = folder_key(folder, file_pattern)
            entry = self._entry(key)
            if state := self._ask(entry, folder, now):
                return state
            uploaded_ns, reason = entry.uploaded_ns, entry.reason
        found = walk(folder, now, self.most_bytes, file_pattern)
        return FolderState(found, uploaded_ns, reason)

    def why_polled(self, folder: int, file_pattern: str | None = None) -> str | None:
        """Why a query of the folder would walk it; None where it is watched. Reads nothing."""
        if not self._watch:
            return OFF
        with self._lock:
            entry = self._entries.get(folder_key(folder, file_pattern), _Entry())
        return None if entry.tree else entry.reason

    def polling(self) -> list[str]:
        """Why each folder that cannot be watched is walked instead."""
        with self._lock:
            entries = [(key[:2], entry) for key, entry in self._entries.items()]
        walked = ((folder, e.reason) for folder, e in entries if not e.tree)
        return list({folder: reason for folder, reason in walked if reason != NOT_YET}.values())

    def drain(self) -> None:
        """Fetch the events that the kernel has queued before its queue overflows."""
        self._watches.drain()

    def retain(self, keys: Iterable[FolderKey]) -> None:
        """Stop watching all folders but these."""
        retained = set(keys)
        self._drop(lambda key, _: key not in retained)

    def _drop(self, is_needless: Callable[[FolderKey, _Entry], bool]) -> None:
        with self._lock:
            gone = [known for known, entry in self._entries.items() if is_needless(known, entry)]
            entries = [self._entries.pop(known) for known in gone]
        for entry in entries:
            entry.retained = False
            _release(entry)

    def _entry(self, key: FolderKey) -> _Entry:
        now = time.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            is_new = entry is None
            entry = entry or self._entries.setdefault(key, _Entry(key[-1]))
            entry.asked_at = now
        if is_new:  # where nobody calls `retain`, the watches of deleted cameras must end, too
            self._drop(lambda _, known: known.asked_at < now - IDLE_SECONDS)
        return entry

    def _ask(self, entry: _Entry, folder: int, now: datetime) -> FolderState | None:
        """What the tree knows, or a new one; None where there is none or another thread reads."""
        if not entry.lock.acquire(timeout=PATIENCE_SECONDS):
            return None
        try:
            _check_mounts(entry, folder)
            try:
                if entry.tree:
                    return self._from_tree(entry, entry.tree, folder, now)
            except WatchLost:
                pass
            if time.monotonic() >= entry.retry_at:
                with contextlib.suppress(WatchLost):
                    return self._from_tree(entry, self._read(entry, folder, now), folder, now)
            return None
        finally:
            entry.lock.release()
            if not entry.retained:
                _release(entry)

    def _read(self, entry: _Entry, folder: int, now: datetime) -> WatchedTree:
        """A new tree; where the folder cannot be watched, not before the next try."""
        try:
            for mount in entry.mounts:
                if not mount.is_local:
                    raise WatchLost(NOT_LOCAL.format(mount.kind, mount.point))
            entry.tree = WatchedTree(
                self._watches, folder, now, self.most_bytes, entry.file_pattern
            )
        except WatchLost as lost:
            entry.reason = str(lost)
            entry.retry_at = time.monotonic() + RETRY_SECONDS
            raise
        entry.reason = NOT_YET
        return entry.tree

    def _from_tree(
        self, entry: _Entry, tree: WatchedTree, folder: int, now: datetime
    ) -> FolderState:
        try:
            newest = tree.newest(folder, now)
        except BaseException as error:  # raised again: what was queued is half applied
            if isinstance(error, WatchLost):
                entry.reason = str(error)
            _close(entry)
            raise
        entry.uploaded_ns = tree.uploaded_ns or entry.uploaded_ns
        return FolderState(newest, entry.uploaded_ns, None)


def folder_key(folder: int, file_pattern: str | None = None) -> FolderKey:
    """What the folder is, whatever its name, and which pictures in it are meant."""
    status = os.fstat(folder)
    return status.st_dev, status.st_ino, file_pattern


def _check_mounts(entry: _Entry, folder: int) -> None:
    """Have the folder read anew where something was mounted or unmounted."""
    table = mounts.table()
    if table is not entry.table:
        around = table.around(safe_open.real_path(folder))
        if around != entry.mounts:
            _close(entry)
            entry.reason, entry.retry_at = NOT_YET, 0.0
        entry.table, entry.mounts = table, around


def _release(entry: _Entry) -> None:
    """Stop watching, unless a question is being answered: that one does it when it has ended."""
    if entry.lock.acquire(blocking=False):
        try:
            _close(entry)
        finally:
            entry.lock.release()


def _close(entry: _Entry) -> None:
    if entry.tree:
        entry.tree.close()
        entry.tree = None
