"""How are the cameras' status and last_seen_at kept up to date? A loop checks every folder."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from flask import Flask

from .. import clock
from ..db import acquire_leader_lock
from ..models import Camera, CameraEvidence, Row
from ..storage import safe_open
from ..storage.folder_entry import FolderKey, FolderState, folder_key
from ..storage.folders import Folders
from ..storage.mount_threads import MountThreads, Task
from ..storage.storage_clock import TRUSTED
from ..storage.versions import CheckedFile, Search
from . import occurrences
from .camera_status import Decision, Evidence, Observation, decide, pending_updates
from .health import Pulse
from .settings import EffectiveSettings, Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
TICK_SECONDS = 1.0
# The same while somebody wants to be told of the first upload after a pause within a second.
FAST_TICK_SECONDS = 0.25
# A folder that must be walked is checked in every tick too, so that an upload shows within two
# seconds, but walks take at most a fiftieth of the time.
POLL_SECONDS, POLL_SHARE = 0.9, 50
# A folder counts as unreadable once its storage has not answered for this long, in seconds.
UNANSWERED_SECONDS = 60
# After each `PAUSE_CAMERAS` the loop sleeps, so that requests come first.
PAUSE_CAMERAS, PAUSE_SECONDS = 16, 0.0005


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


def init_app(app: Flask) -> None:
    """Make the app's monitor; the server starts it."""
    pending_updates.clear()
    app.extensions["monitor"] = Monitor(
        app.config["NVR_FOSCAM_BASE_PATH"],
        app.extensions["folders"],
        app.extensions["settings"],
        app.config["NVR_LAST_SEEN_FLUSH_SECONDS"],
    )


class Monitor:
    """Checks every camera's folder once a second, and lets `camera_status.decide` decide."""

    def __init__(
        self, base: str, folders: Folders, settings: Settings, flush_seconds: float
    ) -> None:
        self._base, self._folders = base, folders
        self._settings, self._flush_seconds = settings, flush_seconds
        self._states: dict[str, CameraState] = {}
        self._failing: set[str] = set()
        self._flushed_at = float("-inf")
        # What is called when the pending updates are due; it must call `flush`.
        self.write_due: Callable[[], None] = lambda: self.flush(lambda: None)
        # What is called with a camera, the time of the first upload after a pause and the pause's
        # least length in seconds; it returns the moment as it is reported.
        self.find_moment: Callable[[Row, str, int], Row] = lambda _, start, __: {"start": start}
        self._wants_moments = False
        self._lock_file: int | None = None
        self._ticked_at: float | None = None
        self._faulty = False
        # How many cameras and ticks have failed since the start.
        self.failures = 0

    @property
    def leads(self) -> bool:
        """Whether this process is the leader, the one that monitors."""
        return self._lock_file is not None

    def lead(self) -> bool:
        """Become the leader if no other process is; return whether this one is now."""
        if self._lock_file is None:
            self._lock_file = acquire_leader_lock()
        return self.leads

    def tick_seconds(self) -> float:
        """How long to wait until the next tick."""
        return FAST_TICK_SECONDS if self._wants_moments else TICK_SECONDS

    def pulse(self) -> Pulse:
        """The state of the loop."""
        seconds = None if self._ticked_at is None else time.monotonic() - self._ticked_at
        return Pulse(seconds, self.leads, self._faulty, len(self._failing), self.failures)

    def tick(self) -> None:
        """Check every camera, and write the pending updates when they are due."""
        self._ticked_at = time.monotonic()
        try:
            if self.lead():
                self._check_cameras()
        except Exception:  # raised again: the job that calls this logs it
            self.failures += 1
            self._faulty = True
            raise
        self._faulty = False

    def read_overwritten(self) -> None:
        """Remember what was just written over a picture, before it is overwritten again."""
        overwritten = self._folders.drain()
        for state in list(self._states.values()):
            if state.key in overwritten:
                self._read(state)

    def may_flush(self) -> bool:
        """Whether NVR_LAST_SEEN_FLUSH_SECONDS have passed since the last `flush`."""
        return time.monotonic() - self._flushed_at >= self._flush_seconds

    def flush(self, change: Callable[[], T]) -> T:
        """Write the pending updates of all cameras, and ``change`` in the same transaction; return
        its value.
        """
        value = pending_updates.transact(change, alone=True)
        self._flushed_at = time.monotonic()
        return value

    def close(self) -> None:
        """Write the pending updates and let another process become the leader."""
        if self.leads and len(pending_updates):
            self.flush(lambda: None)
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _check_cameras(self) -> None:
        now, self._wants_moments = clock.now(), occurrences.is_wanted(occurrences.MOMENT)
        cameras = Camera.listing()
        known = {camera["id"] for camera in cameras}
        for camera_id in self._states.keys() - known:
            del self._states[camera_id]
        settings, stored = self._settings.effective(known), CameraEvidence.by_camera()
        for number, camera in enumerate(cameras, 1):
            judged = pending_updates.evidence_of(camera["id"])
            evidence = judged or Evidence(**stored.get(camera["id"], {}))
            try:
                row = pending_updates.apply_to(camera)
                self._check(row, evidence, settings[camera["id"]], now)
                self._failing.discard(camera["id"])
            except Exception:  # whatever it is, the other cameras must be checked
                self._note_failure(camera["id"])
            if number % PAUSE_CAMERAS == 0:
                time.sleep(PAUSE_SECONDS)
        self._folders.retain([state.key for state in self._states.values() if state.key])
        if self._wants_moments and pending_updates.has_moments():
            self.flush(lambda: None)
        elif len(pending_updates) and self.may_flush():
            self.write_due()

    def _note_failure(self, camera_id: str) -> None:
        """Count the failure of a camera; log it if the camera's last check succeeded."""
        self.failures += 1
        if camera_id not in self._failing:
            self._failing.add(camera_id)
            log.exception("checking camera %s failed", camera_id)

    def _check(
        self, camera: Row, evidence: Evidence, settings: EffectiveSettings, now: datetime
    ) -> None:
        state = self._state_of(camera, settings.file_pattern)
        seen = self._look(state)
        if seen is None:
            return
        camera = camera | {"last_seen_at": _last_seen(camera, state, now)}
        decision = decide(camera, seen, evidence, now, settings.offline_after_seconds)
        known = Decision(camera["status"], camera["last_seen_at"], evidence=evidence)
        if decision != known:
            moment = self._moment(camera, decision.last_seen_at, settings.moment_gap_seconds)
            pending_updates.add(camera, decision, moment)

    def _moment(self, camera: Row, uploaded_at: str | None, gap: int) -> Row | None:
        """The moment that an upload begins, where somebody wants to be told of it."""
        before = camera["last_seen_at"]
        if not self._wants_moments or uploaded_at is None or uploaded_at == before:
            return None
        is_first = before is None or clock.parse(uploaded_at) - clock.parse(before) > timedelta(
            seconds=gap
        )
        return self.find_moment(camera, uploaded_at, gap) if is_first else None

    def _state_of(self, camera: Row, file_pattern: str | None) -> CameraState:
        """The camera's state, a new one where its folder or pattern has changed."""
        state = self._states.get(camera["id"])
        observed = camera["folder_path"], file_pattern
        if state is None or (state.folder_path, state.file_pattern) != observed:
            state = self._states[camera["id"]] = CameraState(*observed)
        return state

    def _look(self, state: CameraState) -> Observation | None:
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
            state.asked = threads, threads.begin(partial(self._read, state))
        try:
            if task:
                return task.future.result()
            return self._read(state) if is_due and not threads else None
        except safe_open.StorageNotAnswering:
            state.failing_since = state.failing_since or time.monotonic()
            return _unanswered(time.monotonic() - state.failing_since)

    def _read(self, state: CameraState) -> Observation:
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


def _last_seen(camera: Row, state: CameraState, now: datetime) -> str | None:
    """The stored time; where it lies in the future, the clock was wrong when it was stored."""
    stored: str | None = camera["last_seen_at"]
    latest = clock.rfc3339(now)
    is_believed = stored is None or stored <= latest
    state.seen_before = None if is_believed else min(state.seen_before or latest, latest)
    return state.seen_before or stored
