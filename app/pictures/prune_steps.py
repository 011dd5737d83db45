"""How are the files of a plan deleted? In short steps, each file checked again just before."""

import ctypes
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import partial

from ..clock import pause
from ..storage import safe_open
from ..storage.filesystems import mounts
from ..storage.removal import NotDeletable, remove_empty, removing
from .files import file_facts
from .index import UNREADABLE
from .prune_plan import Plan
from .prune_record import RunRecord
from .prune_rules import PrunedCamera
from .pruned_box import PrunedBox, PrunedFile

# How much CPU time a step has for deleting, in seconds, and how many times as long as the CPU time
# of the whole step the pause after it is, in which requests are answered.
STEP_SECONDS, PAUSE_TIMES = 0.001, 3
# A run stops freeing space when so much was deleted and less than half of it became free.
MOST_BYTES, MOST_FILES = 2**30, 1000
# How many times the free space is read before that, and how many seconds apart.
SPACE_TRIES, SPACE_SECONDS = 6, 1
# A file to delete, and whether it is deleted to free space.
Waiting = tuple[PrunedFile, bool]


class LimitsChanged(Exception):
    """A limit was changed during the run."""


class Needed(Exception):
    """The file must stay, because a camera needs it."""


class FreeSpace:
    """Whether deleting frees space on one device.

    ``free``: the free bytes at the last check; ``files`` and ``size``: how many files and bytes
    were deleted since; ``frees_too_little``: whether less than half of them became free.
    """

    def __init__(self, free: int) -> None:
        self.free, self.files, self.size, self.frees_too_little = free, 0, 0, False

    def note(self, size: int) -> bool:
        """Count a deleted file; return whether the free bytes are to be checked now."""
        self.files, self.size = self.files + 1, self.size + size
        return self.files >= MOST_FILES or self.size >= MOST_BYTES

    def has_grown(self, free: int) -> bool:
        """Whether at least half of what was deleted has become free; if so, count anew."""
        if free - self.free < self.size / 2:
            return False
        self.free, self.files, self.size = free, 0, 0
        return True


class Steps:
    """Deletes files of a plan."""

    def __init__(self, box: PrunedBox, plan: Plan, record: RunRecord) -> None:
        self._box, self._plan, self._record = box, plan, record
        self._limits, self._devices = box.all_limits, dict[int, FreeSpace]()
        # The device whose free space is to be checked, and the open folder of a file on it.
        self._to_check: tuple[FreeSpace, int] | None = None

    @property
    def has_stopped(self) -> bool:
        """Whether deleting did not free the space on one of the devices."""
        return any(device.frees_too_little for device in self._devices.values())

    def delete(self, files: list[Waiting]) -> Iterator[None]:
        """Delete the files in steps; yields after each. Raises `LimitsChanged`."""
        waiting = deque(sorted(files, key=lambda each: each[0].owner.id))
        while waiting:
            camera, is_awaited = waiting[0][0].owner, threading.Event()
            is_awaited.set()
            try:
                camera.index.ask_in_background(partial(self._step, camera, waiting, is_awaited))
            except UNREADABLE:
                is_awaited.clear()  # a thread that hangs in the step must delete no more
                waiting = deque(each for each in waiting if each[0].owner is not camera)
            yield from self._check_space(camera)
            yield

    def _step(
        self, camera: PrunedCamera, waiting: deque[Waiting], is_awaited: threading.Event
    ) -> None:
        """Delete the next files of a camera for a short time, and folders that became empty."""
        names: dict[str, list[str]] = {}
        begun = time.thread_time()
        with camera.index.opened():
            lookups, stays = camera.index.lookups, partial(self._box.is_camera_folder, camera)
            camera.index.catch_up(is_asked=True)
            self._box.find_newest_again(camera)
            until = time.thread_time() + STEP_SECONDS
            while waiting and waiting[0][0].owner is camera:
                file, frees_space = waiting.popleft()
                names.setdefault(file.row.folder, []).append(file.row.name)
                self._delete_and_count(file, frees_space, is_awaited)
                if time.thread_time() >= until or self._to_check:
                    break
            for folder, gone in names.items():
                lookups.compare_files(folder, gone)
                remove_empty(lookups.opened.folder, folder.split("/") if folder else [], stays)
        pause(PAUSE_TIMES * (time.thread_time() - begun))

    def _delete_and_count(
        self, file: PrunedFile, frees_space: bool, is_awaited: threading.Event
    ) -> None:
        """Delete a file and count it.

        ``frees_space``: whether it is deleted to free space; it stays where that frees too little.
        """
        if not (frees_space and self._frees_too_little(file)) and self._delete(file, is_awaited):
            self._record.report.add_file(file)
            space = self._devices[file.device] if frees_space else None
            if space and space.note(file.row.size):
                folder = file.owner.index.lookups.reach(file.row.folder)
                self._to_check = None if folder is None else (space, folder)

    def _check_space(self, camera: PrunedCamera) -> Iterator[None]:
        """Check the free bytes of a device if that is due; yields while too few are free."""
        if self._to_check is None:
            return
        (space, folder), self._to_check = self._to_check, None
        try:
            for number in range(SPACE_TRIES):
                free = camera.index.ask_in_background(
                    partial(free_bytes, folder, is_synced=number > 0)
                )
                if space.has_grown(free):
                    return
                yield
                pause(SPACE_SECONDS)
            space.frees_too_little = True
        except UNREADABLE:
            return  # it is checked again after the next file that is deleted there
        finally:
            os.close(folder)

    def _delete(self, file: PrunedFile, is_awaited: threading.Event) -> bool:
        """Delete the file unless it was replaced or is needed; return whether it was deleted."""
        row, lookups = file.row, file.owner.index.lookups
        found: list[os.stat_result] = []

        def may_go(status: os.stat_result) -> bool:
            found.append(status)
            facts = file_facts(file.owner.id, row.path, status, lookups.opened.has_stable_inodes)
            is_same = facts.tag == row.tag and lookups.finder.is_upload(row.name)
            self._refresh()
            return is_same and is_awaited.is_set() and not self._needs(file, status)

        try:
            with removing(lookups.opened.folder, row.path.split("/"), may_go):
                if not is_awaited.is_set() or (self._refresh() and self._needs(file, found[0])):
                    raise Needed
        except NotDeletable:
            self._plan.not_deletable += 1
            return False
        except (safe_open.FileNotReadable, Needed):
            return False
        return True

    def _refresh(self) -> bool:
        """Read what has changed in the database; return whether anything has."""
        has_changed = self._box.refresh()
        if has_changed and self._box.all_limits != self._limits:
            raise LimitsChanged
        return has_changed

    def _needs(self, file: PrunedFile, status: os.stat_result) -> bool:
        """Whether a camera that has the file now needs it."""
        camera = self._box.cameras.get(file.owner.id)
        if camera is None or camera.index is not file.owner.index:
            return True
        current = self._box.file(camera, file.row)
        return current is None or self._box.is_needed(current, status)

    def _frees_too_little(self, file: PrunedFile) -> bool:
        """Whether deleting did not free the space of the file's device."""
        if file.device not in self._devices:
            self._devices[file.device] = FreeSpace(self._free_bytes(file))
        return self._devices[file.device].frees_too_little

    def _free_bytes(self, file: PrunedFile) -> int:
        """The free bytes of the file's device now."""
        facts = file.owner.folder_facts(file.row.folder, is_fresh=True)
        return facts.free if facts else 0


def free_bytes(folder: int, is_synced: bool) -> int:
    """The free bytes of the file system of an open folder.

    ``is_synced``: written to the disk before (syncfs(2)), because Btrfs and ZFS count the space of
    deleted files only then. A share over the network does not need that, and might take long.
    """
    if is_synced and mounts.table().way(safe_open.real_path(folder))[-1].is_local:
        ctypes.CDLL(None).syncfs(folder)
    system = os.fstatvfs(folder)
    return system.f_bavail * system.f_frsize
