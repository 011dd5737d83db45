"""Who looks after the cameras? A loop that gathers evidence, has it judged, and writes it."""

import logging
import os
import time
from dataclasses import dataclass
from datetime import datetime

from .. import clock
from ..db import acquire_leader_lock
from ..models import Camera, Row
from ..storage import safe_open
from ..storage.folders import FolderId, Folders, folder_id
from .camera_status import SILENCE, Evidence, judge
from .pending_updates import sightings, silence_spent
from .pulse import Pulse
from .uploads import newest_upload

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# A folder that is walked is looked at in every round too, an upload shows within two seconds; but
# it is never walked for more than a fiftieth of the time.
POLL_SECONDS = 0.9
POLL_SHARE = 50
# After so many cameras the loop waits for so long, in seconds: they are not looked after faster
# than requests are answered beside it.
BREATH_CAMERAS = 16
BREATH_SECONDS = 0.0005


@dataclass(slots=True)
class Memory:
    """What the loop remembers of a camera between two looks."""

    folder_path: str
    readable: bool
    silence_spent: str | None
    look_at: float = 0.0


class Monitor:
    """Looks at every camera once a second; all that it decides is `liveness.judge`'s."""

    def __init__(
        self, base: str, folders: Folders, offline_after: int, flush_seconds: float
    ) -> None:
        self._base = base
        self._folders = folders
        self._offline_after = offline_after
        self._flush_seconds = flush_seconds
        self._memories: dict[str, Memory] = {}
        self._keys: dict[str, FolderId] = {}
        self._failing: set[str] = set()
        # The folders that could not be read in this round, for the next camera that has the same.
        self._unreadable: set[str] = set()
        self._flushed_at = float("-inf")
        self._lock_file: int | None = None
        self._ticked_at: float | None = None
        self._faulty = False
        # How many looks and ticks have failed since the start.
        self.failures = 0

    @property
    def leads(self) -> bool:
        """Whether this process is the one that monitors."""
        return self._lock_file is not None

    def pulse(self) -> Pulse:
        """How the loop itself is."""
        still = None if self._ticked_at is None else time.monotonic() - self._ticked_at
        return Pulse(still, self.leads, self._faulty, len(self._failing), self.failures)

    def tick(self) -> None:
        """Look at every camera, and write what was seen when it is due."""
        self._ticked_at = time.monotonic()
        try:
            self._tick()
        except Exception:  # raised again: the job that calls this logs it
            self.failures += 1
            self._faulty = True
            raise
        self._faulty = False

    def _tick(self) -> None:
        if self._lock_file is None:
            self._lock_file = acquire_leader_lock()
        if self._lock_file is None:
            return
        now = clock.now()
        cameras = Camera.listing()
        known = {camera["id"] for camera in cameras}
        for table in (self._memories, self._keys):
            for camera_id in table.keys() - known:
                del table[camera_id]
        self._unreadable.clear()
        for number, camera in enumerate(cameras, 1):
            self._survive(camera, now)
            if number % BREATH_CAMERAS == 0:
                time.sleep(BREATH_SECONDS)
        self._folders.retain(self._keys.values())
        if len(sightings) and self._is_due():
            self.flush()

    def flush(self) -> None:
        """Write what was seen, all cameras together."""
        sightings.flush()
        self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Write what waits and let another process lead."""
        if self.leads and len(sightings):
            self.flush()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _survive(self, camera: Row, now: datetime) -> None:
        """One camera's trouble is its own: it is logged once and counted, the others go on."""
        try:
            self._look_after(sightings.shown(camera), now)
            self._failing.discard(camera["id"])
        except Exception:  # whatever it is, the other cameras must be looked after
            self.failures += 1
            if camera["id"] not in self._failing:
                self._failing.add(camera["id"])
                log.exception("looking after camera %s failed", camera["id"])

    def _look_after(self, camera: Row, now: datetime) -> None:
        memory = self._remember(camera)
        if time.monotonic() < memory.look_at:
            return
        readable, uploaded_at = self._look(camera, memory, now)
        evidence = Evidence(uploaded_at, readable, memory.readable, memory.silence_spent)
        memory.readable = readable
        verdict = judge(camera, evidence, now, self._offline_after)
        if (verdict.status, verdict.last_seen_at) != (camera["status"], camera["last_seen_at"]):
            sightings.note(camera, verdict)
        if verdict.because == SILENCE:
            memory.silence_spent = verdict.last_seen_at

    def _remember(self, camera: Row) -> Memory:
        """What is remembered of the camera; a camera that was seen before was readable then."""
        memory = self._memories.get(camera["id"])
        if memory is None or memory.folder_path != camera["folder_path"]:
            was_seen = camera["last_seen_at"] is not None and camera["status"] != "error"
            spent = silence_spent(camera["id"]) if camera["last_seen_at"] else None
            memory = Memory(camera["folder_path"], was_seen, spent)
            self._memories[camera["id"]] = memory
        return memory

    def _look(self, camera: Row, memory: Memory, now: datetime) -> tuple[bool, str | None]:
        """Whether the folder can be read, and when its newest upload was completed."""
        folder = self._open(camera["folder_path"])
        if folder is None:
            self._keys.pop(camera["id"], None)
            return False, None
        began = time.monotonic()
        try:
            self._keys[camera["id"]] = folder_id(folder)
            state = self._folders.query(folder, now)
            uploaded_at = newest_upload(folder, state, now)
        finally:
            os.close(folder)
        took = time.monotonic() - began
        memory.look_at = began + max(POLL_SECONDS, took * POLL_SHARE) if state.polling else 0.0
        return True, uploaded_at

    def _open(self, folder_path: str) -> int | None:
        """A descriptor of the folder; None where it cannot be read, which a round tries once."""
        if folder_path not in self._unreadable:
            try:
                return safe_open.open_folder(self._base, folder_path)
            except (safe_open.OutsideBase, safe_open.FolderNotFound):
                self._unreadable.add(folder_path)
        return None

    def _is_due(self) -> bool:
        return time.monotonic() - self._flushed_at >= self._flush_seconds
