"""Which pictures does each camera have? An index that follows all folders."""

import logging
import sys
import time
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from flask import Flask

from ..db import writer
from ..models import Camera, CameraSettings, Row
from ..models.picture_folders import PictureCamera, PictureFolder
from ..models.pictures import Picture
from ..services.monitor import Monitor
from ..storage import safe_open
from ..storage.folders import Folders
from ..storage.mount_threads import MountThreads, Task
from .camera_index import CameraIndex
from .files import Finder
from .overlay import Batch, FolderFacts, add_to_totals

log = logging.getLogger(__name__)

# How often the folders are followed, and for how long at the most, in seconds.
TICK_SECONDS, WORK_SECONDS = 0.5, 2.0
# The work of a step and the pause after it, in which requests are answered, in seconds.
STEP_SECONDS, PAUSE_SECONDS = 0.002, 0.004
# The longest turn of a camera that has much to compare, in seconds.
TURN_SECONDS = 0.05
# How long a request continues a comparison, in seconds.
REQUEST_SECONDS = 0.25
# Changes are written when there are `MOST_WAITING`; when there are `MANY_WAITING` and
# NVR_LAST_SEEN_FLUSH_SECONDS have passed; and after `LONGEST_SECONDS` in any case. Each few of
# them write a page of the database.
MOST_WAITING, MANY_WAITING, LONGEST_SECONDS = 2000, 500, 300.0
ROWS_AT_ONCE = 1000
# Exceptions which mean only that a folder cannot be read now.
UNREADABLE = (safe_open.OutsideBase, safe_open.FolderNotFound, safe_open.StorageNotAnswering)


class Limits(NamedTuple):
    """``flush_seconds``: how often changes are written; ``most_bytes``: the largest picture."""

    flush_seconds: float
    most_bytes: int


def init_app(app: Flask) -> None:
    """Create the app's index; the server calls its `tick`."""
    app.extensions["pictures"] = PictureIndex(
        app.config["NVR_FOSCAM_BASE_PATH"],
        app.extensions["folders"],
        app.extensions["monitor"],
        Limits(app.config["NVR_LAST_SEEN_FLUSH_SECONDS"], app.config["NVR_MAX_PICTURE_BYTES"]),
    )


class PictureIndex:
    """The index of each camera. Safe for threads, but `tick` and `close` are one thread's."""

    def __init__(self, base: str, folders: Folders, monitor: Monitor, limits: Limits) -> None:
        self._base, self._folders, self._monitor, self._limits = base, folders, monitor, limits
        self._cameras: dict[str, CameraIndex] = {}
        self._tasks: dict[str, tuple[MountThreads, Task[bool]]] = {}
        self._failing: set[str] = set()
        self._flushed_at = float("-inf")
        # How many turns of cameras and writes have failed since the start.
        self.failures = 0

    def of(self, camera: Row) -> CameraIndex:
        """The index of a camera, for its current folder and pattern."""
        return self._of(camera, CameraSettings.of(camera["id"])["file_pattern"])

    def follow(self, camera: Row) -> CameraIndex:
        """The same, with all changes of the folder before this call.

        Raises `safe_open.OutsideBase`, `FolderNotFound`, `StorageNotAnswering` and `FolderBusy`.
        """
        index = self.of(camera)

        def catch_up() -> None:
            with index.opened():
                index.catch_up(is_asked=True)
                index.compare(REQUEST_SECONDS)

        index.ask(catch_up)
        return index

    def tick(self) -> None:
        """Follow every folder for a limited time, and write the changes that are due."""
        if not self._monitor.leads:
            return
        cameras, settings = Camera.listing(), CameraSettings.by_camera()
        for gone in self._cameras.keys() - {camera["id"] for camera in cameras}:
            self._cameras.pop(gone)
        busy = [
            (camera, self._of(camera, settings.get(camera["id"], {}).get("file_pattern")))
            for camera in cameras
        ]
        until = time.monotonic() + WORK_SECONDS
        while busy and time.monotonic() < until:
            busy = [each for each in busy if not self._advance_or_log(*each)]
            if self._is_due():
                self.flush()
        self._delete_detached()

    def flush(self) -> None:
        """Write the changes that wait, at most `ROWS_AT_ONCE` of each camera."""
        self._flushed_at = time.monotonic()
        waiting = [index for index in self._cameras.values() if len(index.lookups.overlay)]
        for index in waiting:
            with suppress(*UNREADABLE):
                self._prepare(index)
        writing = [
            (index, index.lookups.overlay.batch(ROWS_AT_ONCE))
            for index in waiting
            if index.lookups.number
        ]
        for index, batch in writing:
            version = writer.run(partial(_write, index, batch), alone=True)
            if version is not None:
                index.lookups.overlay.settle(batch, version)

    def close(self) -> None:
        """Write all changes that wait."""
        before = sys.maxsize
        while 0 < self.waiting() < before:
            before = self.waiting()
            self.flush()

    def waiting(self) -> int:
        """How many changes are not written yet."""
        return sum(len(index.lookups.overlay) for index in list(self._cameras.values()))

    def _of(self, camera: Row, file_pattern: str | None) -> CameraIndex:
        found_by = camera["folder_path"], file_pattern
        index = self._cameras.get(camera["id"])
        if index is None or index.found_by != found_by:
            finder = Finder(camera["id"], file_pattern, self._limits.most_bytes)
            index = CameraIndex(self._folders, self._base, camera["folder_path"], finder)
            self._cameras[camera["id"]] = index
        return index

    def _is_due(self) -> bool:
        waiting, seconds = self.waiting(), time.monotonic() - self._flushed_at
        if any(index.lookups.overlay.is_urgent for index in self._cameras.values()):
            return True
        least = MANY_WAITING if seconds >= self._limits.flush_seconds else MOST_WAITING
        return waiting >= least or (waiting > 0 and seconds >= LONGEST_SECONDS)

    def _advance_or_log(self, camera: Row, index: CameraIndex) -> bool:
        """Give a camera its turn; return whether it needs no further one. Logs a failure once."""
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
        return is_done

    def _advance(self, camera: Row, index: CameraIndex) -> bool:
        """Take a turn. On storage that may hang a thread of its mount takes it, until a later
        turn.
        """
        threads = self._folders.threads.find(self._base, camera["folder_path"])
        if threads is None:
            return _take_turn(index)
        asked = self._tasks.pop(camera["id"], None)
        if asked and asked[0] is threads and not asked[1].future.done():
            self._tasks[camera["id"]] = asked
            return True
        if asked and asked[1].future.done():
            asked[1].future.result()
        self._tasks[camera["id"]] = threads, threads.begin(partial(_take_turn, index))
        return True

    def _prepare(self, index: CameraIndex) -> None:
        """Prepare the writing; on storage that may hang without the facts of folders."""
        if self._folders.threads.find(self._base, index.found_by[0]) is None:
            with index.opened():
                index.begin_rows()
                index.prepare_flush()
        elif not index.lookups.number:
            index.begin_rows()

    def _delete_detached(self) -> None:
        """Delete some rows of cameras that were deleted, or have another folder or pattern now."""
        for number in PictureCamera.detached()[:1]:
            writer.run(partial(_delete_some, number), alone=True)


def _take_turn(index: CameraIndex) -> bool:
    """Follow the camera's folder for a while, in small steps; return whether nothing is left."""
    until = time.monotonic() + TURN_SECONDS
    while True:
        with index.opened():
            index.catch_up(is_asked=False)
            is_done = index.compare(STEP_SECONDS)
        if is_done or time.monotonic() >= until:
            return is_done
        time.sleep(PAUSE_SECONDS)


def _write(index: CameraIndex, batch: Batch) -> int | None:
    """Write the changes, and then the facts of folders; return the table's new version.

    Returns None, and writes nothing, if the table now belongs to another index.
    """
    number = index.lookups.number
    row = PictureCamera.find(camera_id=index.lookups.finder.camera_id)
    if row is None or row["id"] != number:
        return None
    totals: Row = {}
    for folder, changes in batch.changes.items():
        folder_id = _folder_id(number, folder)
        for stored in Picture.in_folder(folder_id, changes):
            add_to_totals(totals, stored, -1)
        rows = [change.now for change in changes.values() if change.now is not None]
        for now in rows:
            add_to_totals(totals, now, 1)
        Picture.remove_named(folder_id, [n for n, change in changes.items() if not change.now])
        Picture.put(number, folder_id, rows)
    for folder, facts in batch.folders.items():
        if facts is None and not Picture.names_in(number, folder, "", 1):
            PictureFolder.remove(_folder_id(number, folder))
        else:  # one that is gone but has rows has come back
            PictureFolder.change(_folder_id(number, folder), (facts or FolderFacts())._asdict())
    PictureCamera.add(number, totals)
    return int(row["version"]) + 1


def _folder_id(number: int, path: str) -> int:
    known = PictureFolder.at(number, path)
    return int(known["id"]) if known else PictureFolder.begin(number, path)


def _delete_some(number: int) -> None:
    if not Picture.remove_some(number, ROWS_AT_ONCE):
        PictureCamera.remove(number)
