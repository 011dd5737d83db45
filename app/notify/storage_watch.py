"""Is there little space left for pictures, and is there enough again?

Space is low by the limits of `health.check_storage`. It is enough again only above higher limits,
so that space near a limit does not cause one message after another.
"""

import os
import time
from functools import partial

from flask import Flask

from ..db import writer
from ..models import BoxState, Row
from ..pictures.room import find_room
from ..services import health, occurrences
from ..services.health import HEALTHY, Check, Room
from ..storage.safe_open import StorageNotAnswering

LOW, OK = "storage_low", "storage_ok"
INTERVAL_SECONDS = 30
# Space is enough again from these limits on.
ENOUGH_DAYS, ENOUGH_SHARE, ENOUGH_BYTES = 4.0, 0.06, 300 * 1024 * 1024
STATE = "storage"


class StorageWatch:
    """Checks the space twice a minute while a rule has one of these kinds, and reports changes."""

    def __init__(self, app: Flask) -> None:
        self._app, self._due_at = app, 0.0

    def run_if_due(self) -> None:
        """Check the space if that is due."""
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + INTERVAL_SECONDS
        if occurrences.is_wanted(LOW) or occurrences.is_wanted(OK):
            self._check()

    def _check(self) -> None:
        """Report if the space has become low, or is enough again."""
        base = self._app.config["NVR_FOSCAM_BASE_PATH"]
        threads = self._app.extensions["folders"].threads
        try:
            system = threads.ask(lambda: os.statvfs(base), base)
        except (OSError, StorageNotAnswering):
            return  # how much is free is unknown; the health reports that
        room, free = find_room(self._app), system.f_bavail * system.f_frsize
        check = health.check_storage(base, threads, lambda: room)
        usable = (system.f_blocks - system.f_bfree + system.f_bavail) * system.f_frsize
        stored = BoxState.find(name=STATE)
        known = stored["value"] if stored else OK
        now = decide(known, check, room, free, usable)
        if now != known:
            writer.run(partial(_store_and_report, now, _shown(check, room, free)))


def decide(known: str, check: Check, room: Room, free: int, usable: int) -> str:
    """`LOW` or `OK`, by what was known before and what is found now."""
    if check.status != HEALTHY:
        return LOW
    if known == OK:
        return OK
    is_enough = free >= ENOUGH_BYTES and (room.days_left is None or room.days_left >= ENOUGH_DAYS)
    if room.days_left is None and not room.has_limit:
        is_enough = is_enough and free >= ENOUGH_SHARE * usable
    return OK if is_enough else LOW


def _store_and_report(kind: str, storage: Row) -> None:
    BoxState.write(STATE, kind)
    occurrences.report_storage(kind, storage)


def _shown(check: Check, room: Room, free: int) -> Row:
    days = None if room.days_left is None else round(room.days_left, 1)
    return {
        "status": check.status,
        "message": check.message,
        "days_left": days,
        "free_bytes": free,
    }
