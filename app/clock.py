"""What time is it? Aware UTC; the only module that asks.

Times are kept and sent as RFC 3339 text in UTC with exactly six digits of a second and a ``Z``,
so that comparing the text compares the time, in Python as in SQLite.
"""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The first and the last second that `datetime` can hold, in seconds since the epoch.
EARLIEST_SECONDS, LATEST_SECONDS = -62135596800, 253402300799
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """An aware ``moment`` as the text that is stored and sent: ``2025-12-23T10:00:00.000000Z``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse(text: str) -> datetime:
    """The moment that `rfc3339` made ``text`` of."""
    return datetime.fromisoformat(text)


def from_ns(nanoseconds: int) -> datetime:
    """The moment so long after the epoch, to the microsecond below.

    A file's time may lie before the year 1 or after 9999; the nearest moment stands for it.
    """
    kept = min(max(nanoseconds, EARLIEST_SECONDS * 10**9), LATEST_SECONDS * 10**9)
    return EPOCH + timedelta(microseconds=kept // 1000)


def duration(seconds: float) -> str:
    """A length of time in the largest unit that it holds twice: ``36 hours``, ``1 second``."""
    unit, length = next((unit for unit in UNITS if seconds >= 2 * unit[1]), UNITS[-1])
    count = int(seconds // length)
    return f"{count} {unit}{'' if count == 1 else 's'}"
