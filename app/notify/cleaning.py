"""When are old messages and cool-downs deleted?"""

import logging
import time
from datetime import timedelta

from .. import clock
from ..db import writer
from ..models import DELIVERIES, DELIVERY_DAYS, Notification, NotificationCooldown
from ..services.clock_guard import ClockGuard, ClockImplausible

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 3600
ROWS_AT_ONCE = 1000


class Cleaning:
    """Deletes old messages once an hour, in small steps, while the clock is plausible."""

    def __init__(self, guard: ClockGuard) -> None:
        self._guard = guard
        self._due_at = 0.0

    def run_if_due(self) -> None:
        """Take one step if it is due; the next one is due at once while there is more."""
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + INTERVAL_SECONDS
        try:
            self._guard.check()
        except ClockImplausible as implausible:
            log.warning("%s", implausible)
            return
        if writer.run(delete_some) == ROWS_AT_ONCE:
            self._due_at = 0.0


def delete_some() -> int:
    """Delete cool-downs that have ended, and old messages; return how many messages."""
    now = clock.now()
    for rule in Notification.listing():
        over = now - timedelta(seconds=rule["cooldown_seconds"])
        NotificationCooldown.delete_until(rule["id"], clock.rfc3339(over))
    oldest_kept = clock.rfc3339(now - timedelta(days=DELIVERY_DAYS)), 0
    return DELIVERIES.delete_up_to(oldest_kept, ROWS_AT_ONCE)
