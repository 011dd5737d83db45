"""Is there little space left for pictures, and is there enough again?

Space is low where `health.check_storage` is degraded. It is enough again only above higher limits,
so that space near a limit does not cause one message after another.
"""

import os
import time
from contextlib import suppress
from functools import partial

from flask import Flask

from ..db import writer
from ..models import BoxState, Row
from ..pictures.room import find_room
from ..services import health, occurrences
from ..services.health import HEALTHY, Check, Room
from ..storage.safe_open import StorageNotAnswering

LOW, OK = "storage_low", "storage_ok"
# Twice this is less than the promised minute: unknown space is reported by the second check.
INTERVAL_SECONDS = 20
# Space is enough again from these limits on.
ENOUGH_DAYS, ENOUGH_SHARE, ENOUGH_BYTES = 4.0, 0.06, 300 * 1024 * 1024
STATE = "storage"


class StorageWatch:
    """Checks the space while a rule has one of these kinds, and reports changes."""

    def __init__(self, app: Flask) -> None:
        self._app, self._due_at = app, 0.0
        self._was_unknown = False

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
        free = usable = None
        with suppress(OSError, StorageNotAnswering):
            system = threads.ask(lambda: os.statvfs(base), base)
            free = system.f_bavail * system.f_frsize
            usable = (system.f_blocks - system.f_bfree + system.f_bavail) * system.f_frsize
        was_unknown, self._was_unknown = self._was_unknown, free is None
        if free is None and not was_unknown:
            return  # it may be known soon, for example when a disk has spun up
        room = find_room(self._app) if free is not None else Room()
        check = health.check_storage(base, threads, lambda: room)
        stored = BoxState.find(name=STATE)
        known = stored["value"] if stored else OK
        now = decide(known, check, room, free, usable)
        if now != known:
            writer.run(partial(_store_and_report, now, _shown(check, room, free)))


def decide(known: str, check: Check, room: Room, free: int | None, usable: int | None) -> str:
    """`LOW` or `OK`, by what was known before and what is found now."""
    if check.status != HEALTHY:
        return LOW
    if known == OK or free is None or usable is None:
        return known
    is_enough = free >= ENOUGH_BYTES and (room.days_left is None or room.days_left >= ENOUGH_DAYS)
    if room.days_left is None and not room.has_limit:
        is_enough = is_enough and free >= ENOUGH_SHARE * usable
    return OK if is_enough else LOW


def _store_and_report(kind: str, storage: Row) -> None:
    BoxState.write(STATE, kind)
    occurrences.report_storage(kind, storage)


def _shown(check: Check, room: Room, free: int | None) -> Row:
    days = None if room.days_left is None else round(room.days_left, 1)
    return {
        "status": check.status,
        "message": check.message,
        "days_left": days,
        "free_bytes": free,
    }
