"""Is the clock plausible? While it is not, nothing is deleted by its age.

The leader stores the time together with its other writes, and records when it finds the clock
implausible. Every other process on the database, such as a command, reads that record.
"""

import logging
import time
from datetime import timedelta
from functools import partial

from flask import Flask

from .. import clock
from ..clock import Reading, rfc3339
from ..db import leader_lock_is_held, writer
from ..layout import COMMAND
from ..models import AuditEntry, ClockNote

log = logging.getLogger(__name__)

# How often the leader checks the clock, in seconds.
FOLLOW_SECONDS = 1.0
# The time is stored at most once in this many seconds: SD cards wear.
NOTE_SECONDS = 3600
IMPLAUSIBLE = (
    "The clock is implausible: {}, and no time service sets it. Nothing is deleted by its age "
    "meanwhile. Set the clock (timedatectl set-ntp true); if it is right, run: "
    f"{COMMAND} prune --believe-clock"
)
# Another process cannot observe the jump itself.
SEEN_BY_THE_SERVICE = "the running service has seen it jump, or far ahead of the last noted time"


class ClockImplausible(Exception):
    """Nothing is deleted while the clock is implausible; the text says why it is."""


class ClockGuard:
    """Compares the clock with what it showed before. Safe for threads."""

    def __init__(self) -> None:
        self._reference = clock.Reference(clock.read().uptime, None, None)
        # Whether the database says that the clock is implausible; None unless this is the leader.
        self._recorded: bool | None = None
        self._note_at = 0.0

    def why_implausible(self) -> str | None:
        """Why the clock is implausible; None where it is plausible. Writes nothing."""
        reading = clock.read()
        reason = self._compare(reading)
        if reason or reading.is_synchronised or self._recorded is not None:
            return reason
        is_recorded = leader_lock_is_held() and ClockNote.is_implausible()
        return SEEN_BY_THE_SERVICE if is_recorded else None

    def check(self) -> None:
        """Raise `ClockImplausible` while the clock is implausible."""
        if reason := self.why_implausible():
            raise ClockImplausible(IMPLAUSIBLE.format(reason))

    def follow(self) -> None:
        """Record when the clock becomes implausible or plausible; for the leader."""
        reading = clock.read()
        if self._recorded is None:
            self._recorded = ClockNote.is_implausible()
            writer.set_companion(self.note_due)
        elif self._recorded and not ClockNote.is_implausible():  # after prune --believe-clock
            self._recorded = False
            self._believe(reading)
        reason = self._compare(reading)
        if bool(reason) == self._recorded:
            return
        moment = rfc3339(reading.now)
        if reason:
            log.warning("%s", IMPLAUSIBLE.format(reason))
            writer.run(partial(ClockNote.mark_implausible, moment, self._expected(reading)))
        else:
            log.info("the clock is plausible again")
            writer.run(partial(ClockNote.note, moment))
        self._recorded = bool(reason)

    def believe(self) -> None:
        """Record the clock as plausible, because an operator says that it is right."""
        reading = clock.read()
        writer.run(partial(ClockNote.note, rfc3339(reading.now)))
        self._believe(reading)

    def note_due(self) -> partial[None] | None:
        """The change that stores the time, if one is due (`writer.set_companion`)."""
        is_due = self._recorded is False and time.monotonic() >= self._note_at
        if not is_due or self.why_implausible():
            return None
        self._note_at = time.monotonic() + NOTE_SECONDS
        return partial(ClockNote.note, rfc3339(clock.now()))

    def _compare(self, reading: Reading) -> str | None:
        reference = self._reference
        if reference.believed is None:
            started_at = rfc3339(reading.at(reference.started))
            noted = ClockNote.latest(started_at) or AuditEntry.last_timestamp(started_at)
            reference = reference._replace(noted=clock.parse(noted) if noted else None)
            self._reference = reference
        reason = clock.why_implausible(reading, reference)
        if reason is None and (reference.believed is None or reading.is_synchronised):
            self._believe(reading)
        return reason

    def _believe(self, reading: Reading) -> None:
        started_at = reading.at(self._reference.started)
        self._reference = self._reference._replace(believed=started_at)

    def _expected(self, reading: Reading) -> str:
        """What the clock would show if it had not jumped; else the latest time noted."""
        started, believed, noted = self._reference
        running = timedelta(seconds=reading.uptime - started)
        return rfc3339(believed + running if believed else noted or reading.now)


def init_app(app: Flask) -> None:
    """Create the app's guard of the clock; the leader calls `follow`."""
    app.extensions["clock_guard"] = ClockGuard()
    writer.set_companion(lambda: None)
