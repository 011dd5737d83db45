"""Is it the newest whole picture, and do its bytes and its facts belong together?"""

import os
from datetime import UTC, datetime

import pytest

from app.storage import folders, safe_open, snapshots
from app.storage.formats import HEAD_BYTES, has_end_mark
from app.storage.snapshots import NoSnapshot, SnapshotRequest, SnapshotTooOld
from tests.pictures import FORMATS, picture, put

NOW = datetime(2025, 12, 23, 12, tzinfo=UTC)
MOST = 1024 * 1024
FOLDERS = folders.Folders(MOST, watch=False)
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


def latest(base, folder="", **wanted):
    request = SnapshotRequest(str(base), folder, NOW, FOLDERS, MOST)
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
    assert shown.etag == f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"
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
def test_an_upload_that_has_not_grown_for_five_seconds_counts_as_complete(base, suffix):
    data = picture(suffix)
    add(base, "before.jpg", picture(), 60)
    for age, shown in ((4.9, "before.jpg"), (5, "before.jpg"), (5.1, f"half{suffix}")):
        add(base, f"half{suffix}", data[: len(data) // 2], age)
        assert latest(base).name == shown


@pytest.mark.parametrize("age", [0, -1, -3600, -100_000])
def test_an_upload_with_a_time_in_the_future_does_not_count_as_complete(base, age):
    add(base, "before.jpg", picture(), 60)
    add(base, "half.jpg", picture()[:-2], age)
    assert latest(base).name == "before.jpg"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_whole_picture_may_be_padded(base, suffix):
    add(base, "before.jpg", picture(), 60)
    padding = {".gif": b"\0\r\n "}.get(suffix, b"x")
    add(base, f"padded{suffix}", picture(suffix) + padding * 900, 1)
    assert latest(base).name == f"padded{suffix}"
    add(base, f"padded{suffix}", picture(suffix) + b"\0" * 4096 + b"x", 1)
    assert latest(base).name == "before.jpg"


def test_a_semicolon_inside_a_gif_is_not_its_end(base):
    add(base, "before.jpg", picture(), 60)
    add(base, "half.gif", picture(".gif")[:-300] + b";" + b"x" * 10, 1)
    assert latest(base).name == "before.jpg"


def test_the_signature_decides_which_end_mark_counts(base):
    add(base, "before.jpg", picture(), 60)
    add(base, "a.jpg", picture(".png")[:-12] + b"\xff\xd9;", 1)
    assert latest(base).name == "before.jpg"
    add(base, "a.jpg", picture(".png"), 1)
    assert latest(base).name == "a.jpg"


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"GIF89a;", b"\x89PNG\r\n\x1a\n", PAGE])
def test_without_any_whole_picture_the_newest_is_shown_as_it_is(base, data):
    add(base, "older.jpg", PAGE + b"older", 2)
    add(base, "newest.jpg", data, 1)
    assert latest(base).data == data


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
    walk = folders.walk

    def walk_then_change(*args):
        candidates = walk(*args)
        change()
        return candidates

    monkeypatch.setattr(folders, "walk", walk_then_change)


def test_a_file_that_vanishes_after_the_walk_is_passed_over(base, monkeypatch):
    add(base, "next.jpg", picture(), 20)
    newest = add(base, "day/newest.jpg", picture(), 10)
    change_after_the_walk(monkeypatch, newest.unlink)
    assert latest(base).name == "next.jpg"


def test_a_folder_that_vanishes_after_the_walk_is_passed_over(base, monkeypatch):
    add(base, "next.jpg", picture(), 20)
    add(base, "day/newest.jpg", picture(), 10)
    change_after_the_walk(monkeypatch, lambda: (base / "day").rename(base / "moved"))
    assert latest(base).name == "next.jpg"


def test_the_last_file_that_vanishes_leaves_no_snapshot(base, monkeypatch):
    only = add(base, "only.jpg", picture())
    change_after_the_walk(monkeypatch, only.unlink)
    with pytest.raises(NoSnapshot):
        latest(base)


def test_a_file_swapped_for_a_link_or_a_fifo_after_the_walk_is_passed_over(
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
def test_a_file_that_became_empty_or_too_large_after_the_walk_is_passed_over(
    base, monkeypatch, size
):
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
    monkeypatch.setattr(snapshots, "read_up_to", forbidden)
    with pytest.raises(NoSnapshot):
        latest(base, most_bytes=most)


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
    monkeypatch.setattr(snapshots, "read_up_to", forbidden)
    known = latest(base, is_known=lambda shown: shown.name == "a.jpg")
    assert known.data is None


def changing_reads(monkeypatch, path, times, change):
    """The first ``times`` reads find that the file at ``path`` changes meanwhile."""
    read, reads = snapshots.read_up_to, []

    def read_and_change(file, size):
        data = read(file, size)
        reads.append(size)
        if len(reads) <= times:
            change(path, len(reads))
        return data

    monkeypatch.setattr(snapshots, "read_up_to", read_and_change)
    return reads


def rewrite(path, number):
    path.write_bytes(picture(shade=100 + number))
    os.utime(path, ns=(0, int(NOW.timestamp() - 60) * 10**9 + number))


def rewrite_longer(path, number):
    path.write_bytes(picture(shade=number) + b"\0" * number)


def shorten(path, number):
    os.truncate(path, path.stat().st_size - number)


@pytest.mark.parametrize("change", [rewrite, rewrite_longer, shorten])
@pytest.mark.parametrize("times", [1, snapshots.READ_ATTEMPTS - 1])
def test_a_file_that_changes_while_it_is_read_is_read_again(base, monkeypatch, change, times):
    path = add(base, "a.jpg", picture(), 60)
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
    reads = changing_reads(monkeypatch, path, snapshots.READ_ATTEMPTS, rewrite)
    assert latest(base).name == "next.jpg"
    assert len(reads) == snapshots.READ_ATTEMPTS + 1


@pytest.mark.parametrize("change", [rewrite, rewrite_longer, shorten])
def test_a_lone_file_that_changes_during_each_read_has_the_stated_length(
    base, monkeypatch, change
):
    path = add(base, "a.jpg", picture(), 60)
    changing_reads(monkeypatch, path, 99, change)
    shown = latest(base, now=datetime.now(UTC))
    assert len(shown.data) == shown.size > 0


def test_after_a_read_that_ends_early_the_next_newest_is_shown(base, monkeypatch):
    cut = add(base, "cut.jpg", picture(), 60).stat().st_ino
    add(base, "next.jpg", picture(), 100)
    read = snapshots.read_up_to
    monkeypatch.setattr(
        snapshots,
        "read_up_to",
        lambda file, size: read(file, size - (os.fstat(file).st_ino == cut)),
    )
    assert latest(base).name == "next.jpg"


def test_a_lone_file_that_shrinks_before_each_read_has_the_stated_length(base, monkeypatch):
    path = add(base, "a.jpg", picture(), 60)
    read = snapshots.read_up_to

    def shrink_and_read(file, size):
        shorten(path, 1)
        return read(file, size)

    monkeypatch.setattr(snapshots, "read_up_to", shrink_and_read)
    shown = latest(base, now=datetime.now(UTC))
    assert shown.size == len(shown.data) == path.stat().st_size


def test_a_file_that_becomes_empty_while_it_is_read_is_passed_over(base, monkeypatch):
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
    head = data[:HEAD_BYTES]
    assert has_end_mark(head, data)
    early = [cut for cut in range(len(data)) if has_end_mark(head, data[:cut])]
    assert early == []
