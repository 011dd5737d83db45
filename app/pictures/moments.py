"""Which uploads belong together? Those of a moment, which follow each other closely, and those
around an event.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from operator import itemgetter
from typing import NamedTuple

from .. import clock
from ..clock import HOUR_US, SECOND_US
from ..models import Row
from ..models.uploads import Upload
from .listing import Filters

# How long before and after an event its pictures were taken; a clip is uploaded when it ends.
BEFORE_US, AFTER_US, CLIP_AFTER_US = 30 * SECOND_US, 30 * SECOND_US, 120 * SECOND_US


class Moment(NamedTuple):
    """Uploads of one camera that follow each other closely, newest first; never empty.

    ``continuous``: whether it is part of a run of uploads of more than an hour.
    """

    uploads: Sequence[Upload]
    continuous: bool

    @property
    def start_us(self) -> int:
        """The time of the oldest upload."""
        return self.uploads[-1][0]

    @property
    def end_us(self) -> int:
        """The time of the newest upload."""
        return self.uploads[0][0]

    @property
    def clips(self) -> int:
        """How many of the uploads are clips."""
        return sum(map(itemgetter(2), self.uploads))

    def middle(self) -> Upload:
        """The picture in the middle, of two the older; a clip where there are only clips."""
        shown = self.representatives()
        return shown[len(shown) // 2]

    def nearest(self, moment_us: int) -> Upload:
        """The picture nearest to a time, of two the older; a clip where there are only clips."""
        return min(
            self.representatives(), key=lambda upload: (abs(upload[0] - moment_us), upload[:2])
        )

    def distance(self, moment_us: int) -> int:
        """How far a time lies from the moment in microseconds; 0 inside it."""
        return max(self.start_us - moment_us, moment_us - self.end_us, 0)

    def representatives(self) -> Sequence[Upload]:
        """The uploads that may represent it: the pictures, or the clips if there is no picture."""
        if not self.clips:
            return self.uploads
        return [upload for upload in self.uploads if not upload[2]] or self.uploads


@dataclass(slots=True)
class _Hour:
    """A full hour of a time zone."""

    zone: tzinfo
    start_us: int = 0
    end_us: int = 0

    def move_to(self, moment_us: int) -> None:
        """Move to the hour that contains this time."""
        if self.start_us <= moment_us < self.end_us:
            return
        offset = self.zone.utcoffset(clock.from_ns(moment_us * 1000).astimezone(self.zone))
        shift_us = int(offset.total_seconds()) * SECOND_US if offset else 0
        self.start_us = (moment_us + shift_us) // HOUR_US * HOUR_US - shift_us
        self.end_us = self.start_us + HOUR_US


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


def group(uploads: Iterable[Upload], gap_us: int, zone: tzinfo) -> Iterator[Moment]:
    """The moments of ``uploads``, which come newest first, newest first.

    Uploads at most ``gap_us`` apart belong together. A run that is longer than an hour is cut at
    the full hours of the ``zone``. At most the uploads of two hours are kept in memory.
    """
    run: list[Upload] = []
    hour, is_long, newest_us = _Hour(zone), False, 0
    for upload in uploads:
        taken_us = upload[0]
        if run and run[-1][0] - taken_us > gap_us:
            yield from _cut(run, hour) if is_long else [Moment(run, False)]
            run, is_long = [], False
        if not run:
            newest_us = taken_us
        elif newest_us - taken_us > HOUR_US:
            is_long = True
            hour.move_to(run[-1][0])
            if taken_us < hour.start_us:
                yield from _cut(run, hour)
                run = []
        run.append(upload)
    if run:
        yield from _cut(run, hour) if is_long else [Moment(run, False)]


def _cut(run: list[Upload], hour: _Hour) -> Iterator[Moment]:
    """The parts of a long run, newest first, cut at the full hours."""
    begin = 0
    while begin < len(run):
        hour.move_to(run[begin][0])
        end = begin
        while end < len(run) and run[end][0] >= hour.start_us:
            end += 1
        yield Moment(run[begin:end], True)
        begin = end
