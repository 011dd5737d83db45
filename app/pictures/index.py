"""Which pictures does each camera have? An index that follows all folders."""

import logging
import sys
import threading
import time
from contextlib import suppress

from flask import Flask

from ..db import mark_followed
from ..models import Camera, CameraSettings, Row
from ..services import database_number
from ..services.clock_guard import ClockGuard
from ..services.monitor import Monitor
from ..storage import safe_open
from ..storage.folders import Folders
from ..storage.mount_threads import FolderBusy, MountThreads, Task
from .camera_index import CameraIndex
from .files import Finder
from .overlay import Batch
from .writing import delete_detached, write

log = logging.getLogger(__name__)

# How often the folders are followed, and for how long at the most, in seconds.
TICK_SECONDS, WORK_SECONDS = 0.5, 2.0
# How long a request continues a comparison, and one for the list of pictures, in seconds.
REQUEST_SECONDS, LIST_SECONDS = 0.25, 1.0
# Changes are written when the monitor writes, if `MANY_WAITING` wait or `LONGEST_SECONDS` have
# passed, because even a few write a page of the database. If `MOST_WAITING` wait, they are written
# at once. This is checked in each round, and after each camera that has at least `FEW_WAITING`.
MOST_WAITING, MANY_WAITING, FEW_WAITING, LONGEST_SECONDS = 2000, 500, 100, 300.0
ROWS_AT_ONCE = 2000
# How soon after an attempt to write changes the monitor may be made to write them too, in seconds.
RETRY_SECONDS = 3.0
# Exceptions which mean only that a folder cannot be read now.
UNREADABLE = (safe_open.OutsideBase, safe_open.FolderNotFound, safe_open.StorageNotAnswering)
# Exceptions of `PictureIndex.follow`, after which the index is as it was.
NOT_FOLLOWED = (*UNREADABLE, FolderBusy)


def init_app(app: Flask) -> None:
    """Create the app's index; the server calls its `tick`."""
    app.extensions["pictures"] = PictureIndex(
        app.config["NVR_FOSCAM_BASE_PATH"],
        app.extensions["folders"],
        app.extensions["monitor"],
        app.config["NVR_MAX_PICTURE_BYTES"],
        app.extensions["clock_guard"],
    )


class PictureIndex:
    """The index of each camera. Safe for threads, but only one may call `tick` and `close`.

    ``base``: the base path.
    """

    def __init__(
        self, base: str, folders: Folders, monitor: Monitor, most_bytes: int, guard: ClockGuard
    ) -> None:
        self.base, self._folders, self._most_bytes = base, folders, most_bytes
        self._is_plausible = lambda: guard.why_implausible() is None
        self._monitor, monitor.write_due = monitor, self._write_with_monitor
        self._cameras: dict[str, CameraIndex] = {}
        self._tasks: dict[str, tuple[MountThreads, Task[bool]]] = {}
        self._failing: set[str] = set()
        self._is_following = False
        self._is_stopping = threading.Event()
        self._flush_lock, self._flushed_at = threading.RLock(), time.monotonic()
        # When no change waited, by the monotonic clock.
        self._nothing_waited_at = time.monotonic()
        # How many turns of cameras and writes have failed since the start.
        self.failures = 0

    def of(self, camera: Row) -> CameraIndex:
        """The index of a camera, for its current folder and pattern."""
        return self._of(camera, CameraSettings.of(camera["id"])["file_pattern"])

    def all(self) -> list[tuple[Row, CameraIndex]]:
        """Every camera and its index."""
        settings = CameraSettings.by_camera()
        return [
            (camera, self._of(camera, settings.get(camera["id"], {}).get("file_pattern")))
            for camera in Camera.listing()
        ]

    def follow(self, camera: Row, is_listing: bool = False) -> CameraIndex:
        """A camera's index, brought up to date in a limited time; raises `NOT_FOLLOWED`."""
        index = self.of(camera)

        def catch_up() -> None:
            with index.opened():
                index.catch_up(is_asked=True)
                index.compare(LIST_SECONDS if is_listing else REQUEST_SECONDS)

        index.ask(catch_up)
        return index

    def stop(self) -> None:
        """Let `tick` end after the camera that it follows."""
        self._is_stopping.set()

    def tick(self) -> None:
        """Follow every folder for a limited time, and write the changes that are due."""
        if not self._monitor.leads:
            return
        if not self.waiting():
            self._nothing_waited_at = time.monotonic()
        busy = self.all()
        for gone in self._cameras.keys() - {camera["id"] for camera, _ in busy}:
            self._cameras.pop(gone)
        if not self._is_following:
            self._is_following = True
            if mark_followed(True) or database_number.is_other():
                for _, index in busy:
                    index.check_all_again()
        until = time.monotonic() + WORK_SECONDS
        while busy and time.monotonic() < until:
            busy = [each for each in busy if not self._advance_or_log(*each)]
            self._flush_if_due()
        delete_detached(ROWS_AT_ONCE)

    def flush(self) -> None:
        """Write the changes that wait, about `ROWS_AT_ONCE`, and those of the monitor."""
        with self._flush_lock:
            self._flushed_at = time.monotonic()
            writing = self._batches()
            try:
                rows = self._monitor.flush(lambda: [write(*each) for each in writing])
                for (index, batch), row in zip(writing, rows, strict=True):
                    if row is not None:
                        index.drop_written(batch, row)
            finally:
                for index, _ in writing:
                    index.lookups.overlay.end_writing()

    def close(self) -> None:
        """Write all changes that wait."""
        before = sys.maxsize
        while 0 < self.waiting() < before:
            before = self.waiting()
            self.flush()
        must_check_all = any(index.must_check_all for index in list(self._cameras.values()))
        if self._is_following and not self.waiting() and not must_check_all:
            mark_followed(False)
        self._is_following = False

    def waiting(self) -> int:
        """How many changes are not written yet."""
        return sum(len(index.lookups.overlay) for index in list(self._cameras.values()))

    def lag(self) -> Row:
        """How many ``changes`` wait to be written, for how many ``seconds``, and for how many
        ``cameras`` the folders are being compared with the index.
        """
        changes = self.waiting() if self._monitor.leads else 0
        comparing = [index for index in list(self._cameras.values()) if index.comparison.is_busy]
        return {
            "seconds": time.monotonic() - self._nothing_waited_at if changes else 0.0,
            "changes": changes,
            "cameras": len(comparing),
        }

    def _of(self, camera: Row, file_pattern: str | None) -> CameraIndex:
        found_by = camera["folder_path"], file_pattern
        index = self._cameras.get(camera["id"])
        if index is None or index.found_by != found_by:
            finder = Finder(camera["id"], file_pattern, self._most_bytes)
            index = CameraIndex(
                self._folders, self.base, camera["folder_path"], finder, self._is_plausible
            )
            self._cameras[camera["id"]] = index
        return index

    def _flush_if_due(self) -> None:
        """Write the changes if that is due; afterwards fewer than `MOST_WAITING` wait."""
        with self._flush_lock:
            while self._monitor.may_flush() or self.waiting() >= MOST_WAITING:
                if not self._is_due():
                    break
                self.flush()

    def _is_due(self) -> bool:
        """Whether enough changes wait to be written when the monitor may write."""
        waiting, seconds = self.waiting(), time.monotonic() - self._flushed_at
        if any(index.lookups.overlay.is_urgent for index in list(self._cameras.values())):
            return True
        return waiting >= MANY_WAITING or (waiting > 0 and seconds >= LONGEST_SECONDS)

    def _write_with_monitor(self) -> None:
        """Write what the monitor has to write, and the changes that are due."""
        with self._flush_lock:
            if not self._monitor.may_flush():
                return  # it was written with the changes while this thread waited
            # After a failure the monitor writes alone.
            if self._is_due() and time.monotonic() - self._flushed_at >= RETRY_SECONDS:
                self.flush()
            else:
                self._monitor.flush(lambda: None)

    def _batches(self) -> list[tuple[CameraIndex, Batch]]:
        """What a flush writes; without the facts of folders on storage that may hang."""
        batches, most = [], ROWS_AT_ONCE
        for index in list(self._cameras.values()):
            if len(index.lookups.overlay) and most > 0:
                if self._folders.threads.find(self.base, index.found_by[0]) is None:
                    with suppress(*UNREADABLE), index.opened():
                        index.prepare_flush()
                batches.append((index, index.lookups.overlay.batch(most)))
                most -= sum(map(len, batches[-1][1].changes.values()))
        return batches

    def _advance_or_log(self, camera: Row, index: CameraIndex) -> bool:
        """Follow a camera for a while; return whether that is all, until the next tick."""
        if self._is_stopping.is_set():
            return True
        try:
            is_done = self._advance(camera, index)
            self._failing.discard(camera["id"])
        except UNREADABLE:
            return True
        except Exception:  # whatever it is, the other cameras must be followed
            self.failures += 1
            if camera["id"] not in self._failing:
                self._failing.add(camera["id"])
                log.exception("following the pictures of camera %s failed", camera["id"])
            return True
        if len(index.lookups.overlay) >= FEW_WAITING:
            self._flush_if_due()
        return is_done

    def _advance(self, camera: Row, index: CameraIndex) -> bool:
        """Follow a camera for a while; return whether that is all until the next tick.

        On storage that may hang, a thread of its mount does it, and a later call takes its result.
        """
        threads = self._folders.threads.find(self.base, camera["folder_path"])
        if threads is None:
            return index.follow_in_steps()
        asked = self._tasks.pop(camera["id"], None)
        if asked and asked[0] is threads and not asked[1].future.done():
            self._tasks[camera["id"]] = asked
            return True
        if asked and asked[1].future.done():
            asked[1].future.result()
        self._tasks[camera["id"]] = threads, threads.begin(index.follow_in_steps)
        return True
