"""Are bytes that were read held for who asks next, and never given to who asks for others?"""

import gc
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.storage import picture_cache, snapshots
from app.storage.scan import walk
from app.storage.snapshots import Terms
from tests.pictures import picture, put

DATA = picture()
LATER = timedelta(seconds=picture_cache.TELLING_SECONDS + 1)
MIB = 2**20


@pytest.fixture(autouse=True)
def held(monkeypatch):
    """Nothing yet."""
    fresh = picture_cache.Recent()
    monkeypatch.setattr(snapshots, "recent", fresh)
    return fresh


@pytest.fixture
def file(base):
    return put(base / "front" / "a.jpg", DATA)


@pytest.fixture
def look(base):
    """The picture as it is found a moment after it was written, or ``later``."""

    def latest(later=LATER):
        now = datetime.now(UTC) + later
        return snapshots.latest(
            str(base), "front", Terms(now, MIB, lambda folder, now: walk(folder, now, MIB))
        )

    return latest


def test_who_asks_next_is_given_the_same_bytes(file, look):
    first = look()
    assert look().data is first.data
    assert first.data == DATA


def test_no_more_is_held_than_has_room(base, look, held, monkeypatch):
    monkeypatch.setattr(picture_cache, "HELD_BYTES", 3 * len(DATA))
    for number in range(9):
        put(base / "front" / "a.jpg", DATA, age=99 - number)
        look()
        assert held._held_bytes == sum(map(len, held._held.values())) <= 3 * len(DATA)
    assert len(held._held) == 3
    assert len(held._known) == 3


def test_two_who_read_at_once_are_given_the_bytes_that_are_held(file, look, held):
    """Otherwise those of the second would be known for as long as it has them, and no longer."""
    first = look()
    second = held.share(first._replace(data=None), bytes(first.data), datetime.now(UTC) + LATER)
    assert second is first.data
    del first, second
    gc.collect()
    assert held.find(look()) is look().data


def test_what_has_no_room_is_shared_while_somebody_has_it(file, look, held, monkeypatch):
    monkeypatch.setattr(picture_cache, "HELD_BYTES", len(DATA) - 1)
    first = look()
    assert look().data is first.data
    del first
    gc.collect()
    assert not held._known


def test_they_are_read_once(file, look, monkeypatch):
    sizes = []
    pread = os.pread

    def counted(descriptor, size, offset):
        sizes.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    for _ in range(8):
        look()
    assert sizes.count(len(DATA)) == 1


def overwrite(file, data):
    with file.open("r+b") as opened:
        opened.write(data)


def replace(file, data):
    fresh = file.with_suffix(".tmp")
    fresh.write_bytes(data)
    os.rename(fresh, file)


@pytest.mark.parametrize("change", [overwrite, replace])
def test_another_picture_of_the_same_size_and_time_is_read(file, look, change):
    before = look()
    moment = file.stat().st_mtime_ns
    other = DATA[:20] + b"other" + DATA[25:]
    change(file, other)
    os.utime(file, ns=(moment, moment))
    assert look().data == other
    assert before.data == DATA


def test_what_was_written_just_now_is_read_each_time(file, look):
    """Its times may not tell whether it is written once more in the same moment."""
    first = look(timedelta(seconds=picture_cache.TELLING_SECONDS - 1))
    assert look(timedelta(seconds=picture_cache.TELLING_SECONDS - 1)).data is not first.data


def test_a_time_that_was_set_back_does_not_make_it_old(file, look):
    os.utime(file, (1, 1))
    first = look(timedelta(0))
    assert look(timedelta(0)).data is not first.data


def test_many_at_once_never_mix_bytes_up(file, look):
    """One writer, many readers: each is given a whole picture, of which no part is another's."""
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            mark = b"%05d" % number
            replace(file, DATA[:20] + mark + DATA[25:-7] + mark + DATA[-2:])

    writer = threading.Thread(target=write)
    replace(file, DATA[:20] + b"00000" + DATA[25:-7] + b"00000" + DATA[-2:])
    writer.start()
    try:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            data = bytes(look().data)
            assert data[20:25] == data[-7:-2]
            assert len(data) == len(DATA)
    finally:
        stop.set()
        writer.join()
