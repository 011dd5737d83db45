"""When does a camera's status change, and which changes are not written yet?

Uploads come every few seconds and an SD card wears with every write, so changes are pending in
memory until they are due. Responses include them at once.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, TypeVar

from .. import clock
from ..db import writer
from ..models import Camera, CameraEvidence, NotFound, Row
from . import audit, occurrences
from .audit import Caller

ACTION = "camera_status_changed"
# Why a status changed, as the audit entry says.
UPLOAD, SILENCE, FOLDER = "upload", "silence", "folder"
# A camera that never uploaded becomes an error after its folder was missing for this long.
LOSS_SECONDS = 60
T = TypeVar("T")


class Observation(NamedTuple):
    """What the monitor found when it looked at a camera's folder.

    ``uploaded_at``: the newest upload, in the form of stored times; ``readable``: whether the
    folder can be read now, and if not, for how many seconds it could not (``unreadable_seconds``).
    """

    uploaded_at: str | None = None
    readable: bool = True
    unreadable_seconds: float = 0.0


class Evidence(NamedTuple):
    """Which observations have been handled already: the columns of `CameraEvidence`."""

    silent_since: str | None = None
    folder_lost: bool = False
    status_before: str | None = None


class Decision(NamedTuple):
    """The camera's new status and last_seen_at, why the status changes, if it does, and the
    evidence after this observation.
    """

    status: str
    last_seen_at: str | None
    reason: str | None = None
    evidence: Evidence = Evidence()


def decide(
    camera: Row, seen: Observation, evidence: Evidence, now: datetime, offline_after: int
) -> Decision:
    """An upload makes a camera online, silence offline, the loss of its folder an error.

    ``offline_after`` in seconds, 0 for never. Each observation changes a status once. Only an
    upload ends an error, but a camera that never uploaded gets its earlier status back.
    """
    status, last_seen_at = camera["status"], camera["last_seen_at"]
    if not seen.readable:
        return _decide_loss(camera, seen, evidence)
    before = evidence.status_before
    evidence = evidence._replace(folder_lost=False, status_before=None)
    is_new = seen.uploaded_at is not None and seen.uploaded_at > (last_seen_at or "")
    last_seen_at = seen.uploaded_at if is_new else last_seen_at
    if last_seen_at is None:
        returned = before if before and status == "error" else status
        return _move(camera, returned, None, FOLDER, evidence)
    is_silent = 0 < offline_after <= (now - clock.parse(last_seen_at)).total_seconds()
    if is_new and not is_silent:
        return _move(camera, "online", last_seen_at, UPLOAD, evidence)
    if is_silent and (is_new or status != "error") and evidence.silent_since != last_seen_at:
        evidence = evidence._replace(silent_since=last_seen_at)
        return _move(camera, "offline", last_seen_at, SILENCE, evidence)
    return Decision(status, last_seen_at, evidence=evidence)


def _decide_loss(camera: Row, seen: Observation, evidence: Evidence) -> Decision:
    """A lost folder is an error at once, or after a minute where nothing was ever uploaded."""
    status, last_seen_at = camera["status"], camera["last_seen_at"]
    is_proven = last_seen_at is not None or seen.unreadable_seconds >= LOSS_SECONDS
    if evidence.folder_lost or not is_proven:
        return Decision(status, last_seen_at, evidence=evidence)
    before = status if last_seen_at is None and status != "error" else None
    evidence = evidence._replace(folder_lost=True, status_before=before)
    return _move(camera, "error", last_seen_at, FOLDER, evidence)


def _move(
    camera: Row, status: str, last_seen_at: str | None, reason: str, evidence: Evidence
) -> Decision:
    moved = status != camera["status"]
    return Decision(status, last_seen_at, reason if moved else None, evidence)


class StatusChange(NamedTuple):
    """A status changed, for which reason, and when the camera was last seen then."""

    old: str
    new: str
    reason: str
    last_seen_at: str | None


class PendingUpdate(NamedTuple):
    """The last decision, the status that the first one changed, and all changes and moments since.

    Each change becomes an audit entry. Where the stored status is no longer ``status_before``,
    somebody has set another one, and that one stays.
    """

    decision: Decision
    status_before: str
    changes: tuple[StatusChange, ...] = ()
    moments: tuple[Row, ...] = ()


class PendingUpdates:
    """The decisions that are not written yet, by camera. Safe for threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, PendingUpdate] = {}
        # Increased after each change. Data that is read after it is at least as new.
        self.version = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, camera: Row, decision: Decision, moment: Row | None = None) -> None:
        """Add a decision, and the moment that began; ``camera``: the row that it was made for."""
        with self._lock:
            waiting = self._waiting.get(camera["id"])
            status_before = waiting.status_before if waiting else camera["status"]
            changes = waiting.changes if waiting else ()
            moments = (waiting.moments if waiting else ()) + ((moment,) if moment else ())
            if decision.reason:
                new, seen = decision.status, decision.last_seen_at
                changes += (StatusChange(camera["status"], new, decision.reason, seen),)
            update = PendingUpdate(decision, status_before, changes, moments)
            self._waiting[camera["id"]] = update
            self.version += 1

    def has_moments(self) -> bool:
        """Whether a moment began that is not reported yet."""
        with self._lock:
            return any(update.moments for update in self._waiting.values())

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
            self.version += 1

    def apply_to(self, camera: Row) -> Row:
        """The camera's row with its pending update applied."""
        waiting = self._waiting.get(camera["id"])
        return camera | _new_values(camera, waiting) if waiting else camera

    def evidence_of(self, camera_id: str) -> Evidence | None:
        """The evidence in the camera's pending update; None if there is none."""
        waiting = self._waiting.get(camera_id)
        return waiting.decision.evidence if waiting else None

    def flush(self) -> None:
        self.transact(lambda: None)

    def transact(self, change: Callable[[], T], *, alone: bool = False) -> T:
        """Run ``change`` in a transaction that first writes all pending updates; return its value.

        If it fails, the updates stay pending. If there are any, the transaction contains no other
        change, so that they are not written twice. ``alone``: see `writer.run`.
        """
        if not alone and not self._waiting:
            return writer.run(change)
        written: dict[str, PendingUpdate] = {}

        def write_all_and_change() -> T:
            written.update(self._write_all())
            return change()

        value = writer.run(write_all_and_change, alone=True)
        with self._lock:
            for camera_id, update in written.items():
                self._remove(camera_id, update)
            self.version += 1
        return value

    def _write_all(self) -> dict[str, PendingUpdate]:
        with self._lock:
            written = dict(self._waiting)
        for camera_id, update in written.items():
            # The camera may have been deleted meanwhile.
            with suppress(NotFound):
                _write(Camera.one(camera_id), update)
        return written

    def _remove(self, camera_id: str, written: PendingUpdate) -> None:
        """Remove what was written, and keep what was added while it was being written."""
        waiting = self._waiting.pop(camera_id, written)
        if waiting is not written:
            changes = waiting.changes[len(written.changes) :]
            status_before = written.decision.status
            moments = waiting.moments[len(written.moments) :]
            left = PendingUpdate(waiting.decision, status_before, changes, moments)
            self._waiting[camera_id] = left


# One for the process, like the database. Every change of a camera first writes the pending ones.
pending_updates = PendingUpdates()


def _new_values(camera: Row, update: PendingUpdate) -> Row:
    """The values that the update gives to the row's fields."""
    decision = update.decision
    is_unchanged = camera["status"] == update.status_before
    return {
        "status": decision.status if is_unchanged else camera["status"],
        "last_seen_at": decision.last_seen_at or camera["last_seen_at"],
    }


def _write(camera: Row, update: PendingUpdate) -> None:
    values = _new_values(camera, update)
    differences = audit.differences(camera, values)
    if differences:
        Camera.change(camera["id"], {name: values[name] for name in differences})
    for moment in update.moments:
        occurrences.report_moment(camera, moment)
    evidence = update.decision.evidence
    if camera["status"] != update.status_before:  # somebody has set another one
        evidence = evidence._replace(status_before=None)
    if evidence != Evidence(**CameraEvidence.of(camera["id"])):
        CameraEvidence.write(camera["id"], evidence._asdict())
    if camera["status"] != update.status_before:
        return
    for change in update.changes:
        details = {
            "changes": {"status": {"old": change.old, "new": change.new}},
            "evidence": change.reason,
            "last_seen_at": change.last_seen_at,
        }
        audit.record(ACTION, Caller("monitor"), "camera", camera, details)
        occurrences.report_status(camera, change.old, change.new)
