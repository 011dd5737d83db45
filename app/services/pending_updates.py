"""What was seen of the cameras and is not written yet?

Uploads come every few seconds and an SD card wears with every write, so sightings wait in memory
until they are due, while every answer shows them already.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from ..db import writer
from ..models import AuditEntry, Camera, NotFound, Row
from . import audit
from .audit import Caller
from .camera_status import SILENCE, Verdict

ACTION = "camera_status_changed"
T = TypeVar("T")


class Move(NamedTuple):
    """A status became another one, because of what, and when the camera was last seen then."""

    old: str
    new: str
    because: str
    last_seen_at: str | None


class Sighting(NamedTuple):
    """The last verdict, the status that the first was passed upon (who sets another one, wins),
    and every move since: each is an audit entry of its own.
    """

    verdict: Verdict
    status_then: str
    moves: tuple[Move, ...] = ()


class Sightings:
    """The verdicts that wait to be written, by camera. Safe for threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, Sighting] = {}
        # Raised after each change of what waits: whoever reads it first reads nothing older.
        self.version = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, camera: Row, verdict: Verdict) -> None:
        """Let ``verdict`` wait; ``camera`` is the row as it was judged."""
        with self._lock:
            waiting = self._waiting.get(camera["id"])
            status_then = waiting.status_then if waiting else camera["status"]
            moves = waiting.moves if waiting else ()
            if verdict.because:
                seen = verdict.last_seen_at
                moves += (Move(camera["status"], verdict.status, verdict.because, seen),)
            self._waiting[camera["id"]] = Sighting(verdict, status_then, moves)
            self.version += 1

    def forget(self) -> None:
        """Drop everything that waits."""
        with self._lock:
            self._waiting.clear()
            self.version += 1

    def shown(self, camera: Row) -> Row:
        """The camera's row with what waits for it."""
        waiting = self._waiting.get(camera["id"])
        return camera | _news(camera, waiting) if waiting else camera

    def flush(self) -> None:
        """Write what waits."""
        self.transact(lambda: None)

    def transact(self, change: Callable[[], T], *, alone: bool = False) -> T:
        """The value of ``change()``, in a transaction that first writes what waits.

        If it fails, all of that waits on. Where something waits the transaction holds no other
        change, so that no two of them write it. ``alone`` as with `writer.run`.
        """
        if not alone and not self._waiting:
            return writer.run(change)
        written: dict[str, Sighting] = {}

        def write_all_and_change() -> T:
            written.update(self._write_all())
            return change()

        value = writer.run(write_all_and_change, alone=True)
        with self._lock:
            for camera_id, sighting in written.items():
                self._drop(camera_id, sighting)
            self.version += 1
        return value

    def _write_all(self) -> dict[str, Sighting]:
        with self._lock:
            written = dict(self._waiting)
        for camera_id, sighting in written.items():
            # It may have been deleted meanwhile.
            with suppress(NotFound):
                _write(Camera.one(camera_id), sighting)
        return written

    def _drop(self, camera_id: str, written: Sighting) -> None:
        """What was written waits no more; what was seen meanwhile follows upon it."""
        waiting = self._waiting.pop(camera_id, written)
        if waiting is not written:
            moves = waiting.moves[len(written.moves) :]
            self._waiting[camera_id] = Sighting(waiting.verdict, written.verdict.status, moves)


# Of this process, as the database is: whoever changes a camera writes first what waits.
sightings = Sightings()


def silence_spent(camera_id: str) -> str | None:
    """The last_seen_at whose silence moved the camera's status last, as the audit log knows."""
    entry = AuditEntry.newest_of(camera_id, ACTION)
    details = entry["details"] if entry else {}
    return details["last_seen_at"] if details.get("evidence") == SILENCE else None


def _news(camera: Row, sighting: Sighting) -> Row:
    """What the sighting changes of the row."""
    verdict = sighting.verdict
    later = max(verdict.last_seen_at or "", camera["last_seen_at"] or "") or None
    status = verdict.status if camera["status"] == sighting.status_then else camera["status"]
    return {"status": status, "last_seen_at": later}


def _write(camera: Row, sighting: Sighting) -> None:
    news = _news(camera, sighting)
    changes = audit.differences(camera, news)
    if changes:
        Camera.change(camera["id"], {name: news[name] for name in changes})
    if camera["status"] != sighting.status_then:
        return
    for move in sighting.moves:
        details = {
            "changes": {"status": {"old": move.old, "new": move.new}},
            "evidence": move.because,
            "last_seen_at": move.last_seen_at,
        }
        audit.record(ACTION, Caller("monitor"), "camera", camera, details)
