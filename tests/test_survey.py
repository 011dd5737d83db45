"""Is every file in a folder counted as what it is, and does counting end at its bounds?"""

import os

import pytest

from app import clock
from app.diagnostics.survey import MOST_LISTED, Bounds, survey
from app.storage.scan import MAX_DEPTH, is_temporary
from tests.clocks import storage_clock
from tests.pictures import put
from tests.unprivileged import as_nobody, base_of_nobody

MANY = Bounds(1000, 60)
MOST_BYTES = 100


def surveyed(folder, bounds=MANY):
    """The survey of the folder at this path."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return survey(descriptor, storage_clock(clock.now()), MOST_BYTES, bounds)
    finally:
        os.close(descriptor)


def test_an_empty_folder_holds_nothing(base):
    seen = surveyed(base)
    assert (seen.pictures, seen.complete, seen.newest, seen.temporary) == (0, True, None, [])
    assert not seen.skipped
    assert not seen.others


def test_every_file_is_counted_as_what_it_is(base):
    put(base / "a.jpg", b"x", age=50)
    put(base / "20251223/12/b.PNG", b"xx", age=40)
    put(base / "c.gif", b"", age=100)
    put(base / "d.jpeg", b"x" * (MOST_BYTES + 1))
    put(base / "empty.mp4", b"")
    for name in ("e.mkv", "f.MKV", "g.txt", "h.txt", "noname"):
        put(base / name, b"x")
    (base / "link.jpg").symlink_to("a.jpg")
    (base / "20251223/link.jpg").symlink_to(base / "a.jpg")
    (base / "outside.jpg").symlink_to("../a.jpg")
    (base / "elsewhere").symlink_to("/etc")
    put(base / ".thumbs/h.jpg", b"x")
    put(base / "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", b"x")
    os.mkfifo(base / "fifo.jpg")
    seen = surveyed(base)
    assert (seen.pictures, seen.complete) == (2, True)
    assert seen.newest.path == "20251223/12/b.PNG"
    assert seen.newest.size == 2
    assert seen.skipped == {"empty_files": 1, "too_large": 1, "links_inside": 2}
    assert (seen.clips, seen.others) == (2, {".txt": 2, "": 1})


def test_an_empty_file_is_not_counted_while_its_upload_may_be_starting(base):
    put(base / "a.jpg", b"", age=5)
    assert surveyed(base).skipped["empty_files"] == 0


def test_the_newest_picture_is_the_one_that_the_snapshot_shows(base):
    put(base / "z.jpg", b"x", age=9, now=1e9)
    put(base / "a.jpg", b"x", age=9, now=1e9)
    assert surveyed(base).newest.path == "z.jpg"


@pytest.mark.parametrize(
    ("name", "temporary"),
    [
        ("0500.tmp", True),
        ("0500.jpg.PART", True),
        (".in.front.jpg.", True),
        (".front.jpg.x8Hn2s", True),
        (".pureftpd-upload.6763.15.8ab.a9", True),
        ("front.jpg", False),
        (".DS_Store", False),
        ("part", False),
        ("notes.txt", False),
    ],
)
def test_an_upload_is_recognised_by_its_temporary_name(base, name, temporary):
    assert is_temporary(name) == temporary
    put(base / "sub" / name, b"xyz")
    found = [(file.path, file.size) for file in surveyed(base).temporary]
    assert found == ([(f"sub/{name}", 3)] if temporary else [])


def test_counting_ends_at_the_bound_on_pictures(base):
    for number in range(20):
        put(base / f"{number}.jpg", b"x")
    for most, counted, complete in ((19, 19, False), (20, 20, True), (21, 20, True)):
        seen = surveyed(base, Bounds(most, 60))
        assert (seen.pictures, seen.complete) == (counted, complete)


def test_counting_ends_at_the_time_bound_even_without_pictures(base):
    for number in range(500):
        put(base / f"{number}.mkv", b"x")
    assert not surveyed(base, Bounds(1000, 0)).complete


def test_the_listed_uploads_and_suffixes_are_limited(base):
    for number in range(MOST_LISTED + 5):
        put(base / f"{number}.tmp", b"x")
        put(base / f"x.{number}", b"x")
    seen = surveyed(base)
    assert (len(seen.temporary), len(seen.others)) == (MOST_LISTED, MOST_LISTED)


def test_folders_that_are_nested_too_deeply_are_counted_as_skipped(base):
    folder = os.open(base, os.O_RDONLY)
    for _ in range(MAX_DEPTH + 1):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    assert surveyed(base).skipped == {"too_deep": 1}


def test_files_and_folders_that_may_not_be_read_are_counted_as_skipped():
    with base_of_nobody() as base:
        put(base / "front/a.jpg", b"x")
        put(base / "front/b.jpg", b"x").chmod(0)
        put(base / "front/20251223/c.jpg", b"x")
        (base / "front/20251223").chmod(0)
        with as_nobody():
            seen = surveyed(base / "front")
        (base / "front/20251223").chmod(0o700)
    assert seen.pictures == 1
    assert seen.skipped == {"unreadable_files": 1, "closed_folders": 1}
