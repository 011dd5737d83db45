"""Which pictures does each camera have? An index that follows all folders."""

import logging
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

# How often the folders are followed, and how long that takes at the most, in seconds.
TICK_SECONDS, WORK_SECONDS = 0.5, 2.0
# The work of a step and the pause after it, in which requests are answered, in seconds.
STEP_SECONDS, PAUSE_SECONDS = 0.002, 0.004
# A camera that has much to compare has its turn for so long, in seconds.
TURN_SECONDS = 0.05
# A request goes on with a comparison for so long, in seconds.
REQUEST_SECONDS = 0.25
# Changes are written when there are so many; or a part of them after NVR_LAST_SEEN_FLUSH_SECONDS;
# or after so many seconds in any case. A page of the database is written for each few of them.
MOST_WAITING, MANY_WAITING, LONGEST_SECONDS = 2000, 500, 300.0
ROWS_AT_ONCE = 1000
# What says nothing but that a folder cannot be read now.
UNREADABLE = (safe_open.OutsideBase, safe_open.FolderNotFound, safe_open.StorageNotAnswering)


class Limits(NamedTuple):
    """``flush_seconds``: how often changes are written; ``most_bytes``: of the largest picture."""

    flush_seconds: float
    most_bytes: int


def init_app(app: Flask) -> None:
    """Give the app its index; the server lets it follow the folders."""
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
        # How many cameras' turns and writings have failed since the start.
        self.failures = 0

    def of(self, camera: Row) -> CameraIndex:
        """The index of a camera, by its folder and its pattern as they are now."""
        return self._of(camera, CameraSettings.of(camera["id"])["file_pattern"])

    def follow(self, camera: Row) -> CameraIndex:
        """The same, after all that has changed in the folder before this was called.

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
        """Follow every folder, a while at most, and write what is due."""
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
        """Write what waits."""
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
        """Write everything that waits."""
        while any(len(i.lookups.overlay) for i in self._cameras.values() if i.lookups.number):
            before = self.waiting()
            self.flush()
            if self.waiting() >= before:
                break

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
        """Give a camera its turn; whether it needs no other one now. Logs a failure once."""
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
        """Storage that may hang is asked by threads of its own, and heard in a later turn."""
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
        """Storage that may hang is not asked: its folders are compared at the next start."""
        if self._folders.threads.find(self._base, index.found_by[0]) is None:
            with index.opened():
                index.begin_rows()
                index.prepare_flush()
        elif not index.lookups.number:
            index.begin_rows()

    def _delete_detached(self) -> None:
        """Delete some rows of cameras that are gone, or have got another folder or pattern."""
        for number in PictureCamera.detached()[:1]:
            writer.run(partial(_delete_some, number), alone=True)


def _take_turn(index: CameraIndex) -> bool:
    """Follow the camera's folder for a while, in small steps; whether nothing is left to do."""
    until = time.monotonic() + TURN_SECONDS
    while True:
        with index.opened():
            index.catch_up(is_asked=False)
            is_done = index.compare(STEP_SECONDS)
        if is_done or time.monotonic() >= until:
            return is_done
        time.sleep(PAUSE_SECONDS)


def _write(index: CameraIndex, batch: Batch) -> int | None:
    """Write the changes, and only then what the folders are; the table's new version.

    None where the table is no longer the index's.
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
