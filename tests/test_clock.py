"""Is the time aware, in UTC, and does its text sort as it does?"""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock

ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
# A day from either end of the calendar, so that every offset stays inside it.
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES)


def test_now_is_aware_and_in_utc():
    before = datetime.now(UTC)
    now = clock.now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2025, 12, 23, 10, tzinfo=UTC), "2025-12-23T10:00:00.000000Z"),
        (datetime(2025, 12, 23, 10, 0, 0, 7, UTC), "2025-12-23T10:00:00.000007Z"),
        (datetime(987, 1, 2, tzinfo=UTC), "0987-01-02T00:00:00.000000Z"),
        (
            datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
            "2025-12-31T18:45:00.000000Z",
        ),
    ],
)
def test_a_moment_is_written_in_utc_with_six_digits(moment, text):
    assert clock.rfc3339(moment) == text


@given(MOMENTS, MOMENTS)
def test_comparing_the_text_compares_the_time(one, other):
    first, second = clock.rfc3339(one), clock.rfc3339(other)
    assert (first < second, first == second) == (one < other, one == other)


@given(MOMENTS)
def test_the_text_reads_back_as_the_same_moment(moment):
    assert datetime.fromisoformat(clock.rfc3339(moment)) == moment


def test_a_time_beyond_the_calendar_becomes_its_first_or_last_second():
    assert clock.rfc3339(clock.from_ns(2**75)) == "9999-12-31T23:59:59.000000Z"
    assert clock.rfc3339(clock.from_ns(-(2**75))) == "0001-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (119.9, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172800, "2 days"),
    ],
)
def test_a_duration_is_written_in_the_largest_unit_that_it_holds_twice(seconds, text):
    assert clock.duration(seconds) == text


@pytest.mark.parametrize(
    ("variable", "hours"), [("Asia/Tokyo", 9), (":Asia/Tokyo", 9), ("no/such", None), ("", None)]
)
def test_the_zone_of_the_system_is_that_of_tz_or_else_of_its_file(monkeypatch, variable, hours):
    monkeypatch.setenv("TZ", variable)
    clock.zone.cache_clear()
    moment = datetime(2025, 12, 23, tzinfo=UTC)
    offset = clock.zone(None).utcoffset(moment)
    monkeypatch.delenv("TZ")
    clock.zone.cache_clear()
    system = clock.zone(None).utcoffset(moment)
    assert offset == (system if hours is None else timedelta(hours=hours))
    assert clock.zone("Europe/Berlin").utcoffset(moment) == timedelta(hours=1)


def test_a_zone_without_a_name_is_shown_by_its_offset(monkeypatch):
    assert clock.zone_name("Europe/Berlin") == "Europe/Berlin"
    monkeypatch.setattr(clock, "zone", lambda name: timezone(timedelta(hours=5, minutes=17)))
    monkeypatch.setattr("os.path.realpath", lambda path: "/etc/localtime")
    assert clock.zone_name(None) == "+05:17"
    monkeypatch.setattr("os.path.realpath", lambda path: "/usr/share/zoneinfo/Asia/Kolkata")
    assert clock.zone_name(None) == "Asia/Kolkata"


class Copied(tzinfo):
    """The zone of Berlin without its name, as a copy of its file has it."""

    of = ZoneInfo("Europe/Berlin")

    def fromutc(self, moment):
        return self.of.fromutc(moment.replace(tzinfo=self.of)).replace(tzinfo=self)

    def utcoffset(self, moment):
        return self.of.utcoffset(moment)

    def dst(self, moment):
        return self.of.dst(moment)


def test_a_copied_zone_has_the_name_of_one_with_the_same_offsets(monkeypatch):
    monkeypatch.setattr(clock, "zone", lambda name: Copied())
    monkeypatch.setattr("os.path.realpath", lambda path: "/etc/localtime")
    named = ZoneInfo(clock.zone_name(None))
    for month in range(1, 13):
        moment = datetime(clock.now().year, month, 15, tzinfo=UTC)
        assert moment.astimezone(named).utcoffset() == moment.astimezone(Copied.of).utcoffset()
