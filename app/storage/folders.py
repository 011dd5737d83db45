"""Which files are newest in each folder now? Found by a watched tree or, where that cannot be, by
a walk.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from flask import Flask

from . import safe_open
from .changes import Changes, Upload
from .checks import FileChecks
from .folder_entry import NOT_YET, FolderEntry, FolderKey, FolderState, folder_key
from .mount_threads import SILENT_SECONDS, Answer, ConcurrencyLimit, FolderBusy, StorageThreads
from .scan import is_clip, walk
from .storage_clock import JUMP_NS, StorageClock, UntrustedTimes
from .versions import Versions
from .watched_tree import WatchedTree
from .watches import NOT_LOCAL, REPLACED, Watches, WatchLost

# In seconds: how long a folder that cannot be watched is walked before watching is tried again;
# how long a query waits for another thread that reads the same folder, before it walks; after how
# long without a query a folder is no longer watched, once a new folder is queried.
RETRY_SECONDS, PATIENCE_SECONDS, IDLE_SECONDS = 60, 0.05, 600
# How often the kernel's queue of 16,384 events is emptied, in seconds: it has room for a folder of
# thousands that is deleted, and for uploads that come in many small writes.
DRAIN_SECONDS = 0.1
OFF = "watching is switched off by NVR_WATCH"


def init_app(app: Flask) -> None:
    """Give the app its `Folders`; nothing is watched before the first query."""
    app.extensions["folders"] = Folders(
        app.config["NVR_MAX_PICTURE_BYTES"],
        watch=app.config["NVR_WATCH"] == "auto",
        threads=app.config["NVR_THREADS"],
    )


class Folders:
    """Every folder that was queried, until `retain` drops it. Safe for threads.

    ``most_bytes``: the largest picture; ``watch``: whether folders are watched where possible;
    ``threads``: how many threads answer requests.
    """

    def __init__(self, most_bytes: int, watch: bool = True, threads: int = 4) -> None:
        self.most_bytes = most_bytes
        self.checks = FileChecks(most_bytes)
        self.versions = Versions(self.checks)
        self._untrusted = UntrustedTimes()
        self.watch = watch
        self._watches = Watches()
        self._entries: dict[FolderKey, FolderEntry] = {}
        self._lock = threading.Lock()
        self._slots = ConcurrencyLimit(max(1, threads // 2))
        self.threads = StorageThreads(max(1, threads // 2))

    def slot(self, base: str, folder_path: str) -> contextlib.AbstractContextManager[None]:
        """One of the threads that the folder may occupy, for the block; raises `FolderBusy`."""
        return self._slots.slot(safe_open.normalise(base, folder_path))

    def ask(self, function: Callable[[], Answer], base: str, folder_path: str) -> Answer:
        """The result of ``function``, which opens and reads the camera's folder.

        A folder occupies at most half of the threads that answer requests, and a folder on a file
        system that may hang, none for long. Raises what ``function`` raises, `FolderBusy` and
        `safe_open.StorageNotAnswering`.
        """
        threads, key = self.threads.find(base, folder_path), safe_open.normalise(base, folder_path)
        try:
            with self._slots.slot(key):
                return threads.ask(function, folder=key) if threads else function()
        except FolderBusy:
            if threads and threads.silence() >= SILENT_SECONDS:
                raise safe_open.StorageNotAnswering from None
            raise

    def query(self, folder: int, now: datetime, file_pattern: str | None = None) -> FolderState:
        """What is below the descriptor ``folder`` now; never an older state."""
        entry = self._entry(folder_key(folder, file_pattern))
        if not self.watch:
            entry.check_mounts(folder)
            return self._walk(entry, folder, now, OFF)
        return self._ask(entry, folder, now) or self._walk(entry, folder, now, entry.reason)

    def clock(self, folder: int, now: datetime, file_pattern: str | None = None) -> StorageClock:
        """The clock of the folder's storage, as far as it is known."""
        entry = self._entry(folder_key(folder, file_pattern))
        if entry.table is None:
            entry.check_mounts(folder)
        return self._clock(entry, now)

    def remembered(
        self, folder: int, file_pattern: str | None = None
    ) -> tuple[str | None, Upload | None]:
        """Why a query would walk the folder, None where it is watched, and the last known upload.

        Reads nothing.
        """
        entry = self._entries.get(folder_key(folder, file_pattern), FolderEntry())
        reason = entry.reason if self.watch else OFF
        return None if entry.tree else reason, entry.upload

    def take_changes(self, folder: int, name: str, file_pattern: str | None = None) -> Changes:
        """The changes of a watched folder since the last call of this follower.

        As far as `query` has learned of it.
        """
        return self._entry(folder_key(folder, file_pattern)).followers.take(name)

    def polling(self) -> list[str]:
        """Why each folder that cannot be watched is walked instead."""
        with self._lock:
            walked = {key[:2]: e.reason for key, e in self._entries.items() if not e.tree}
        return [reason for reason in walked.values() if reason != NOT_YET]

    def drain(self) -> set[FolderKey]:
        """Fetch the events that the kernel has queued before its queue overflows.

        Returns the folders in which the file whose last version is remembered was completed again.
        """
        self._watches.drain()
        with self._lock:
            entries = list(self._entries.items())
        watched = ((key, entry.tree, self.versions.newest(key)) for key, entry in entries)
        return {
            key
            for key, tree, version in watched
            if tree and version and tree.is_completed(version.path.rpartition("/")[2])
        }

    def retain(self, keys: Iterable[FolderKey]) -> None:
        """Stop watching all folders but these."""
        retained = set(keys)
        self._drop(lambda key, _: key not in retained)

    def _drop(self, is_needless: Callable[[FolderKey, FolderEntry], bool]) -> None:
        with self._lock:
            gone = [known for known, entry in self._entries.items() if is_needless(known, entry)]
            entries = [self._entries.pop(known) for known in gone]
        for entry in entries:
            entry.retained = False
            entry.release()

    def _entry(self, key: FolderKey) -> FolderEntry:
        now = time.monotonic()
        with self._lock:
            is_new = key not in self._entries
            if is_new:
                self._entries[key] = FolderEntry(key[-1])
            entry = self._entries[key]
            entry.asked_at = now
        if is_new:  # where `retain` is never called, the watches of deleted cameras must end too
            self._drop(lambda _, known: known.asked_at < now - IDLE_SECONDS)
        return entry

    def _clock(self, entry: FolderEntry, now: datetime) -> StorageClock:
        is_local = all(mount.is_local for mount in entry.mounts)
        now_ns, arrivals = self._untrusted.notice(now), entry.arrivals
        return StorageClock(
            *(now_ns, arrivals.ahead_ns, is_local, self._untrusted, arrivals.was_set)
        )

    def _walk(self, entry: FolderEntry, folder: int, now: datetime, reason: str) -> FolderState:
        """Walk the folder; once more if its files show that the storage's clock is another one."""
        for _ in range(2):
            clock = self._clock(entry, now)
            found = walk(folder, clock, self.most_bytes, entry.file_pattern)
            entry.arrivals.note(found, clock, self._untrusted.jumps)
            if abs(entry.arrivals.ahead_ns - clock.ahead_ns) <= JUMP_NS:
                break
        if arrived := entry.arrivals.pending:
            examine, path = self.checks.examine, arrived.path
            if is_clip(path) or not examine(folder, path, clock)[1].is_being_written:
                entry.upload = Upload(clock.box_ns, arrived.path, arrived.mtime_ns)
                entry.arrivals.pending = None
        return FolderState(found.newest, found.clips, entry.upload, reason, clock, found.gone)

    def _ask(self, entry: FolderEntry, folder: int, now: datetime) -> FolderState | None:
        """The state by the tree, or a new one; None if there is none or another thread reads."""
        if not entry.lock.acquire(timeout=PATIENCE_SECONDS):
            return None
        try:
            return self._from_tree(entry, folder, now)
        finally:
            entry.lock.release()
            if not entry.retained:
                entry.release()

    def _from_tree(self, entry: FolderEntry, folder: int, now: datetime) -> FolderState | None:
        entry.check_mounts(folder)
        clock = self._clock(entry, now)
        if entry.jumps != self._untrusted.jumps:
            entry.close()
            entry.jumps = self._untrusted.jumps
        for _ in range(2):  # once more with a new tree, where events are incomplete
            try:
                tree = entry.tree or self._read(entry, folder, clock)
                newest, clips = tree.newest(folder, clock)
            except WatchLost as lost:
                entry.reason = str(lost)
                if entry.reason == REPLACED:  # a new folder may have the inode of a deleted one
                    entry.upload = None
                entry.close()
            except BaseException:  # raised again: the queued events are applied in part
                entry.close()
                raise
            else:
                entry.upload = tree.upload or entry.upload
                if changes := tree.take_changes():
                    entry.followers.note(changes)
                return FolderState(newest, clips, entry.upload, None, clock)
        return None

    def _read(self, entry: FolderEntry, folder: int, clock: StorageClock) -> WatchedTree:
        """A new tree; raises `WatchLost` until watching is to be tried again."""
        if time.monotonic() < entry.retry_at:
            raise WatchLost(entry.reason)
        try:
            for mount in entry.mounts:
                if not mount.is_local:
                    raise WatchLost(NOT_LOCAL.format(mount.kind, mount.point))
            tree = WatchedTree(self._watches, folder, clock, self.most_bytes, entry.file_pattern)
        except WatchLost:
            entry.retry_at = time.monotonic() + RETRY_SECONDS
            raise
        entry.tree, entry.reason = tree, NOT_YET
        entry.followers.note(Changes(lost=True))
        return tree
