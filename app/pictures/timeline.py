"""How many pictures, clips, detections and events are in each part of a period?"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from math import gcd

from .. import clock
from ..clock import SECOND_US
from ..models import DETECTIONS, EVENTS, Row
from ..models.lists import counts_by_time
from .listing import Listing
from .uploads import count_parts

# The length of a bucket in minutes, by its name in the API; a day has 23 to 25 hours.
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "1d": 1440}
MOST_BUCKETS = 10_000
DAY = timedelta(days=1)
# How many characters of a time's text are its hour, and how many its minute.
HOUR_CHARACTERS, MINUTE_CHARACTERS = 13, 16


class TooManyBuckets(Exception):
    """The period holds more than `MOST_BUCKETS`, empty ones included."""


class Buckets:
    """The buckets of a period: each begins where the one before ends, the first at or before
    ``start``, the last before ``end``.

    Those of a day begin at the first instant of the day in the ``zone``, all others are aligned
    to UTC. Raises `TooManyBuckets`.
    """

    def __init__(self, start: datetime, end: datetime, bucket: str, zone: tzinfo) -> None:
        self.starts: list[datetime] = []
        if (end - start) / timedelta(minutes=MINUTES[bucket]) > MOST_BUCKETS + 1:
            raise TooManyBuckets
        for begin, following in pairwise(_begins(start, bucket, zone)):
            if begin >= end:
                break
            if following > max(start, begin):
                self.starts.append(begin)
        if len(self.starts) > MOST_BUCKETS:
            raise TooManyBuckets

    @property
    def common_seconds(self) -> int:
        """The longest time that every bucket is a multiple of, in whole seconds."""
        lengths = [(b - a) // timedelta(seconds=1) for a, b in pairwise(self.starts)]
        return gcd(*lengths) or 24 * 3600

    @property
    def characters(self) -> int:
        """How many characters of a time's text determine its bucket."""
        is_by_hour = all(begin.minute == begin.second == 0 for begin in self.starts)
        is_long = self.common_seconds % 3600 == 0
        return HOUR_CHARACTERS if is_by_hour and is_long else MINUTE_CHARACTERS

    def add_up(self, counts: Iterable[tuple[datetime, int]]) -> dict[datetime, int]:
        """The sum of the counts in each bucket that has any; their moments lie in the period."""
        sums: dict[datetime, int] = {}
        for moment, count in counts:
            start = self.starts[bisect_right(self.starts, moment) - 1]
            sums[start] = sums.get(start, 0) + count
        return sums


def timeline(
    listing: Listing, camera_id: str, period: tuple[str, str], bucket: str, zone: tzinfo
) -> list[Row]:
    """Counts of a camera's uploads, detections and events in a period, oldest first.

    Empty buckets are left out. Raises `TooManyBuckets`.
    """
    start, end = map(clock.parse, period)
    buckets = Buckets(start, end, bucket, zone)
    if not buckets.starts:
        return []
    kinds, characters = (False, True), buckets.characters
    sums = [buckets.add_up(_uploads(listing, is_clip, buckets, period)) for is_clip in kinds]
    for rows in (DETECTIONS, EVENTS):
        counts = counts_by_time(rows, camera_id, *period, characters)
        sums.append(buckets.add_up((_beginning(text), n) for text, n in counts.items()))
    names = ("pictures", "clips", "detections", "events")
    return [
        {
            "start": clock.rfc3339(begin),
            **{n: each.get(begin, 0) for n, each in zip(names, sums, strict=True)},
        }
        for begin in buckets.starts
        if any(each.get(begin) for each in sums)
    ]


def _uploads(
    listing: Listing, is_clip: bool, buckets: Buckets, period: tuple[str, str]
) -> Iterator[tuple[datetime, int]]:
    """Counts of one kind of uploads in parts of buckets, each with a moment of its part."""
    start_us, end_us = map(clock.microseconds, period)
    origin, length_us = buckets.starts[0], buckets.common_seconds * SECOND_US
    origin_us = clock.to_us(origin)
    counts = count_parts(listing, is_clip, (start_us, end_us), origin_us, length_us)
    for number, uploads in counts.items():
        yield origin + timedelta(microseconds=number * length_us), uploads


def _beginning(text: str) -> datetime:
    """The first instant of the hour or minute in the text."""
    return datetime.fromisoformat(
        text if len(text) == MINUTE_CHARACTERS else f"{text}:00"
    ).replace(tzinfo=UTC)


def _begins(start: datetime, bucket: str, zone: tzinfo) -> Iterator[datetime]:
    """The first instant of each bucket, from the one of ``start`` on."""
    try:
        yield from _days(start, zone) if bucket == "1d" else _steps(start, MINUTES[bucket])
    except OverflowError:  # after the year 9999
        yield datetime.max.replace(tzinfo=UTC)


def _steps(start: datetime, minutes: int) -> Iterator[datetime]:
    length = timedelta(minutes=minutes)
    begin = start - (start - clock.EPOCH) % length
    while True:
        yield begin
        begin += length


def _days(start: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Where clocks skip or repeat midnight, the first instant is that of PEP 495's fold of 0."""
    day = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    while True:
        yield day.replace(tzinfo=zone).astimezone(UTC)
        day += DAY
