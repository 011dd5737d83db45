"""Is everything in a folder counted as what it is, and does counting end?"""

import os
import time

import pytest

from app import clock
from app.diagnostics.survey import NAMED, Bounds, is_temporary, survey
from app.storage.scan import DEEPEST
from tests.pictures import put
from tests.unprivileged import as_nobody, base_of_nobody

MANY = Bounds(1000, 60)
MOST_BYTES = 100


def surveyed(folder, bounds=MANY):
    """What is in the folder at this path."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return survey(descriptor, clock.now(), MOST_BYTES, bounds)
    finally:
        os.close(descriptor)


def test_an_empty_folder_holds_nothing(base):
    seen = surveyed(base)
    assert (seen.pictures, seen.complete, seen.newest, seen.temporary) == (0, True, None, [])
    assert not seen.passed_over
    assert not seen.others


def test_every_file_is_counted_as_what_it_is(base):
    put(base / "a.jpg", b"x", age=50)
    put(base / "20251223/12/b.PNG", b"xx", age=40)
    put(base / "c.gif", b"", age=100)
    put(base / "d.jpeg", b"x" * (MOST_BYTES + 1))
    for name in ("e.mkv", "f.MKV", "g.txt", "noname"):
        put(base / name, b"x")
    (base / "link.jpg").symlink_to("a.jpg")
    (base / "elsewhere").symlink_to("/etc")
    put(base / ".thumbs/h.jpg", b"x")
    os.mkfifo(base / "fifo.jpg")
    seen = surveyed(base)
    assert (seen.pictures, seen.complete) == (2, True)
    assert seen.newest.path == "20251223/12/b.PNG"
    assert seen.newest.size == 2
    assert seen.passed_over == {"empty": 1, "too_large": 1, "links": 2}
    assert seen.others == {".mkv": 2, ".txt": 1, "": 1}


def test_an_empty_file_is_no_trouble_while_it_may_be_an_upload_that_begins(base):
    put(base / "a.jpg", b"", age=5)
    assert surveyed(base).passed_over["empty"] == 0


def test_the_newest_is_the_snapshots_newest(base):
    put(base / "future.jpg", b"x", age=-2 * 24 * 3600)
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
def test_an_upload_under_a_temporary_name_is_told_by_it(base, name, temporary):
    assert is_temporary(name) == temporary
    put(base / "sub" / name, b"xyz")
    found = [(file.path, file.size) for file in surveyed(base).temporary]
    assert found == ([(f"sub/{name}", 3)] if temporary else [])


def test_counting_ends_at_so_many_pictures(base):
    for number in range(20):
        put(base / f"{number}.jpg", b"x")
    for most, counted, complete in ((19, 19, False), (20, 20, True), (21, 20, True)):
        seen = surveyed(base, Bounds(most, 60))
        assert (seen.pictures, seen.complete) == (counted, complete)


def test_counting_ends_after_so_long_whatever_the_files_are(base):
    for number in range(500):
        put(base / f"{number}.mkv", b"x")
    began = time.monotonic()
    assert not surveyed(base, Bounds(1000, 0)).complete
    assert time.monotonic() - began < 1


def test_names_are_kept_in_bounds(base):
    for number in range(NAMED + 5):
        put(base / f"{number}.tmp", b"x")
        put(base / f"x.{number}", b"x")
    seen = surveyed(base)
    assert (len(seen.temporary), len(seen.others)) == (NAMED, NAMED)


def test_folders_nested_too_deeply_are_counted_as_such(base):
    folder = os.open(base, os.O_RDONLY)
    for _ in range(DEEPEST + 1):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    assert surveyed(base).passed_over == {"too_deep": 1}


def test_what_may_not_be_read_is_counted_as_such():
    with base_of_nobody() as base:
        put(base / "front/a.jpg", b"x")
        put(base / "front/b.jpg", b"x").chmod(0)
        put(base / "front/20251223/c.jpg", b"x")
        (base / "front/20251223").chmod(0)
        with as_nobody():
            seen = surveyed(base / "front")
        (base / "front/20251223").chmod(0o700)
    assert seen.pictures == 1
    assert seen.passed_over == {"unreadable": 1, "closed": 1}
