"""Which changes of the cameras' status and last_seen_at are decided and not yet written?

Uploads come every few seconds and an SD card wears with every write, so these changes wait in
memory until they are due. Every answer shows them already.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from ..db import writer
from ..models import AUDIT, Camera, NotFound, Row
from . import audit
from .audit import Caller
from .camera_status import SILENCE, Decision

ACTION = "camera_status_changed"
T = TypeVar("T")


class StatusChange(NamedTuple):
    """A status changed, for which reason, and when the camera was last seen then."""

    old: str
    new: str
    reason: str
    last_seen_at: str | None


class PendingUpdate(NamedTuple):
    """The last decision, the status that the first one changed, and all changes since.

    Each change becomes an audit entry. Where the stored status is no longer ``status_before``,
    somebody has set another one, and that one stays.
    """

    decision: Decision
    status_before: str
    changes: tuple[StatusChange, ...] = ()


class PendingUpdates:
    """The decisions that wait to be written, by camera. Safe for threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, PendingUpdate] = {}
        # Increased after each change of what waits: data that is read after it is as new as it.
        self.version = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, camera: Row, decision: Decision) -> None:
        """Let the decision wait; ``camera`` is the row that it was made for."""
        with self._lock:
            waiting = self._waiting.get(camera["id"])
            status_before = waiting.status_before if waiting else camera["status"]
            changes = waiting.changes if waiting else ()
            if decision.reason:
                new, seen = decision.status, decision.last_seen_at
                changes += (StatusChange(camera["status"], new, decision.reason, seen),)
            self._waiting[camera["id"]] = PendingUpdate(decision, status_before, changes)
            self.version += 1

    def clear(self) -> None:
        """Drop everything that waits."""
        with self._lock:
            self._waiting.clear()
            self.version += 1

    def apply_to(self, camera: Row) -> Row:
        """The camera's row with the update that waits for it."""
        waiting = self._waiting.get(camera["id"])
        return camera | _new_values(camera, waiting) if waiting else camera

    def flush(self) -> None:
        """Write what waits."""
        self.transact(lambda: None)

    def transact(self, change: Callable[[], T], *, alone: bool = False) -> T:
        """The value of ``change()``, in a transaction that first writes what waits.

        If it fails, all of that goes on waiting. Where something waits the transaction holds no
        other change, so that no two transactions write it. ``alone`` as with `writer.run`.
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
            self._waiting[camera_id] = PendingUpdate(waiting.decision, status_before, changes)


# One for the process, as the database is: every change of a camera first writes what waits.
pending_updates = PendingUpdates()


def reported_offline_at(camera_id: str) -> str | None:
    """The last_seen_at of the camera when silence made it offline, if that was the last change of
    its status by the monitor.
    """
    entry = AUDIT.newest({"resource_id": camera_id, "action": ACTION})
    details = entry["details"] if entry else {}
    return details["last_seen_at"] if details.get("evidence") == SILENCE else None


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
    if camera["status"] != update.status_before:
        return
    for change in update.changes:
        details = {
            "changes": {"status": {"old": change.old, "new": change.new}},
            "evidence": change.reason,
            "last_seen_at": change.last_seen_at,
        }
        audit.record(ACTION, Caller("monitor"), "camera", camera, details)
