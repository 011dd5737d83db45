"""What time is it, and is the clock plausible? No other module reads the clock.

Times are kept and sent as RFC 3339 text in UTC with exactly six digits of a second and a ``Z``,
so that comparing the text compares the time, in Python as in SQLite.
"""

import contextlib
import ctypes
import os
import threading
import time
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The first and the last second that `datetime` can hold, in seconds since the epoch.
EARLIEST_SECONDS, LATEST_SECONDS = -62135596800, 253402300799
# How many microseconds a second and an hour have.
SECOND_US, HOUR_US = 10**6, 3600 * 10**6
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
# The clock that shows the time of the last tick (CLOCK_REALTIME_COARSE of linux/time.h).
REALTIME_COARSE = 5
# What adjtimex(2) returns if the clock is not synchronised, and more bytes than its struct has.
TIME_ERROR, TIMEX_BYTES = 5, 512
# An unsynchronised clock is implausible if it jumps by more than `JUMP`, or if it is ahead of the
# latest stored time by `GAP` or more when the service starts.
JUMP, GAP = timedelta(hours=1), timedelta(days=7)


class Reading(NamedTuple):
    """What the kernel reports: the time, the seconds since the boot, sleep included
    (CLOCK_BOOTTIME, which cannot be set), and whether the clock is synchronised.
    """

    now: datetime
    uptime: float
    is_synchronised: bool

    def at(self, uptime: float) -> datetime:
        """What this clock, as it is set now, would have shown at that ``uptime``."""
        return self.now - timedelta(seconds=self.uptime - uptime)


class Reference(NamedTuple):
    """What a clock is compared with.

    ``started``: the uptime at the start of the process; ``believed``: the time of that start by
    the clock as it was set when it was last plausible, None if it never was; ``noted``: the latest
    time that was stored before the start, if any.
    """

    started: float
    believed: datetime | None
    noted: datetime | None


def read() -> Reading:
    """The clock as it is now."""
    state = ctypes.CDLL(None).adjtimex((ctypes.c_byte * TIMEX_BYTES)())
    is_synchronised = 0 <= state != TIME_ERROR
    return Reading(now(), time.clock_gettime(time.CLOCK_BOOTTIME), is_synchronised)


def why_implausible(reading: Reading, reference: Reference) -> str | None:
    """Why the clock is implausible; None where it is plausible."""
    if reading.is_synchronised:
        return None
    shown = reading.at(reference.started)
    if reference.believed is not None:
        jump = abs(shown - reference.believed)
        return f"it jumped by {duration(jump.total_seconds())}" if jump > JUMP else None
    if reference.noted is None or shown - reference.noted < GAP:
        return None
    gap = duration((shown - reference.noted).total_seconds())
    return f"it is {gap} ahead of the last time that was noted ({rfc3339(reference.noted)})"


def now() -> datetime:
    return datetime.now(UTC)


def pause(seconds: float) -> None:
    """Wait. Unlike `time.sleep`, this also works while libfaketime shows the service another time.

    Its release 0.9.10 lets clock_nanosleep(2) fail, which Python's sleep calls.
    """
    threading.Event().wait(seconds)


def wait_for_tick(moment: datetime) -> None:
    """Wait until the files that are written do not get an earlier time than a moment just past.

    Linux gives them the time of its last tick, at most 10 ms ago.
    """
    for _ in range(20):  # if the clock is set meanwhile, no longer
        if time.clock_gettime(REALTIME_COARSE) >= moment.timestamp():
            break
        pause(0.001)


@cache
def zone(name: str | None) -> tzinfo:
    """The time zone of this IANA name; None for the system's, by TZ or /etc/localtime (tzset(3)).

    UTC where the system has none.
    """
    given = name or os.environ.get("TZ", "").removeprefix(":")
    if given:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError):  # TZ may hold rules instead
            return ZoneInfo(given)
    with contextlib.suppress(ValueError, OSError), open("/etc/localtime", "rb") as rules:
        return ZoneInfo.from_file(rules)
    return UTC


def zone_name(name: str | None) -> str:
    """The IANA name of `zone`, of one without a name that of a zone with the same offsets from
    UTC; where there is none, its present offset: ``+05:30``.
    """
    of = zone(name)
    if isinstance(of, ZoneInfo) and of.key:
        return of.key
    linked = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    if of is not UTC and linked:
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError):
            return ZoneInfo(linked).key
    return _name_by_offsets(of) or now().astimezone(of).isoformat()[-len("+00:00") :]


@cache
def _name_by_offsets(of: tzinfo) -> str | None:
    """The name of a zone whose offsets are the same on each day of two years, as those of a copy
    of its file are.
    """
    days = [now() + timedelta(days=number) for number in range(-366, 366)]
    for name in sorted(available_timezones()):
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError):
            other = ZoneInfo(name)
            if all(
                day.astimezone(of).utcoffset() == day.astimezone(other).utcoffset() for day in days
            ):
                return name
    return None


def rfc3339(moment: datetime) -> str:
    """An aware ``moment`` as the text that is stored and sent: ``2025-12-23T10:00:00.000000Z``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse(text: str) -> datetime:
    """The moment of a ``text`` that `rfc3339` has formatted."""
    return datetime.fromisoformat(text)


def microseconds(text: str) -> int:
    """How long after the epoch the moment is that `rfc3339` made ``text`` of."""
    return to_us(parse(text))


def to_us(moment: datetime) -> int:
    """How many microseconds after the epoch an aware ``moment`` is."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def rfc3339_us(microseconds: int) -> str:
    """The text of the moment this long after the epoch: see `from_ns` and `rfc3339`."""
    return rfc3339(from_ns(microseconds * 1000))


def from_ns(nanoseconds: int) -> datetime:
    """The moment this long after the epoch, rounded down to microseconds.

    A file's time before the year 1 or after 9999 becomes the nearest moment of `datetime`.
    """
    kept = min(max(nanoseconds, EARLIEST_SECONDS * 10**9), LATEST_SECONDS * 10**9)
    return EPOCH + timedelta(microseconds=kept // 1000)


def duration(seconds: float) -> str:
    """A length of time in the largest unit that fits into it twice: ``36 hours``, ``1 second``."""
    unit, length = next((unit for unit in UNITS if seconds >= 2 * unit[1]), UNITS[-1])
    count = int(seconds // length)
    return f"{count} {unit}{'' if count == 1 else 's'}"
