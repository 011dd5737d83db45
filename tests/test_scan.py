"""Which files are candidates, and which of them is the newest?"""

import fnmatch
import os
import socket
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.storage import newest_files, safe_open, scan
from tests.clocks import storage_clock
from tests.pictures import put

NOW = datetime(2025, 12, 23, 12, tzinfo=UTC)
MOST = 1000
DAY = 24 * 3600


def candidates(base, most=MOST):
    folder = safe_open.open_folder(str(base), "")
    try:
        return scan.walk(folder, storage_clock(NOW), most).newest
    finally:
        os.close(folder)


def paths(base, most=MOST):
    return [candidate.path for candidate in candidates(base, most)]


def aged(path, seconds, data=b"x"):
    return put(path, data, seconds, NOW.timestamp())


@pytest.mark.parametrize(
    "name",
    [
        *("a.jpg", "a.jpeg", "a.png", "a.gif", "A.JPG", "a.JpEg", "a.b.PNG", "a.Gif"),
        *("a b.jpg", "é.jpg", "a.jpg.png", "-.jpg", "a\n.jpg", "…jpg.jpg", "x" * 251 + ".jpg"),
    ],
)
def test_the_suffix_in_any_letter_case_makes_a_candidate(base, name):
    aged(base / name, 0)
    assert paths(base) == [name]


@pytest.mark.parametrize("name", ["a.mp4", "a.MKV", "a.avi", "a.Mov", "a.webm", "a.ts"])
def test_a_clip_of_any_size_is_found_beside_the_pictures(base, name):
    aged(base / "day" / name, 0, b"x" * (MOST + 1))
    aged(base / "b.jpg", 1)
    aged(base / ".hidden.mp4", 0)
    folder = safe_open.open_folder(str(base), "")
    try:
        found = scan.walk(folder, storage_clock(NOW), MOST)
    finally:
        os.close(folder)
    assert [candidate.path for candidate in found.clips] == [f"day/{name}"]
    assert [candidate.path for candidate in found.newest] == ["b.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        *("a", "jpg", "a.jpg~", "a.jpg.part", "a.jpg.tmp", "a.txt", "a.mp4", "a.jpg ", "ajpg"),
        *(".jpg", ".a.jpg", ".in.front.jpg", "..jpg", "a.webp", "a.svg", "a.jpe", "a.\uff4apg"),
    ],
)
def test_other_names_and_dotted_names_are_skipped(base, name):
    aged(base / name, 0)
    assert paths(base) == []


def test_a_name_that_is_not_utf8_is_a_candidate_like_any_other(base):
    path = os.fsencode(base) + b"/\xff\xfe.jpg"
    with open(path, "wb") as stream:
        stream.write(b"x")
    assert paths(base) == [os.fsdecode(b"\xff\xfe.jpg")]


def test_subfolders_of_any_name_are_searched(base):
    aged(base / "2025" / "12" / "23" / "10.jpg", 30)
    aged(base / "2025" / "12" / "24" / "09.jpg", 20)
    aged(base / "album.jpg" / "a.jpg", 10)
    aged(base / "a.jpg", 40)
    assert paths(base) == ["album.jpg/a.jpg", "2025/12/24/09.jpg", "2025/12/23/10.jpg", "a.jpg"]


def test_dotted_folders_are_skipped_at_any_depth(base):
    aged(base / ".ftp" / "a.jpg", 0)
    aged(base / "2025" / ".upload" / "a.jpg", 0)
    aged(base / ".a" / "2025" / "b.jpg", 0)
    assert paths(base) == []


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "#snapshot", "@tmp", "$RECYCLE.BIN", "$Recycle.bin", "lost+found"),
        *("Lost+Found", "System Volume Information", "system volume information", ".Trash-1000"),
    ],
)
def test_housekeeping_folders_are_skipped_at_any_depth(base, name):
    for folder in (name, f"2025/{name}", f"{name}/2025"):
        aged(base / folder / "a.jpg", 0)
    assert paths(base) == []
    assert paths(base / name) == ["a.jpg", "2025/a.jpg"]


@pytest.mark.parametrize("name", ["@a.jpg", "#1.jpg", "lost+found.jpg", "a@b/a.jpg", "a#/a.jpg"])
def test_names_that_only_look_like_housekeeping_are_candidates(base, name):
    aged(base / name, 0)
    assert paths(base) == [name]


def test_links_are_skipped_wherever_they_lead(base, tmp_path):
    aged(tmp_path / "outside" / "a.jpg", 0)
    aged(base / "inside" / "b.jpg", 0)
    (base / "file.jpg").symlink_to(tmp_path / "outside" / "a.jpg")
    (base / "own.jpg").symlink_to("inside/b.jpg")
    (base / "folder").symlink_to(tmp_path / "outside")
    (base / "again").symlink_to("inside")
    (base / "circle").symlink_to(".")
    (base / "inside" / "up").symlink_to("..")
    (base / "dangling.jpg").symlink_to("/nowhere")
    assert paths(base) == ["inside/b.jpg"]


def test_a_folder_swapped_for_a_link_during_the_walk_is_skipped(base, tmp_path, monkeypatch):
    aged(tmp_path / "outside" / "a.jpg", 0)
    aged(base / "day" / "b.jpg", 0)
    aged(base / "c.jpg", 0)
    open_below = safe_open.open_below

    def swap_then_open(folder, name):
        (base / "day").rename(base / ".moved")
        (base / "day").symlink_to(tmp_path / "outside")
        return open_below(folder, name)

    monkeypatch.setattr(safe_open, "open_below", swap_then_open)
    assert paths(base) == ["c.jpg"]


def test_a_folder_that_vanishes_or_may_not_be_read_is_skipped(base, monkeypatch):
    aged(base / "day" / "b.jpg", 0)
    aged(base / "c.jpg", 0)

    open_below = safe_open.open_below

    def refuse(folder, components):
        if components == ["day"]:
            raise safe_open.FolderNotFound
        return open_below(folder, components)

    monkeypatch.setattr(safe_open, "open_below", refuse)
    assert paths(base) == ["c.jpg"]


def test_a_file_that_vanishes_during_the_walk_is_skipped(base, monkeypatch):
    aged(base / "a.jpg", 0)
    aged(base / "b.jpg", 0)
    has_suffix = scan.has_suffix

    def delete_meanwhile(name):
        if name == "b.jpg":
            (base / name).unlink()
        return has_suffix(name)

    monkeypatch.setattr(scan, "upload_filter", lambda _: delete_meanwhile)
    assert paths(base) == ["a.jpg"]


def test_pipes_and_sockets_are_skipped(base, monkeypatch):
    monkeypatch.chdir(base)
    os.mkfifo("fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        assert paths(base) == []


def test_empty_files_come_last_and_oversize_ones_are_skipped(base):
    aged(base / "empty.jpg", 0, b"")
    aged(base / "least.jpg", 1, b"x")
    aged(base / "most.jpg", 2, b"x" * MOST)
    aged(base / "over.jpg", 0, b"x" * (MOST + 1))
    assert paths(base) == ["least.jpg", "most.jpg", "empty.jpg"]


def test_unreadable_files_are_skipped(base, monkeypatch):
    for name, mode in (("a.jpg", 0o000), ("b.jpg", 0o200), ("c.jpg", 0o600), ("d.jpg", 0o444)):
        aged(base / name, 0).chmod(mode)
    asked = []

    def access(name, mode, **options):
        asked.append(name)
        assert (mode, options["effective_ids"]) == (os.R_OK, True)
        assert os.path.samestat(os.fstat(options["dir_fd"]), base.stat())
        return name == "c.jpg"

    monkeypatch.setattr(os, "access", access)
    assert paths(base) == ["d.jpg", "c.jpg"]
    assert sorted(asked) == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_file_without_read_permission_is_skipped(base):
    aged(base / "a.jpg", 0).chmod(0)
    assert paths(base) == []


def test_the_newest_comes_first_by_the_nanosecond(base):
    for name, ns in (("a.jpg", 3), ("b.jpg", 1), ("c.jpg", 2)):
        aged(base / name, 0)
        os.utime(base / name, ns=(0, 10**18 + ns))
    assert paths(base) == ["a.jpg", "c.jpg", "b.jpg"]
    assert [candidate.time_ns for candidate in candidates(base)] == [
        10**18 + 3,
        10**18 + 2,
        10**18 + 1,
    ]


def test_the_time_of_access_or_creation_does_not_count(base):
    aged(base / "old.jpg", 100)
    aged(base / "new.jpg", 50)
    os.utime(base / "old.jpg", (NOW.timestamp(), NOW.timestamp() - 100))
    assert paths(base) == ["new.jpg", "old.jpg"]


def test_of_files_of_the_same_time_the_greatest_path_comes_first(base):
    for name in ("b.jpg", "a.jpg", "c/a.jpg", "B.jpg", "b/z.jpg"):
        aged(base / name, 7)
    assert paths(base) == ["c/a.jpg", "b/z.jpg", "b.jpg", "a.jpg", "B.jpg"]


def test_a_time_more_than_10_seconds_ahead_loses_to_any_other(base):
    aged(base / "soon.jpg", -10)
    aged(base / "later.jpg", -11)
    aged(base / "month.jpg", -30 * DAY)
    aged(base / "ancient.jpg", NOW.timestamp())
    assert paths(base) == ["soon.jpg", "ancient.jpg", "month.jpg", "later.jpg"]
    assert [c.rank for c in candidates(base)] == [2, 2, 1, 1]


def test_a_time_after_the_last_change_was_set_and_that_of_the_change_counts(base):
    path = aged(base / "century.jpg", -100 * 365 * DAY)
    assert candidates(base)[0].time_ns == path.stat().st_ctime_ns


def test_only_the_newest_are_kept(base):
    for number in range(newest_files.KEPT + 20):
        aged(base / f"{number % 3}" / f"{number:03}.jpg", (number * 7) % 52)
    kept = candidates(base)
    assert len(kept) == newest_files.KEPT
    assert kept == sorted(kept, reverse=True)
    ages = [NOW.timestamp() - candidate.time_ns / 1e9 for candidate in kept]
    assert ages == list(range(newest_files.KEPT))


def test_a_folder_can_be_asked_twice_and_shows_every_change(base):
    folder = safe_open.open_folder(str(base), "")
    for name in ("a.jpg", "b.jpg"):
        aged(base / name, 0)
        newest = scan.walk(folder, storage_clock(NOW), MOST).newest
        assert newest == scan.walk(folder, storage_clock(NOW), MOST).newest
        assert newest[0].path == name
    (base / "b.jpg").unlink()
    assert [
        candidate.path for candidate in scan.walk(folder, storage_clock(NOW), MOST).newest
    ] == ["a.jpg"]
    os.close(folder)


def test_folders_deeper_than_the_limit_are_skipped_and_leave_nothing_open(base, monkeypatch):
    monkeypatch.setattr(scan, "MAX_DEPTH", 3)
    aged(base / "1/2/3/a.jpg", 0)
    aged(base / "1/2/3/4/b.jpg", 0)
    assert paths(base) == ["1/2/3/a.jpg"]


def test_the_deepest_folder_stays_within_the_usual_limit_of_descriptors(base):
    aged(base / "/".join("d" * scan.MAX_DEPTH) / "a.jpg", 0)
    assert len(paths(base)) == 1


@given(
    st.dictionaries(
        st.sampled_from([f"{d}{n}.jpg" for d in ("", "a/", "a/b/", "c/") for n in range(20)]),
        st.integers(-3 * DAY, 3 * DAY),
        max_size=60,
    )
)
def test_the_walk_agrees_with_sorting_everything(tmp_path_factory, files):
    base = tmp_path_factory.mktemp("walk")
    for path, age in files.items():
        aged(base / path, age)
    wanted = sorted(files, key=lambda path: (files[path] >= -10, -files[path], path))
    assert paths(base) == wanted[::-1][: newest_files.KEPT]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("CH01_*", ["CH01_1.jpg", "ch01_.JPG"], ["CH011.jpg", "aCH01_1.jpg", "CH02_1.jpg"]),
        ("*.jpg", ["a.jpg", "A.JPG", "a.b.jpg", "a\nb.jpg"], ["a.jpeg", "a.jpg.png"]),
        ("?.jpg", ["a.jpg", "é.jpg", "e\u0301.jpg", "ß.JPG"], [".jpg", "ab.jpg"]),
        ("[ab]?*", ["a1.jpg", "Bx.png"], ["c1.jpg", "a"]),
        ("[!a-c]*", ["d.jpg", "1.jpg"], ["a.jpg", "C.jpg"]),
        ("[*]*", ["*a.jpg"], ["a.jpg"]),
        ("a[1.jpg", ["A[1.jpg"], ["a1.jpg"]),
        ("[]]*", ["].jpg"], ["a.jpg"]),
        ("CAM^1+(x).jpg", ["cam^1+(X).jpg"], ["cam1x.jpg"]),
        ("ÜBER*", ["über.jpg", "u\u0308ber.jpg"], ["uber.jpg"]),
        ("\u03a3\u0391\u03a3*", ["\u03c3\u03b1\u03c2.jpg"], ["\u03c3\u03b1.jpg"]),
        ("Tür*", [os.fsdecode("Tür.jpg".encode("latin-1"))], ["Tor.jpg"]),
        ("前门?", [os.fsdecode("前门1".encode("gbk"))], [os.fsdecode("前门".encode("gbk"))]),
        ("*", ["anything.gif"], []),
    ],
)
def test_a_pattern_matches_the_whole_name_whatever_its_letter_case(pattern, matching, others):
    matches = scan.name_filter(pattern)
    assert [name for name in matching if not matches(name)] == []
    assert [name for name in others if matches(name)] == []


def test_no_pattern_takes_long():
    began = time.process_time()
    for pattern in ("*a" * 127, "*?a" * 85, "*[!b]" * 51, "?" * 255, "[" * 255, "*" * 255):
        matches = scan.name_filter(pattern)
        for name in ("a" * 250 + "b.jpg", "b" * 255, "ab" * 127):
            matches(name)
    assert time.process_time() - began < 0.5


@given(st.text("ab[]!*?^\\|&~.", min_size=1, max_size=12), st.text("abc.", max_size=6))
def test_a_pattern_means_what_it_means_in_fnmatch(pattern, name):
    assert scan.name_filter(pattern)(name) == fnmatch.fnmatchcase(name, pattern)


@given(st.text(min_size=1, max_size=20) | st.text("[]!-^a&|~\\", min_size=1, max_size=20))
def test_every_text_can_be_used_as_a_pattern(pattern):
    scan.name_filter(pattern)("a.jpg")


def test_a_walk_finds_the_newest_files_of_one_pattern_among_many_others(base):
    for number in range(80):
        aged(base / f"CH01_{number}.jpg", number)
    aged(base / "day" / "CH02_a.jpg", 500)
    folder = safe_open.open_folder(str(base), "")
    try:
        found = scan.walk(folder, storage_clock(NOW), MOST, "ch02_*").newest
    finally:
        os.close(folder)
    assert [candidate.path for candidate in found] == ["day/CH02_a.jpg"]
