"""What does the monitor find in a camera's folder? Whether it is readable, and the last upload."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from .. import clock
from ..storage import safe_open
from ..storage.folder_entry import FolderKey, FolderState, folder_key
from ..storage.folders import Folders
from ..storage.mount_threads import MountThreads, Task
from ..storage.storage_clock import TRUSTED
from ..storage.versions import CheckedFile, Search
from .camera_status import Observation

# A folder that must be walked is checked in every tick too, so that an upload shows within two
# seconds, but walks take at most a fiftieth of the time.
POLL_SECONDS, POLL_SHARE = 0.9, 50
# A folder counts as unreadable once its storage has not answered for this long, in seconds.
UNANSWERED_SECONDS = 60


@dataclass(slots=True)
class CameraState:
    """What the loop keeps of a camera from one tick to the next.

    ``lost_at``: since when the folder cannot be read, by the monotonic clock, None while it can;
    ``seen_before``: when the stored last_seen_at was first found to lie in the future, None while
    it does not; the camera was last seen at this time or earlier; ``next_check``: when to check
    the folder again, by the monotonic clock; ``key``: the folder that was read last; ``asked``:
    the threads that read it, and their task, where it lies on storage that may hang;
    ``failing_since``: when storage began to report that it does not answer.
    """

    folder_path: str
    file_pattern: str | None
    lost_at: float | None = None
    next_check: float = 0.0
    seen_before: str | None = None
    key: FolderKey | None = None
    asked: tuple[MountThreads, Task[Observation]] | None = None
    failing_since: float | None = None


class FolderObserver:
    """Reads the folders of cameras below the path ``base``."""

    def __init__(self, base: str, folders: Folders) -> None:
        self._base, self._folders = base, folders

    def observe(self, state: CameraState) -> Observation | None:
        """What was found in the folder; None if no check is due or no result is there yet.

        Storage that may hang is read by threads of its own, and their result used in a later tick.
        Without a result for a minute, the folder counts as unreadable.
        """
        threads = self._folders.threads.find(self._base, state.folder_path)
        task = state.asked[1] if state.asked and state.asked[0] is threads else None
        if threads and task and not task.future.done():
            return _unanswered(threads.silence(task))
        state.asked, is_due = None, time.monotonic() >= state.next_check
        if threads and is_due:
            state.asked = threads, threads.begin(partial(self.read, state))
        try:
            if task:
                return task.future.result()
            return self.read(state) if is_due and not threads else None
        except safe_open.StorageNotAnswering:
            state.failing_since = state.failing_since or time.monotonic()
            return _unanswered(time.monotonic() - state.failing_since)

    def read(self, state: CameraState) -> Observation:
        """Whether the folder can be read, and when its newest upload was completed."""
        began = time.monotonic()
        try:
            folder = safe_open.open_folder(self._base, state.folder_path)
            try:
                state.key = folder_key(folder, state.file_pattern)
                found = self._folders.query(folder, clock.now(), state.file_pattern)
                search = Search(self._folders.versions, folder, state.key, found.clock)
                search.newest_whole(found.newest)
                uploaded_at = _newest_upload(found, search.checked)
            finally:
                os.close(folder)
        except (safe_open.OutsideBase, safe_open.FolderNotFound):
            state.key, state.failing_since = None, None
            state.lost_at = state.lost_at or began
            return Observation(None, False, began - state.lost_at)
        took, state.lost_at, state.failing_since = time.monotonic() - began, None, None
        state.next_check = began + max(POLL_SECONDS, took * POLL_SHARE) if found.polling else 0.0
        return Observation(uploaded_at)


def _unanswered(seconds: float) -> Observation | None:
    """What is found after storage has not answered for this long."""
    return Observation(None, False, seconds) if seconds >= UNANSWERED_SECONDS else None


def _newest_upload(state: FolderState, checked: Iterable[CheckedFile]) -> str | None:
    """When the newest upload was completed: when that was seen, or else the time of its file.

    By the box's clock, and never later than now. Times that are not trusted are ignored, and so
    are those of files that are still being uploaded.
    """
    until = state.clock.box_ns
    pictures = (candidate for candidate, check, _ in checked if not check.is_being_written)
    newest = (
        next((each.time_ns for each in files if each.idle and each.rank == TRUSTED), 0)
        for files in (pictures, state.clips)
    )
    seen_ns = state.upload.seen_ns if state.upload and state.upload.seen_ns <= until else 0
    completed_ns = max(min(max(newest) - state.clock.ahead_ns, until), seen_ns)
    return clock.rfc3339(clock.from_ns(completed_ns)) if completed_ns > 0 else None
