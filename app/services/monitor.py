"""How are the cameras' status and last_seen_at kept up to date? A loop checks every folder."""

import logging
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from flask import Flask

from .. import clock
from ..clock import pause
from ..db import acquire_leader_lock
from ..models import Camera, CameraEvidence, Row
from ..storage.folders import Folders
from . import occurrences
from .camera_status import Decision, Evidence, decide, pending_updates
from .folder_observer import CameraState, FolderObserver
from .health import Pulse
from .settings import EffectiveSettings, Settings

log = logging.getLogger(__name__)

T = TypeVar("T")
TICK_SECONDS = 1.0
# While the first upload after a pause is to be reported, which must be within a second.
FAST_TICK_SECONDS = 0.25
# After each `PAUSE_CAMERAS` the loop sleeps, so that requests come first.
PAUSE_CAMERAS, PAUSE_SECONDS = 16, 0.0005


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
        self._folders, self._observer = folders, FolderObserver(base, folders)
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
                self._observer.read(state)

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
                pause(PAUSE_SECONDS)
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
        seen = self._observer.observe(state)
        if seen is None:
            return
        camera = camera | {"last_seen_at": _last_seen(camera, state, now)}
        decision = decide(camera, seen, evidence, now, settings.offline_after_seconds)
        known = Decision(camera["status"], camera["last_seen_at"], evidence=evidence)
        if decision != known:
            moment = self._moment(camera, decision.last_seen_at, settings.moment_gap_seconds)
            pending_updates.add(camera, decision, moment)

    def _moment(self, camera: Row, uploaded_at: str | None, gap: int) -> Row | None:
        """The moment that an upload begins, where somebody wants to be told of it.

        An old upload, as in a folder that has just become a camera's, begins none.
        """
        before = camera["last_seen_at"]
        if not self._wants_moments or uploaded_at is None or uploaded_at == before:
            return None
        if not occurrences.is_recent(uploaded_at):
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


def _last_seen(camera: Row, state: CameraState, now: datetime) -> str | None:
    """The stored time; where it lies in the future, the clock was wrong when it was stored."""
    stored: str | None = camera["last_seen_at"]
    latest = clock.rfc3339(now)
    is_believed = stored is None or stored <= latest
    state.seen_before = None if is_believed else min(state.seen_before or latest, latest)
    return state.seen_before or stored
