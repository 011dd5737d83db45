"""What time does a picture count with, whatever the clocks of camera, box and storage show?"""

import os
from datetime import UTC, datetime, timedelta

import pytest

from app.storage import newest_files
from app.storage.changes import Arrival, Arrivals
from app.storage.newest_files import EMPTY, FUTURE, TRUSTED, UntrustedTimes
from app.storage.scan import walk
from tests.clocks import storage_clock
from tests.pictures import put

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NS = 10**9


def ns(seconds: float) -> int:
    """The moment ``seconds`` after `NOW`, in nanoseconds since the epoch."""
    return int(NOW.timestamp()) * NS + round(seconds * NS)


def status(mtime: float, ctime: float, inode: int = 1, size: int = 9) -> os.stat_result:
    """Of a file with these times, in seconds after `NOW`."""
    fields = (0o100644, inode, 1, 1, 0, 0, size, 0, 0, 0)
    return os.stat_result(fields, {"st_mtime_ns": ns(mtime), "st_ctime_ns": ns(ctime)})


@pytest.fixture
def monotonic(monkeypatch):
    """The monotonic clock, in seconds; move it by setting its only item."""
    at = [5000.0]
    monkeypatch.setattr(newest_files.time, "monotonic_ns", lambda: round(at[0] * NS))
    return at


@pytest.mark.parametrize(
    ("mtime", "ctime", "rank", "time"),
    [
        (-60, 0, TRUSTED, -60),
        (-60, -90, TRUSTED, -90),
        (3600, -5, TRUSTED, -5),
        (3600, 10, TRUSTED, 10),
        (3600, 11, FUTURE, 11),
        (11, 3600, FUTURE, 11),
        (9, 3600, TRUSTED, 9),
    ],
)
def test_on_a_local_disk_the_earlier_of_both_times_counts(mtime, ctime, rank, time):
    clock = storage_clock(NOW)
    assert clock.place(status(mtime, ctime)) == (rank, ns(time), ns(time))
    assert clock.place(status(mtime, ctime, size=0))[0] == EMPTY


@pytest.mark.parametrize(
    ("mtime", "ctime", "rank", "time"),
    [
        (-60, -90, TRUSTED, -60),
        (3605, 3600, TRUSTED, 3605),
        (3600, 0, TRUSTED, 3600),
        (7200, 3600, TRUSTED, 3600),
        (7200, 3700, FUTURE, 3700),
    ],
)
def test_on_other_storage_ctime_counts_only_for_an_mtime_in_its_own_future(
    mtime, ctime, rank, time
):
    clock = storage_clock(NOW, ahead=3600, is_local=False)
    assert clock.place(status(mtime, ctime)) == (rank, ns(time), ns(time))


def test_a_picture_of_the_future_does_not_become_newer_when_the_clock_catches_up(monotonic):
    """The box's clock was two hours ahead when the picture came, and was set right then."""
    untrusted = UntrustedTimes()
    before = storage_clock(NOW + timedelta(hours=2), untrusted)
    assert before.place(status(7200, 7200)) == (TRUSTED, ns(7200), ns(7200))
    for minutes in (0, 60, 119.9):
        monotonic[0] = 5000 + 60 * minutes
        clock = storage_clock(NOW + timedelta(minutes=minutes), untrusted)
        assert clock.place(status(7200, 7200))[0] == FUTURE
    monotonic[0] = 5000 + 7200
    clock = storage_clock(NOW + timedelta(hours=2), untrusted)
    assert clock.place(status(7200, 7200)) == (TRUSTED, ns(0), ns(7200))
    assert clock.place(status(60, 60, inode=2)) > clock.place(status(7200, 7200))


def test_a_query_that_comes_seconds_late_is_no_clock_jump(monotonic):
    untrusted = UntrustedTimes()
    storage_clock(NOW, untrusted)
    jumps = untrusted.jumps
    monotonic[0] += 9
    storage_clock(NOW, untrusted)
    storage_clock(NOW + timedelta(seconds=9), untrusted)
    assert untrusted.jumps == jumps
    storage_clock(NOW + timedelta(seconds=20), untrusted)
    assert untrusted.jumps == jumps + 1


def test_a_picture_keeps_its_own_time_where_the_clock_was_behind(monotonic):
    """A box without a battery starts in 1970, and then learns the time."""
    untrusted = UntrustedTimes()
    assert (
        storage_clock(datetime(1970, 1, 1, tzinfo=UTC), untrusted).place(status(-99, -99))[0] == 1
    )
    monotonic[0] += 60
    assert storage_clock(NOW, untrusted).place(status(-99, -99)) == (TRUSTED, ns(-99), ns(-99))


def test_the_pictures_whose_time_is_not_believed_are_remembered_in_bounded_memory(
    monotonic, monkeypatch
):
    monkeypatch.setattr(newest_files, "MOST_UNTRUSTED", 10)
    untrusted = UntrustedTimes()
    clock = storage_clock(NOW, untrusted)
    for inode in range(20):
        clock.place(status(100, 100, inode))
    monotonic[0] += 200
    clock = storage_clock(NOW + timedelta(seconds=200), untrusted)
    placed = [clock.place(status(100, 100, inode))[1] for inode in range(20)]
    assert placed == [ns(100)] * 10 + [ns(0)] * 10


def test_the_walk_serves_believed_pictures_first_and_then_the_greatest_time(base):
    for name, age in (("a.jpg", 60), ("b.jpg", -60), ("c.jpg", -90), ("d.jpg", 90)):
        put(base / name, b"x", age, NOW.timestamp())
    folder = os.open(base, os.O_RDONLY)
    found = walk(folder, storage_clock(NOW), 100).newest
    os.close(folder)
    assert [candidate.path for candidate in found] == ["a.jpg", "d.jpg", "c.jpg", "b.jpg"]


class Nas:
    """A storage whose clock is ``ahead`` of the box's, looked at every second."""

    def __init__(self, ahead: float) -> None:
        self.ahead, self.seconds = ahead, 0
        self.arrivals, self.untrusted = Arrivals(), UntrustedTimes()
        self.latest, self.pictures = Arrival(ns(ahead - 500), "old.jpg", ns(ahead - 500), 9), 1

    def look(self) -> bool:
        """Whether there is a new upload."""
        now = NOW + timedelta(seconds=self.seconds)
        clock = storage_clock(now, self.untrusted, self.arrivals.ahead_ns / NS, is_local=False)
        self.arrivals.note(self.latest, self.pictures, clock, 1)
        self.seconds += 1
        pending, self.arrivals.pending = self.arrivals.pending, None
        return pending is not None

    def upload(self, name: str, mtime: float | None = None, size: int = 9) -> None:
        """Half a second ago; ``mtime``: after the moment, by the storage's clock."""
        at = ns(self.ahead + self.seconds - 0.5)
        self.pictures += name != self.latest.path
        self.latest = Arrival(at, name, at if mtime is None else at + round(mtime * NS), size)


@pytest.mark.parametrize("ahead", [0, 3600, -3600, 30, -7])
def test_the_storages_clock_is_known_from_its_newest_arrivals(ahead):
    nas = Nas(ahead)
    assert not nas.look()
    for number in range(5):
        nas.upload(f"{number}.jpg")
        assert nas.look()
        assert abs(nas.arrivals.ahead_ns / NS - ahead) <= 1
        assert not nas.look()


def test_an_upload_with_an_old_time_is_noticed_but_other_rights_are_not():
    nas = Nas(0)
    nas.look()
    nas.upload("a.jpg", mtime=-(50 * 365 * 86400))
    assert nas.look()
    nas.latest = nas.latest._replace(ctime_ns=ns(nas.seconds))
    assert not nas.look()  # chmod of the same file
    nas.latest = Arrival(ns(nas.seconds), "old.jpg", ns(-500), 9)
    assert not nas.look()  # chmod, or a hard link, of another one
    nas.upload("old.jpg", mtime=-(50 * 365 * 86400), size=10)
    assert nas.look()  # the only file of a camera, overwritten
