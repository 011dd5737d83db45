"""Are the buckets of a timeline whole, aligned and bounded, on days of 23 to 25 hours too?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pictures.timeline import MINUTES, MOST_BUCKETS, Buckets, TooManyBuckets

NOON = datetime(2025, 12, 23, 12, 7, 30, tzinfo=UTC)


def buckets(start, length, bucket, zone="UTC"):
    return Buckets(start, start + length, bucket, ZoneInfo(zone)).starts


@pytest.mark.parametrize(
    ("bucket", "first", "number"), [("1m", 7, 61), ("5m", 5, 13), ("15m", 0, 5), ("1h", 0, 2)]
)
def test_buckets_below_a_day_are_aligned_to_utc(bucket, first, number):
    starts = buckets(NOON, timedelta(hours=1), bucket, "Asia/Kathmandu")
    assert starts[0] == NOON.replace(minute=first, second=0)
    assert len(starts) == number


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", (2025, 3, 30), 23),
        ("Europe/Berlin", (2025, 10, 26), 25),
        # Midnight itself is skipped, or comes twice.
        ("America/Havana", (2024, 3, 10), 23),
        ("America/Havana", (2024, 11, 3), 25),
        ("America/Sao_Paulo", (2018, 2, 17), 25),
        ("Asia/Kolkata", (2025, 3, 30), 24),
    ],
)
def test_a_day_begins_with_its_first_instant_in_the_zone(zone, day, hours):
    start = datetime(*day, 13, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    first, second = buckets(start, timedelta(days=1), "1d", zone)
    assert second - first == timedelta(hours=hours)
    assert first.astimezone(ZoneInfo(zone)).date() == datetime(*day).date()
    before = first - timedelta(microseconds=1)
    assert before.astimezone(ZoneInfo(zone)).date() < datetime(*day).date()


def test_a_day_that_a_zone_skips_has_no_bucket():
    start = datetime(2011, 12, 29, 11, tzinfo=UTC)
    local = [
        each.astimezone(ZoneInfo("Pacific/Apia")).day
        for each in buckets(start, timedelta(days=3), "1d", "Pacific/Apia")
    ]
    assert local == [29, 31, 1, 2]


def test_more_buckets_than_the_limit_are_refused_and_as_many_are_not():
    start = NOON.replace(minute=0, second=0)
    assert len(buckets(start, timedelta(hours=MOST_BUCKETS), "1h")) == MOST_BUCKETS
    with pytest.raises(TooManyBuckets):
        buckets(start, timedelta(hours=MOST_BUCKETS, microseconds=1), "1h")
    with pytest.raises(TooManyBuckets):
        Buckets(datetime(1, 1, 1, tzinfo=UTC), NOON, "1d", ZoneInfo("America/New_York"))


def test_the_last_day_of_the_calendar_has_a_bucket():
    start = datetime(9999, 12, 31, tzinfo=UTC)
    assert buckets(start, timedelta(hours=23), "1d") == [start]


def test_an_empty_or_reversed_period_has_no_bucket():
    assert buckets(NOON.replace(minute=0, second=0), timedelta(0), "1h") == []
    assert buckets(NOON, timedelta(hours=-2), "1h") == []


@given(
    st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(timedelta(seconds=1), timedelta(days=5)),
    st.sampled_from(list(MINUTES)),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"]),
)
def test_each_moment_of_the_period_lies_in_exactly_one_bucket(start, length, bucket, zone):
    found = Buckets(start, start + length, bucket, ZoneInfo(zone))
    assert found.starts[0] <= start
    assert all(a < b for a, b in pairwise(found.starts))
    last = start + length - timedelta(microseconds=1)
    assert found.starts[-1] <= last
    sums = found.add_up([(start, 2), (last, 3)])
    assert sum(sums.values()) == 5
    assert sums.keys() == {found.starts[0], found.starts[-1]}
