"""Who keeps the cameras' status and last_seen_at up to date? A loop that looks at every folder."""

import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask import Flask

from .. import clock
from ..db import acquire_leader_lock
from ..models import Camera, CameraEvidence, Row
from ..storage import safe_open
from ..storage.folders import FolderKey, Folders, FolderState, folder_key
from ..storage.newest_files import EMPTY
from ..storage.snapshots import Look, Search
from .camera_status import Decision, Evidence, Observation, decide, pending_updates
from .health import Pulse
from .settings import EffectiveSettings, Settings

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# A folder that must be walked is looked at in every tick too, so that an upload shows within two
# seconds, but the walks take at most a fiftieth of the time.
POLL_SECONDS = 0.9
POLL_SHARE = 50
# After so many cameras the loop sleeps for so many seconds: requests come first.
PAUSE_CAMERAS = 16
PAUSE_SECONDS = 0.0005


@dataclass(slots=True)
class CameraState:
    """What the loop remembers of a camera from one tick to the next.

    ``lost_at``: since when the folder cannot be read, by the monotonic clock, None while it can;
    ``seen_before``: when the stored last_seen_at was first found to lie in the future, None while
    it does not; the camera was last seen at this time or earlier;
    ``look_at``: when to look at the folder again, by the monotonic clock.
    """

    folder_path: str
    file_pattern: str | None
    lost_at: float | None = None
    look_at: float = 0.0
    seen_before: str | None = None


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
    """Looks at every camera's folder once a second, and lets `camera_status.decide` decide."""

    def __init__(
        self, base: str, folders: Folders, settings: Settings, flush_seconds: float
    ) -> None:
        self._base = base
        self._folders = folders
        self._settings = settings
        self._flush_seconds = flush_seconds
        self._states: dict[str, CameraState] = {}
        self._folder_keys: dict[str, FolderKey] = {}
        self._failing: set[str] = set()
        # The folders that could not be opened in this tick, for the next camera that has the same.
        self._unreadable: set[str] = set()
        self._flushed_at = float("-inf")
        self._lock_file: int | None = None
        self._ticked_at: float | None = None
        self._faulty = False
        # How many cameras and ticks have failed since the start.
        self.failures = 0

    @property
    def leads(self) -> bool:
        """Whether this process is the one that monitors."""
        return self._lock_file is not None

    def lead(self) -> bool:
        """Become the process that monitors, if no other one is; whether this one is now."""
        if self._lock_file is None:
            self._lock_file = acquire_leader_lock()
        return self.leads

    def pulse(self) -> Pulse:
        """How the loop itself is."""
        seconds = None if self._ticked_at is None else time.monotonic() - self._ticked_at
        return Pulse(seconds, self.leads, self._faulty, len(self._failing), self.failures)

    def tick(self) -> None:
        """Look at every camera, and write what was found when it is due."""
        self._ticked_at = time.monotonic()
        try:
            if self.lead():
                self._check_cameras()
        except Exception:  # raised again: the job that calls this logs it
            self.failures += 1
            self._faulty = True
            raise
        self._faulty = False

    def flush(self) -> None:
        """Write the updates of all cameras that wait."""
        pending_updates.flush()
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Write what waits and let another process monitor."""
        if self.leads and len(pending_updates):
            self.flush()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _check_cameras(self) -> None:
        now = clock.now()
        cameras = Camera.listing()
        known = {camera["id"] for camera in cameras}
        for table in (self._states, self._folder_keys):
            for camera_id in table.keys() - known:
                del table[camera_id]
        self._unreadable.clear()
        settings, stored = self._settings.effective(known), CameraEvidence.by_camera()
        for number, camera in enumerate(cameras, 1):
            evidence = Evidence(**stored.get(camera["id"], {}))
            self._check_or_log(camera, evidence, settings[camera["id"]], now)
            if number % PAUSE_CAMERAS == 0:
                time.sleep(PAUSE_SECONDS)
        self._folders.retain(self._folder_keys.values())
        is_due = time.monotonic() - self._flushed_at >= self._flush_seconds
        if len(pending_updates) and is_due:
            self.flush()

    def _check_or_log(
        self, camera: Row, evidence: Evidence, settings: EffectiveSettings, now: datetime
    ) -> None:
        """Check one camera; a failure is logged once and counted, and the others are checked."""
        try:
            evidence = pending_updates.evidence_of(camera["id"]) or evidence
            self._check(pending_updates.apply_to(camera), evidence, settings, now)
            self._failing.discard(camera["id"])
        except Exception:  # whatever it is, the other cameras must be checked
            self.failures += 1
            if camera["id"] not in self._failing:
                self._failing.add(camera["id"])
                log.exception("looking after camera %s failed", camera["id"])

    def _check(
        self, camera: Row, evidence: Evidence, settings: EffectiveSettings, now: datetime
    ) -> None:
        state = self._state_of(camera, settings.file_pattern)
        if time.monotonic() < state.look_at:
            return
        seen = self._look(camera, state, now)
        camera = camera | {"last_seen_at": _last_seen(camera, state, now)}
        decision = decide(camera, seen, evidence, now, settings.offline_after_seconds)
        known = Decision(camera["status"], camera["last_seen_at"], evidence=evidence)
        if decision != known:
            pending_updates.add(camera, decision)

    def _state_of(self, camera: Row, file_pattern: str | None) -> CameraState:
        """What is remembered; nothing of another folder or pattern than the present one."""
        state = self._states.get(camera["id"])
        looked_at = camera["folder_path"], file_pattern
        if state is None or (state.folder_path, state.file_pattern) != looked_at:
            state = self._states[camera["id"]] = CameraState(*looked_at)
        return state

    def _look(self, camera: Row, state: CameraState, now: datetime) -> Observation:
        """Whether the folder can be read, and when its newest upload was completed."""
        folder = self._open(camera["folder_path"])
        if folder is None:
            self._folder_keys.pop(camera["id"], None)
            state.lost_at = state.lost_at or time.monotonic()
            return Observation(None, False, time.monotonic() - state.lost_at)
        began, state.lost_at = time.monotonic(), None
        try:
            key = self._folder_keys[camera["id"]] = folder_key(folder, state.file_pattern)
            found = self._folders.query(folder, now, state.file_pattern)
            search = Search(self._folders, folder, key, now)
            search.newest_whole(found.newest)
            uploaded_at = _newest_upload(found, search.looks, now)
        finally:
            os.close(folder)
        took = time.monotonic() - began
        state.look_at = began + max(POLL_SECONDS, took * POLL_SHARE) if found.polling else 0.0
        return Observation(uploaded_at)

    def _open(self, folder_path: str) -> int | None:
        """A descriptor of the folder; None where it cannot be opened, which a tick tries once."""
        if folder_path not in self._unreadable:
            try:
                return safe_open.open_folder(self._base, folder_path)
            except (safe_open.OutsideBase, safe_open.FolderNotFound):
                self._unreadable.add(folder_path)
        return None


def _newest_upload(state: FolderState, looks: Iterable[Look], now: datetime) -> str | None:
    """When the newest upload was completed: by the kernel's events, or by the newest file's time.

    A time in the future is not believed. Nor is the time of a picture that is still being
    uploaded: where the folder is polled, or an upload began before the service did, only the
    missing end of the file shows that.
    """
    until = int(now.timestamp() * 1e9)
    times = (
        candidate.mtime_ns
        for candidate, check, _ in looks
        if candidate.idle
        and candidate.rank != EMPTY
        and candidate.mtime_ns <= until
        and not check.is_being_written
    )
    uploaded_ns = state.uploaded_ns if state.uploaded_ns <= until else 0
    completed_ns = max(next(times, 0), uploaded_ns)
    return clock.rfc3339(clock.from_ns(completed_ns)) if completed_ns > 0 else None


def _last_seen(camera: Row, state: CameraState, now: datetime) -> str | None:
    """The stored time; where it lies in the future, the clock was wrong when it was stored."""
    stored: str | None = camera["last_seen_at"]
    latest = clock.rfc3339(now)
    if stored is None or stored <= latest:
        state.seen_before = None
        return stored
    state.seen_before = min(state.seen_before or latest, latest)
    return state.seen_before
