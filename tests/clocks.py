"""Clocks of storage, for the tests of what is newest."""

from datetime import datetime

from app.storage.storage_clock import StorageClock, UntrustedTimes


def storage_clock(
    now: datetime, untrusted: UntrustedTimes | None = None, ahead: float = 0, is_local: bool = True
) -> StorageClock:
    """The clock of a storage that is ``ahead`` seconds ahead of the box's."""
    untrusted = untrusted or UntrustedTimes()
    return StorageClock(untrusted.notice(now), round(ahead * 1e9), is_local, untrusted)
