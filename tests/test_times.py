"""What time does a picture count with, whatever the clocks of camera, box and storage show?"""

import os
from datetime import UTC, datetime, timedelta

import pytest

from app.storage import folders
from app.storage.changes import Arrival, Upload, Walked
from app.storage.folders import Folders
from app.storage.newest_files import Ranking
from app.storage.scan import walk
from app.storage.storage_clock import EMPTY, FUTURE, TRUSTED, StorageClock, UntrustedTimes
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
    monkeypatch.setattr("app.storage.storage_clock.time.monotonic_ns", lambda: round(at[0] * NS))
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
    monkeypatch.setattr("app.storage.storage_clock.MOST_UNTRUSTED", 10)
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
    """A storage whose clock is ``ahead`` seconds ahead of the box's, looked at every second.

    ``files``: the times of each file, mtime and ctime, in seconds after `NOW`, and its size.
    """

    def __init__(self, ahead: float, monkeypatch) -> None:
        self.ahead, self.seconds = ahead, 0.0
        self.files = {"old.jpg": (ahead - 500, ahead - 500, 9)}
        self.changed = ahead - 500
        self.folder = os.open("/proc/tty", os.O_RDONLY)  # on no local file system
        self.known = Folders(10**6, watch=False)
        monkeypatch.setattr(folders, "walk", self.walk)
        self.seen: Upload | None = None

    def walk(self, _: int, clock: StorageClock, *__: object) -> Walked:
        """What a walk finds."""
        ranking, latest = Ranking(str), None
        for inode, (name, times) in enumerate(self.files.items()):
            mtime, ctime, size = times
            ranking.put(name, *clock.place(status(mtime, ctime, inode, size)))
            if clock.may_be(ns(ctime)) and (latest is None or ns(ctime) > latest.ctime_ns):
                latest = Arrival(ns(ctime), name, ns(mtime), size)
        return Walked(ranking.answer(), [], latest, len(self.files), {"": ns(self.changed)})

    def look(self) -> bool:
        """Whether there is a new upload."""
        now = NOW + timedelta(seconds=self.seconds)
        self.state = self.known.query(self.folder, now)
        self.seconds += 1
        before, self.seen = self.seen, self.state.upload
        return self.seen != before

    @property
    def newest(self) -> str:
        return self.state.newest[0].path

    def touch(self, name: str, mtime: float | None = None, size: int = 9) -> None:
        """Write to a file, or only change its rights, half a second ago; ``mtime``: after `NOW`,
        by the storage's clock.
        """
        at = self.ahead + self.seconds - 0.5
        self.changed = self.changed if name in self.files else at
        self.files[name] = at if mtime is None else mtime, at, size


@pytest.fixture
def nas(monotonic, monkeypatch):
    """Makes a `Nas`, and lets the monotonic clock go on with it."""
    made = []

    def make(ahead: float) -> Nas:
        made.append(Nas(ahead, monkeypatch))
        monkeypatch.setattr("time.monotonic_ns", lambda: 5000 * NS + round(made[0].seconds * NS))
        return made[0]

    yield make
    os.close(made[0].folder)


@pytest.mark.parametrize("ahead", [0, 3600, -3600, 30, -7])
def test_the_storages_clock_is_known_from_its_newest_arrivals(nas, ahead):
    share = nas(ahead)
    assert not share.look()
    for number in range(5):
        share.touch(f"{number}.jpg")
        assert share.look()
        assert share.newest == f"{number}.jpg"
        assert not share.look()
        assert share.state.clock.ahead_ns / NS == pytest.approx(ahead, abs=1)


def test_an_upload_with_an_old_time_is_noticed_but_other_rights_are_not(nas):
    share, long_ago = nas(0), -(50 * 365 * 86400)
    share.look()
    share.touch("a.jpg", long_ago)
    assert share.look()
    share.touch("a.jpg", long_ago)
    assert not share.look()  # chmod of the same file
    share.touch("old.jpg", -500)
    assert not share.look()  # chmod, or a hard link, of another one
    share.touch("old.jpg", long_ago, size=10)
    assert share.look()  # the only file of a camera, overwritten


@pytest.mark.parametrize(("before", "after"), [(7200, 0), (0, -7200), (3600, -3600), (-900, 3600)])
def test_what_arrives_after_the_storages_clock_was_set_is_noticed_and_newest(nas, before, after):
    share = nas(before)
    for number in range(3):
        share.touch(f"before {number}.jpg")
        share.look()
    share.ahead = after
    for number in range(5):
        share.touch(f"after {number}.jpg")
        assert share.look()
        assert share.newest == f"after {number}.jpg"
        assert not share.look()
        assert share.state.clock.ahead_ns / NS == pytest.approx(after, abs=1)
        share.seconds += 2000


def test_a_service_that_starts_after_the_storages_clock_was_set_back_learns_it(nas):
    share = nas(7200)
    share.touch("before.jpg")
    share.ahead = 0
    share.look()
    assert share.newest == "before.jpg"
    share.touch("after.jpg")
    assert share.look()
    assert share.newest == "after.jpg"
    assert share.state.clock.ahead_ns / NS == pytest.approx(0, abs=1)


def test_a_change_that_a_network_mount_shows_late_sets_no_clock(nas):
    share = nas(0)
    share.look()
    share.seconds += 60
    share.files["late.jpg"] = (1, 1, 9)
    share.changed = 1
    share.look()
    for number in range(3):
        share.touch(f"{number}.jpg")
        assert share.look()
        assert share.newest == f"{number}.jpg"
        assert share.state.clock.ahead_ns / NS == pytest.approx(0, abs=1)
