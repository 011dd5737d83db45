"""What time is it? Aware UTC; the only module that asks.

Times are kept and sent as RFC 3339 text in UTC with exactly six digits of a second and a ``Z``,
so that comparing the text compares the time, in Python as in SQLite.
"""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    """The moment so long after the epoch, to the microsecond below."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)
