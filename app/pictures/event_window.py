"""Which pictures and clips belong to an event?"""

from .. import clock
from ..models import Row
from .listing import Filters
from .moments import SECOND_US

BEFORE_US, AFTER_US, CLIP_AFTER_US = 30 * SECOND_US, 30 * SECOND_US, 120 * SECOND_US


def around_event(event: Row) -> Filters:
    """The pictures from 30 s before an event to 30 s after its end, clips to 120 s after it.

    Without an end, all since then. Oldest first.
    """
    start_us = clock.microseconds(event["started_at"]) - BEFORE_US
    if event["ended_at"] is None:
        return Filters(start_us, newest_first=False)
    # The end of a period is exclusive.
    end_us = clock.microseconds(event["ended_at"]) + 1
    clips_end_us = end_us + CLIP_AFTER_US
    return Filters(start_us, end_us + AFTER_US, newest_first=False, clips_end_us=clips_end_us)
