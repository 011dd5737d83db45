"""Which files must stay, whatever the limits are? Each file that one of its cameras needs.

A `PrunedCamera` reads each fact once; when the database has changed, the box makes new ones.
"""

import os
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from flask import Flask

from .. import clock
from ..models import Event, KeptPicture, Row
from ..models.pictures import IndexedPicture
from ..storage import safe_open, snapshots
from ..storage.filesystems import mounts
from ..storage.folder_entry import folder_key
from ..storage.scan import is_housekeeping
from .camera_index import CameraIndex
from .files import file_facts
from .index import UNREADABLE
from .listing import KINDS, Filters, Listing
from .moments import AFTER_US, BEFORE_US, CLIP_AFTER_US

# For how long after it was entered an unreviewed event keeps its pictures from deletion.
EVENT_AGE = timedelta(days=30)
# So many of the newest rows of the index include the 32 files of which a snapshot shows one.
NEAR_NEWEST = 64
# Later than the time of every file.
NEVER_US = 2**63 - 1
MOST_BLOCK_BYTES = 4096  # what statvfs(3) calls a block may be 1 MiB on NFS


class Place(NamedTuple):
    """Where a camera's folder is: its device and inode, None if unknown, and its real path."""

    key: tuple[int, int] | None
    path: str


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """A camera's limits: files from before ``before_us`` are too old; ``keep_bytes`` 0 is none."""

    before_us: int = -NEVER_US
    keep_bytes: int = 0

    def __bool__(self) -> bool:
        return self.before_us > -NEVER_US or self.keep_bytes > 0


class PrunedFolder(NamedTuple):
    """A folder's device, its free bytes, the bytes that files take a multiple of, and whether the
    service may delete files in it; where ``is_sticky``, only its own (unlink(2)).
    """

    device: int
    free: int
    block: int
    is_writable: bool
    is_sticky: bool


class PrunedCamera:
    """What is known of a camera at one moment: its folder, limits, and newest files.

    ``now``: when the run began, as the clock may be set in it; ``since_us``: files that changed
    before are from before the camera, and must stay.
    """

    def __init__(
        self,
        app: Flask,
        now: datetime,
        camera: Row,
        index: CameraIndex,
        limits: PictureLimits,
        since_us: int,
    ) -> None:
        self._app, self._now, self.camera, self.index = app, now, camera, index
        self.id, self.limits, self.since_us = camera["id"], limits, since_us
        self.listing = Listing(index)
        self._folder: tuple[str, PrunedFolder | None] = ("/", None)

    @cached_property
    def place(self) -> Place:
        """Where the folder is; without links resolved where it cannot be read."""
        base = self._app.config["NVR_FOSCAM_BASE_PATH"]

        def find() -> Place:
            folder = safe_open.open_folder(base, self.camera["folder_path"])
            try:
                return Place(folder_key(folder)[:2], safe_open.real_path(folder))
            finally:
                os.close(folder)

        try:
            return self.index.ask_in_background(find)
        except UNREADABLE:
            return Place(None, safe_open.normalise(base, self.camera["folder_path"]))

    @cached_property
    def only_device(self) -> tuple[int, int] | None:
        """The device of all files and its free bytes; None where there may be several devices."""

        def find() -> PrunedFolder | None:
            with self.index.opened():
                return self._folder_facts("")

        if len(mounts.table().around(self.place.path)) > 1:
            return None
        try:
            facts = self.index.ask_in_background(find)
        except UNREADABLE:
            return None
        return (facts.device, facts.free) if facts else None

    def count_existing(self) -> int:
        """How many files are from before the camera, and must stay."""
        return 0 if self.since_us == -NEVER_US else self.listing.count_changed(self.since_us)

    @cached_property
    def newest(self) -> list[IndexedPicture]:
        """The newest picture and the newest clip."""
        kinds = (Filters(kind=kind) for kind in KINDS)
        return [row for filters in kinds for row in self.listing.first(filters, 1)]

    @cached_property
    def snapshot_since_us(self) -> int:
        """The earliest time of a picture that may be the one that the snapshot shows."""
        rows = self.listing.first(Filters(kind=KINDS[False]), NEAR_NEWEST)
        return rows[-1].taken_us if len(rows) == NEAR_NEWEST else -NEVER_US

    @cached_property
    def snapshot_file(self) -> tuple[int, int] | None:
        """Device and inode of the picture that the snapshot shows."""
        request = snapshots.SnapshotRequest(
            self._app.config["NVR_FOSCAM_BASE_PATH"],
            self.camera["folder_path"],
            clock.now(),
            self._app.extensions["folders"],
            file_pattern=self.index.lookups.finder.file_pattern,
        )
        try:
            return snapshots.latest(request).file
        except (snapshots.NoSnapshot, snapshots.PictureIncomplete, *UNREADABLE):
            return None

    def forget_newest(self) -> None:
        """Read which files are the newest again when they are needed next."""
        for name in ("newest", "snapshot_file"):
            self.__dict__.pop(name, None)

    def check_newest(self) -> None:
        """Update the index where the newest files have changed; call it inside `opened`.

        Later files than those are needed too, so they are read again only after a change.
        """
        self.__dict__.pop("snapshot_file", None)
        for _ in range(NEAR_NEWEST):
            changed = [row for row in self.newest if not self._is_unchanged(row)]
            if not changed:
                return
            for row in changed:
                self.index.lookups.compare_files(row.folder, [row.name])
            self.forget_newest()

    def may_delete(self, row: IndexedPicture) -> bool:
        """Whether the service may delete the file, by the rights of its folder."""
        folder = self.folder_facts(row.folder)
        if folder is None or not folder.is_writable or not folder.is_sticky:
            return folder is not None and folder.is_writable
        status = self.status(row)
        return status is not None and status.st_uid == os.geteuid()

    def folder_facts(self, path: str, is_fresh: bool = False) -> PrunedFolder | None:
        """The facts of a folder, None if it does not exist; call it inside `opened`."""
        if self._folder[0] != path or is_fresh:
            self._folder = path, self._folder_facts(path)
        return self._folder[1]

    def _folder_facts(self, path: str) -> PrunedFolder | None:
        folder = self.index.lookups.reach(path)
        if folder is None:
            return None
        try:
            status, system = os.fstat(folder), os.fstatvfs(folder)
            is_writable = os.access(".", os.W_OK | os.X_OK, dir_fd=folder, effective_ids=True)
        finally:
            os.close(folder)
        is_own = os.geteuid() in (0, status.st_uid)
        is_sticky = bool(status.st_mode & stat.S_ISVTX) and not is_own
        free, block = system.f_bavail * system.f_frsize, min(system.f_frsize, MOST_BLOCK_BYTES)
        return PrunedFolder(status.st_dev, free, block, is_writable, is_sticky)

    def at(self, path: str) -> IndexedPicture | None:
        """The row of a file by its path below the camera's folder."""
        return self.listing.at([path]).get(path)

    def has_name(self, path: str) -> bool:
        """Whether a file of this path below the camera's folder is one of the camera's."""
        *folders, name = path.split("/")
        return self.index.lookups.finder.is_upload(name) and not any(map(is_housekeeping, folders))

    def needs(self, row: IndexedPicture, status: os.stat_result | None, events: bool) -> bool:
        """Whether the file must stay because of this camera; call it inside `opened`.

        ``status``: the file's status, None while it is not known; ``events``: whether one of the
        camera's events may need the file.
        """
        if row.kept or row.changed_us < self.since_us or self._is_newest(row):
            return True
        if status is not None and KeptPicture.of_file(self.id, row.path, status):
            return True
        if events and self.has_event(row.taken_us, row.taken_us, row.is_clip):
            return True
        if row.is_clip or row.taken_us < self.snapshot_since_us:
            return False
        status = status or self.status(row)
        return status is None or (status.st_dev, status.st_ino) == self.snapshot_file

    def _is_unchanged(self, row: IndexedPicture) -> bool:
        status, has_stable_inodes = self.status(row), self.index.lookups.opened.has_stable_inodes
        facts = status and file_facts(self.id, row.path, status, has_stable_inodes)
        return facts is not None and facts.tag == row.tag

    def _is_newest(self, row: IndexedPicture) -> bool:
        return any(row.is_clip == each.is_clip and row.key >= each.key for each in self.newest)

    def has_event(self, first_us: int, last_us: int, is_clip: bool) -> bool:
        """Whether an unreviewed event needs a picture of this period."""
        after_us = CLIP_AFTER_US if is_clip else AFTER_US
        entered_after = clock.rfc3339(self._now - EVENT_AGE)
        period = first_us - after_us, last_us + BEFORE_US
        return Event.is_unreviewed_between(self.id, *period, entered_after)

    def status(self, row: IndexedPicture) -> os.stat_result | None:
        """The status of the row's file; None where the file does not exist."""
        parent = self.index.lookups.reach(row.folder)
        if parent is None:
            return None
        try:
            return os.stat(row.name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            return None
        finally:
            os.close(parent)
