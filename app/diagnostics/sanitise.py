"""How is what the disk holds written for a person? Names without tricks, times as text."""

from .. import clock

# The first and the last second that `datetime` knows, since the epoch.
EARLIEST_SECONDS, LATEST_SECONDS = -62135596800, 253402300799


def legible(text: str) -> str:
    """``text`` without bytes that are not UTF-8 and without what acts on a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def moment(nanoseconds: int) -> str:
    """A file's time as it is sent, kept within the years that RFC 3339 has."""
    kept = min(max(nanoseconds, EARLIEST_SECONDS * 10**9), LATEST_SECONDS * 10**9)
    return clock.rfc3339(clock.from_ns(kept))
