"""Is it the newest whole picture, and do its bytes and its facts belong together?"""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.storage import checks, folders, safe_open, scan, snapshots, versions
from app.storage.formats import HALF, WHOLE, kind_of
from app.storage.snapshots import (
    NoSnapshot,
    PictureIncomplete,
    SnapshotRequest,
    SnapshotTooOld,
)
from tests.pictures import FORMATS, etag_of, picture, put

NOW = datetime(2025, 12, 23, 12, tzinfo=UTC)
MOST = 1024 * 1024
PAGE = b"<!doctype html><script>alert(1)</script>" * 100
OTHERS = {
    "a page": PAGE,
    "text": b"no picture",
    "one byte": b"\xff",
    "half a signature": b"\xff\xd8",
    "another half": b"\x89PNG\r\n\x1a",
    "a later GIF": b"GIF90a" + b"\0" * 100 + b";",
    "a movie": b"\0\0\0\x18ftypmp42" + b"\0" * 100,
    "WebP": b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 100,
    "a signature later on": b" " + picture(),
    "zeroes": b"\0" * 5000,
}


def add(base, name, data, age=60.0):
    return put(base / name, data, age, NOW.timestamp())


def latest(base, folder="", most=MOST, known=None, **wanted):
    """The snapshot of a new service, or of the one that ``known`` belongs to."""
    known = known or folders.Folders(most, watch=False)
    request = SnapshotRequest(str(base), folder, NOW, known)
    return snapshots.latest(request._replace(**wanted))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_comes_with_its_facts(base, suffix):
    path = add(base, f"a{suffix}", picture(suffix))
    status = path.stat()
    shown = latest(base)
    assert shown.data == path.read_bytes()
    assert shown.name == path.name
    assert (shown.inode, shown.size) == (status.st_ino, status.st_size)
    assert (shown.mtime_ns, shown.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    assert shown.etag == etag_of(path)
    assert shown.age(NOW) == 60


@pytest.mark.parametrize(
    ("name", "media"),
    [
        *(("a.jpg", "image/jpeg"), ("a.JPEG", "image/jpeg"), ("a.png", "image/png")),
        *(("a.gif.PNG", "image/png"), ("a.Gif", "image/gif")),
    ],
)
def test_the_type_follows_the_suffix(base, name, media):
    add(base, name, picture())
    assert latest(base).content_type == media


def test_the_name_is_the_files_own_without_its_folder(base):
    add(base, "2025/12/a.jpg", picture())
    assert latest(base).name == "a.jpg"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.9, 0.999])
def test_half_an_upload_loses_to_the_whole_picture_before_it(base, suffix, part):
    whole, half = picture(suffix, 1), picture(suffix, 2)
    add(base, f"whole{suffix}", whole, 60)
    add(base, f"half{suffix}", half[: int(len(half) * part)], 1)
    assert latest(base).data == whole
    add(base, f"half{suffix}", half, 1)
    assert latest(base).data == half


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("age", [1, 60])
def test_a_file_of_another_kind_loses_to_a_picture(base, data, age):
    add(base, "real.jpg", picture(), 1000)
    add(base, "other.jpg", data, age)
    assert latest(base).name == "real.jpg"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("age", [0, 11, 86400, -1, -3600, -100_000])
def test_an_upload_that_was_cut_off_never_becomes_whole(base, suffix, age):
    add(base, "before.jpg", picture(), 60)
    add(base, f"half{suffix}", picture(suffix)[:-2], age)
    assert latest(base).name == "before.jpg"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("padding", [b"x", b"\0" * 100_000, b"\0" * 4096 + b"x", b"\xff" * 5000])
def test_a_picture_with_any_data_behind_its_end_is_whole(base, suffix, padding):
    add(base, "before.jpg", picture(), 60)
    add(base, f"padded{suffix}", picture(suffix) + padding, 1)
    assert latest(base).name == f"padded{suffix}"


def test_the_signature_decides_which_end_mark_counts(base):
    add(base, "before.jpg", picture(), 60)
    add(base, "a.jpg", picture(".png")[:-12] + b"\xff\xd9;", 1)
    assert latest(base).name == "before.jpg"
    add(base, "a.jpg", picture(".png"), 1)
    assert latest(base).name == "a.jpg"


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"GIF89a\x2c", b"\x89PNG\r\n\x1a\n", PAGE])
def test_without_any_whole_picture_the_newest_is_shown_as_it_is(base, data):
    add(base, "older.jpg", PAGE + b"older", 30)
    add(base, "newest.jpg", data, 20)
    assert latest(base).data == data


def test_a_cut_off_picture_is_shown_before_a_newer_file_of_another_kind(base):
    add(base, "half.jpg", picture()[:-2], 30)
    add(base, "page.jpg", PAGE, 20)
    assert latest(base).name == "half.jpg"


@pytest.mark.parametrize(
    "data", [b"", b"\xff", picture()[:-2], picture(".gif", size=(32, 24))[:900]]
)
@pytest.mark.parametrize(("age", "written"), [(0, True), (9, True), (-3600, True), (11, False)])
def test_where_all_pictures_are_being_written_there_is_nothing_to_show_yet(
    base, data, age, written
):
    add(base, "a.jpg", data, age)
    if written:
        with pytest.raises(PictureIncomplete):
            latest(base)
    elif data:
        assert latest(base).data == data
    else:
        with pytest.raises(NoSnapshot):
            latest(base)


def test_an_upload_counts_as_being_written_by_the_changes_that_were_seen(base, monkeypatch):
    monotonic = [1000.0]
    monkeypatch.setattr(checks.time, "monotonic", lambda: monotonic[0])
    known = folders.Folders(MOST, watch=False)
    path = add(base, "a.jpg", picture()[:-20], 3600)
    assert latest(base, known=known).name == "a.jpg"
    for age, served in ((9000, False), (9000, True), (-9000, False), (-9000, True)):
        if not served:
            add(base, "a.jpg", path.read_bytes()[:-10], age)
            with pytest.raises(PictureIncomplete):
                latest(base, known=known)
            monotonic[0] += 9.9
            with pytest.raises(PictureIncomplete):
                latest(base, known=known)
            monotonic[0] += 0.2
        assert latest(base, known=known).name == "a.jpg"


def test_an_upload_in_progress_leaves_older_ones_as_they_are(base):
    add(base, "old.jpg", picture()[:-20], 3600)
    add(base, "older.jpg", picture()[:-20], 7200)
    add(base, "new.jpg", picture()[:-20], 1)
    add(base, "empty.jpg", b"", 0)
    assert latest(base).name == "old.jpg"


def test_only_the_32_newest_are_checked_for_being_whole(base):
    add(base, "whole.jpg", picture(), 1000)
    for number in range(31):
        add(base, f"{number}.jpg", PAGE, number + 1)
    assert latest(base).name == "whole.jpg"
    add(base, "31.jpg", PAGE, 32)
    assert latest(base).name == "0.jpg"


@pytest.mark.parametrize("folder", ["", "missing", "file.jpg/x", "../x", "link"])
def test_each_kind_of_wrong_folder_raises_its_exception(base, tmp_path, folder):
    add(tmp_path, "secret/a.jpg", picture())
    (base / "link").symlink_to(tmp_path / "secret")
    answers = {"": NoSnapshot, "../x": safe_open.OutsideBase, "link": safe_open.OutsideBase}
    with pytest.raises(answers.get(folder, safe_open.FolderNotFound)):
        latest(base, folder)


def change_after_the_walk(monkeypatch, change):
    """Call ``change`` once, after the first walk."""
    walk, changes = folders.walk, iter([change])

    def walk_then_change(*args):
        candidates = walk(*args)
        next(changes, lambda: None)()
        return candidates

    monkeypatch.setattr(folders, "walk", walk_then_change)


def test_a_file_that_vanishes_after_the_walk_is_skipped(base, monkeypatch):
    add(base, "next.jpg", picture(), 20)
    newest = add(base, "day/newest.jpg", picture(), 10)
    change_after_the_walk(monkeypatch, newest.unlink)
    assert latest(base).name == "next.jpg"


def test_pictures_that_were_completed_during_a_walk_are_found_by_another_walk(base, monkeypatch):
    add(base, "older.jpg", picture(), 20)
    rewritten = add(base, "newest.jpg", picture(), 10)

    def upload():
        rewritten.write_bytes(picture()[:-50])
        add(base, "missed.jpg", picture(), 5)

    change_after_the_walk(monkeypatch, upload)
    assert latest(base).name == "missed.jpg"


def test_a_folder_that_vanishes_after_the_walk_is_skipped(base, monkeypatch):
    add(base, "next.jpg", picture(), 20)
    add(base, "day/newest.jpg", picture(), 10)
    change_after_the_walk(monkeypatch, lambda: (base / "day").rename(base / ".hidden"))
    assert latest(base).name == "next.jpg"


def test_a_folder_that_is_renamed_during_the_walk_is_found_by_another_walk(base, monkeypatch):
    add(base, "older.jpg", picture(), 20)
    add(base, "day/newest.jpg", picture(), 10)
    entries, renames = scan.entries, iter([lambda: (base / "day").rename(base / "night")])

    def list_then_rename(folder):
        found = list(entries(folder))
        next(renames, lambda: None)()
        yield from found

    monkeypatch.setattr(scan, "entries", list_then_rename)
    assert latest(base).name == "newest.jpg"


def test_the_last_file_that_vanishes_leaves_no_snapshot(base, monkeypatch):
    only = add(base, "only.jpg", picture())
    change_after_the_walk(monkeypatch, only.unlink)
    with pytest.raises(NoSnapshot):
        latest(base)


def test_a_file_swapped_for_a_link_or_a_fifo_after_the_walk_is_skipped(
    base, tmp_path, monkeypatch
):
    add(tmp_path, "secret.jpg", picture())
    for name, age in (("link.jpg", 1), ("fifo.jpg", 2), ("picture.jpg", 30)):
        add(base, name, picture(), age)

    def swap():
        for name in ("link.jpg", "fifo.jpg"):
            (base / name).unlink()
        (base / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        os.mkfifo(base / "fifo.jpg")

    change_after_the_walk(monkeypatch, swap)
    assert latest(base).name == "picture.jpg"


@pytest.mark.parametrize("size", [0, MOST + 1])
def test_a_file_that_became_empty_or_too_large_after_the_walk_is_skipped(base, monkeypatch, size):
    add(base, "next.jpg", picture(), 20)
    newest = add(base, "newest.jpg", picture(), 10)

    def resize():
        os.truncate(newest, size)
        os.utime(newest, (NOW.timestamp() - 10, NOW.timestamp() - 10))

    change_after_the_walk(monkeypatch, resize)
    assert latest(base).name == "next.jpg"


@pytest.mark.parametrize("most", [1, 1000])
def test_a_file_over_the_cap_is_never_read(base, monkeypatch, most):
    add(base, "a.jpg", picture())
    monkeypatch.setattr(checks, "read_up_to", forbidden)
    with pytest.raises(NoSnapshot):
        latest(base, most=most)


def test_after_a_disk_error_the_next_newest_is_shown(base, monkeypatch):
    broken = add(base, "broken.jpg", picture(), 10).stat().st_ino
    add(base, "next.jpg", picture(), 20)
    pread = os.pread

    def fail(file, *args):
        if os.fstat(file).st_ino == broken:
            raise OSError(5, "Input/output error")
        return pread(file, *args)

    monkeypatch.setattr(os, "pread", fail)
    assert latest(base).name == "next.jpg"


@pytest.mark.parametrize("change", ["overwritten", "renamed", "replaced", "deleted", "new"])
def test_every_change_shows_in_the_very_next_answer(base, change):
    first, second = picture(shade=1), picture(shade=2)
    add(base, "older.jpg", picture(shade=3), 100)
    path = add(base, "a.jpg", first, 50)
    assert latest(base).data == first
    if change == "overwritten":
        inode = path.stat().st_ino
        assert add(base, "a.jpg", second, 50).stat().st_ino == inode
    elif change == "renamed":
        add(base, ".upload", second, 50).rename(path)
    elif change == "replaced":
        path.unlink()
        add(base, "a.jpg", second, 50)
    elif change == "new":
        add(base, "day/new.jpg", second, 49)
    else:
        path.unlink()
    wanted = picture(shade=3) if change == "deleted" else second
    assert latest(base).data == wanted


@pytest.mark.parametrize(("age", "served"), [(9, True), (10, True), (10.5, False), (99.9, False)])
def test_an_older_picture_than_wanted_is_refused_with_its_age(base, age, served):
    add(base, "a.jpg", picture(), age)
    if served:
        assert latest(base, max_age=10).name == "a.jpg"
    else:
        with pytest.raises(SnapshotTooOld) as caught:
            latest(base, max_age=10)
        assert caught.value.age == int(age)


def test_the_age_limit_applies_to_the_picture_that_would_be_served(base):
    add(base, "whole.jpg", picture(), 100)
    add(base, "half.jpg", picture()[:-2], 1)
    with pytest.raises(SnapshotTooOld) as caught:
        latest(base, max_age=10)
    assert caught.value.age == 100


def test_a_picture_that_the_client_has_is_not_read_again(base, monkeypatch):
    add(base, "a.jpg", picture())
    known, now = folders.Folders(MOST, watch=False), datetime.now(UTC) + timedelta(seconds=2)
    assert latest(base, known=known, now=now).data
    monkeypatch.setattr(checks, "read_up_to", forbidden)
    shown = latest(base, known=known, now=now, is_not_modified=lambda shown: shown.name == "a.jpg")
    assert shown.data is None


def changing_reads(monkeypatch, path, times, change):
    """The first ``times`` reads find that the file at ``path`` changes meanwhile."""
    read, reads = checks.read_up_to, []

    def read_and_change(file, size):
        data = read(file, size)
        reads.append(size)
        if len(reads) <= times:
            change(path, len(reads))
        return data

    monkeypatch.setattr(checks, "read_up_to", read_and_change)
    return reads


def rewrite(path, number):
    path.write_bytes(picture(shade=100 + number))
    os.utime(path, ns=(0, int(NOW.timestamp() - 60) * 10**9 + number))


def rewrite_longer(path, number):
    path.write_bytes(picture(shade=number) + b"\0" * number)


def shorten(path, number):
    os.truncate(path, path.stat().st_size - number)


@pytest.mark.parametrize("change", [rewrite, rewrite_longer, shorten])
@pytest.mark.parametrize("times", [1, checks.READ_ATTEMPTS - 1])
def test_a_file_that_changes_while_it_is_read_is_read_again(base, monkeypatch, change, times):
    path = add(base, "a.jpg", picture() + b"trail", 60)
    reads = changing_reads(monkeypatch, path, times, change)
    shown = latest(base, now=datetime.now(UTC))
    status = path.stat()
    assert len(reads) == times + 1
    assert shown.data == path.read_bytes()
    assert (shown.size, shown.mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_a_file_that_changes_behind_an_unchanged_time_and_size_is_read_again(base, monkeypatch):
    path = add(base, "a.jpg", picture(shade=1), 60)
    other = bytearray(picture(shade=1))
    other[-100] ^= 1

    def rewrite_secretly(path, number):
        before = path.stat()
        with path.open("r+b") as stream:
            stream.write(other)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    changing_reads(monkeypatch, path, 1, rewrite_secretly)
    assert latest(base).data == bytes(other)


def test_a_file_that_changes_during_each_read_loses_to_one_that_does_not(base, monkeypatch):
    path = add(base, "a.jpg", picture(), 60)
    add(base, "next.jpg", picture(), 100)
    monkeypatch.setattr(snapshots, "MOST_WALKS", 1)
    reads = changing_reads(monkeypatch, path, checks.READ_ATTEMPTS, rewrite)
    assert latest(base).name == "next.jpg"
    assert len(reads) == checks.READ_ATTEMPTS + 1


@pytest.mark.parametrize("change", [rewrite, rewrite_longer, shorten])
def test_a_lone_file_that_changes_during_each_read_is_being_written(base, monkeypatch, change):
    path = add(base, "a.jpg", picture(), 60)
    changing_reads(monkeypatch, path, 99, change)
    with pytest.raises(PictureIncomplete):
        latest(base, now=datetime.now(UTC))


def test_after_a_read_that_ends_early_the_next_newest_is_shown(base, monkeypatch):
    cut = add(base, "cut.jpg", picture(), 60).stat().st_ino
    add(base, "next.jpg", picture(), 100)
    read = checks.read_up_to
    monkeypatch.setattr(
        checks,
        "read_up_to",
        lambda file, size: read(file, size - (os.fstat(file).st_ino == cut)),
    )
    assert latest(base).name == "next.jpg"


def test_a_file_that_becomes_empty_while_it_is_read_is_skipped(base, monkeypatch):
    path = add(base, "a.jpg", picture(), 60)
    add(base, "next.jpg", picture(), 100)
    changing_reads(monkeypatch, path, 1, lambda path, _: os.truncate(path, 0))
    assert latest(base).name == "next.jpg"


def test_a_read_in_pieces_is_put_together(base, monkeypatch):
    add(base, "a.jpg", picture())
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, at: pread(file, min(size, 700), at))
    assert latest(base).data == picture()


def forbidden(*_):
    raise AssertionError("the file is read")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_that_is_cut_off_anywhere_is_not_whole(suffix):
    data = picture(suffix, size=(16, 16))
    assert kind_of(data) == WHOLE
    assert {kind_of(data[:cut]) for cut in range(1, len(data))} == {HALF}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_whose_rest_is_still_zeros_is_not_whole(suffix):
    """Copies over SMB and some FTP servers give a file its full size first."""
    data = picture(suffix, size=(16, 16))
    assert {kind_of(data[:cut].ljust(9999, b"\0")) for cut in range(9, len(data) - 12)} == {HALF}


@pytest.mark.parametrize(
    "data",
    [
        *(b"\xff\xd8" + b"\xff\xe0\0\2" * 10**6, b"\x89PNG\r\n\x1a\n" + bytes(16 * 10**6)),
        *(b"\xff\xd8" + b"\xff" * 10**7, b"GIF89a" + bytes(16 * 10**6)),
    ],
    ids=["segments", "zeros of a PNG", "fill bytes", "zeros of a GIF"],
)
def test_no_file_takes_long_to_be_checked(data):
    began = time.thread_time()
    assert kind_of(data) == HALF
    assert time.thread_time() - began < 2


def jpeg(*segments: bytes, scan: bytes = b"\x12\xff\x00\x34") -> bytes:
    """A JPEG of these segments before its one scan, without an end mark."""
    header = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"
    return b"\xff\xd8" + b"".join(segments) + header + scan


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2) + data


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (jpeg(segment(0xE1, b"Exif\0\0" + picture(size=(16, 16)))), HALF),
        (jpeg(segment(0xE1, b"Exif\0\0" + picture(size=(16, 16)))) + b"\xff\xd9", WHOLE),
        (jpeg(segment(0xE1, b"\xff\xda\xff\xd9"))[:-10], HALF),
        (jpeg(segment(0xFE, b"\xff\xd9" * 30000), b"\xff\xff\xff\x01"), HALF),
        (jpeg(segment(0xFE, b""), b"\xff\xff", segment(0xDB, b"\xff")) + b"\xff\xd9..", WHOLE),
        (jpeg()[:-6] + b"\xff\xd9", HALF),
        (b"\xff\xd8\xff\xd9", HALF),
        (b"\xff\xd8\xff" * 1000, HALF),
        (b"\xff\xd8\xff" + bytes(1000), HALF),
        (b"\xff\xd8\xff" + bytes(1000) + b"\xff\xd9", WHOLE),
        (b"\xff" * 10, "foreign"),
    ],
    ids=range(11),
)
def test_only_an_end_mark_behind_the_first_scan_ends_a_jpeg(data, kind):
    assert kind_of(data) == kind


def test_end_marks_of_png_and_gif_do_not_count_inside_their_chunks_and_blocks():
    png = picture(".png")
    chunk = b"\0\0\0\x0ctEXt" + png[-12:] + b"\0\0\0\0"
    assert kind_of(png[:33] + chunk) == HALF
    assert kind_of(png[:33] + chunk + png[33:]) == WHOLE
    gif = picture(".gif")
    comment = b"\x21\xfe\x01;\0"
    assert kind_of(gif[:-1] + comment) == HALF
    assert kind_of(gif[:-1] + comment + b";") == WHOLE
    assert kind_of(gif[:-300] + b";") == HALF


def test_all_remembered_versions_together_hold_at_most_64_mib(base, monkeypatch):
    monkeypatch.setattr(versions, "MOST_BYTES", 3 * len(picture()) - 1)
    known = folders.Folders(MOST, watch=False)
    for name in ("a", "b", "c"):
        add(base, f"{name}/snap.jpg", picture())
        assert latest(base, name, known=known).data == picture()
    for name in ("a", "b", "c"):
        add(base, f"{name}/snap.jpg", b"", 0)
    with pytest.raises(PictureIncomplete):
        latest(base, "a", known=known)
    assert latest(base, "b", known=known).data == latest(base, "c", known=known).data == picture()


def test_without_a_watch_a_version_is_answered_for_10_seconds_after_it_was_seen(base, monkeypatch):
    monotonic = [1000.0]
    monkeypatch.setattr(checks.time, "monotonic", lambda: monotonic[0])
    known = folders.Folders(MOST, watch=False)
    add(base, "snap.jpg", picture(), 3600)
    latest(base, known=known)
    monotonic[0] += 100
    latest(base, known=known)
    for number in range(4):
        add(base, "snap.jpg", picture()[: 500 + number], 1)
        monotonic[0] += 2.4
        assert latest(base, known=known).data == picture()
    monotonic[0] += 0.5
    with pytest.raises(PictureIncomplete):
        latest(base, known=known)
    monotonic[0] += 10
    assert latest(base, known=known).data == picture()[:503]
    add(base, "snap.jpg", picture(), 1)
    assert latest(base, known=known).data == picture()
    assert latest(base, known=known, max_age=2).data == picture()
    add(base, "snap.jpg", b"", 0)
    with pytest.raises(SnapshotTooOld):
        latest(base, known=known, max_age=0)


def test_without_a_watch_what_stood_still_for_10_seconds_three_times_was_closed(base, monkeypatch):
    monotonic = [1000.0]
    monkeypatch.setattr(checks.time, "monotonic", lambda: monotonic[0])
    known = folders.Folders(MOST, watch=False)
    for number in range(1, 5):
        add(base, "snap.jpg", picture(shade=number)[:-2], 0)
        if number < 4:
            with pytest.raises(PictureIncomplete):
                latest(base, known=known)
        else:
            assert latest(base, known=known).data == picture(shade=3)[:-2]
        monotonic[0] += 10.1
        assert latest(base, known=known).data == picture(shade=number)[:-2]
