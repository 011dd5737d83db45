"""Which answer does the watched tree give after each change, and when must it be walked?"""

import os
import shutil
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.storage import folder_tree, folders, watched_tree, watches
from app.storage.scan import walk
from tests.inotify import overflow, watches_of
from tests.pictures import put
from tests.renames import exchange
from tests.unprivileged import as_nobody, base_of_nobody
from tests.watched import MOST_BYTES, Watched, names


def test_a_file_that_is_being_written_is_known_to_be_until_it_is_closed(root):
    put(root.path / "old.jpg", b"old", age=60)
    assert root.written() == []
    with (root.path / "new.jpg").open("wb", buffering=0) as file:
        file.write(b"half")
        assert root.written() == ["new.jpg"]
    assert root.written() == []


def test_an_upload_that_takes_an_hour_counts_as_being_written_throughout(root, monkeypatch):
    now = time.monotonic()
    put(root.path / "old.jpg", b"old", age=60)
    root.query()
    with (root.path / "new.jpg").open("wb", buffering=0) as file:
        for minute in range(0, 60, 14):
            monkeypatch.setattr(folder_tree.time, "monotonic", lambda at=now + 60 * minute: at)
            file.write(b"more")
            assert root.written() == ["new.jpg"]
    assert root.written() == []


def test_another_file_under_the_name_of_one_that_moved_away_is_not_being_written(root, tmp_path):
    put(root.path / "day" / "old.jpg", b"old", age=60)
    root.query()
    with (root.path / "day" / "a.jpg").open("wb", buffering=0) as file:
        file.write(b"half")
        assert root.written() == ["day/a.jpg"]
        (root.path / "day").rename(tmp_path / "away")
        put(tmp_path / "day" / "a.jpg", b"another")
        put(tmp_path / "day" / "old.jpg", b"old", age=60)
        (tmp_path / "day").rename(root.path / "day")
        assert root.written() == []


def test_an_upload_goes_on_while_its_folders_rights_change(root):
    put(root.path / "day" / "old.jpg", b"old", age=60)
    root.query()
    with (root.path / "day" / "a.jpg").open("wb", buffering=0) as file:
        file.write(b"half")
        (root.path / "day").chmod(0o750)
        assert root.written() == ["day/a.jpg"]
        file.write(b"more")
        (root.path / "day").chmod(0o755)
    assert root.written() == []


def test_a_file_that_was_not_written_for_15_minutes_counts_as_closed(root, monkeypatch):
    root.query()
    (root.path / "a.jpg").write_bytes(b"abc")
    put(root.path / "old.jpg", b"old", age=60)
    os.truncate(root.path / "a.jpg", 2)
    assert root.written() == ["a.jpg"]
    monkeypatch.setattr(folder_tree, "STALLED_SECONDS", -1)
    assert root.written() == []


def test_the_newest_of_many_files_may_be_deleted_one_by_one(root):
    for number in range(300):
        put(root.path / f"{number:03}.jpg", b"x", age=300 - number)
    root.query()
    for number in range(299, 200, -1):
        (root.path / f"{number:03}.jpg").unlink()
        assert root.names() == [f"{n:03}.jpg" for n in range(number - 1, number - 33, -1)]
    assert root.query().polling is None


@pytest.mark.parametrize("hours", [2, -2])
def test_files_are_ranked_again_when_the_clock_is_set(root, hours):
    now = datetime.now(UTC)
    put(root.path / "a.jpg", b"x", age=7200 - 5)
    put(root.path / "b.jpg", b"x", age=7200 + 5)
    put(root.path / "c.jpg", b"x")
    for moment in (now, now + timedelta(hours=hours), now):
        state = root.known.query(root.folder, moment)
        walked = walk(root.folder, state.clock, MOST_BYTES).newest
        assert [c[:4] for c in state.newest] == [c[:4] for c in walked]
        assert state.polling is None


def test_files_of_the_future_are_ranked_when_the_clock_reaches_them_without_a_new_reading(
    root, monkeypatch
):
    """The box's clock was ahead while they came, and was set right."""
    began, monotonic, readings = datetime.now(UTC) - timedelta(hours=1), time.monotonic_ns(), []
    for number in range(200):
        put(root.path / f"{number:03}.jpg", b"x", 20 * -number, began.timestamp())
    tree = folders.WatchedTree
    monkeypatch.setattr(folders, "WatchedTree", lambda *a: readings.append(1) or tree(*a))
    for seconds in range(0, 4100, 50):
        monkeypatch.setattr("time.monotonic_ns", lambda at=seconds: monotonic + at * 10**9)
        state = root.known.query(root.folder, began + timedelta(seconds=seconds))
        walked = walk(root.folder, state.clock, MOST_BYTES).newest
        assert [c[:4] for c in state.newest] == [c[:4] for c in walked]
        assert state.polling is None
    assert len(readings) <= 2


def test_a_file_whose_path_is_too_long_for_stat_is_found_by_a_walk(root):
    root.query()
    name, depth = "d" * 250, 17  # together more than PATH_MAX, 4096 bytes
    folder = os.dup(root.folder)
    for _ in range(depth):
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    root.query()
    file = os.open("a.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(file, b"x")
    os.close(file)
    os.close(folder)
    state = root.query()
    assert (names(state), state.polling) == ([f"{name}/" * depth + "a.jpg"], watches.TOO_LONG)


def test_a_file_that_was_deleted_while_it_was_written_counts_as_closed(root):
    put(root.path / "old.jpg", b"old", age=60)
    root.query()
    with (root.path / "a.jpg").open("wb", buffering=0) as file:
        file.write(b"half")
        root.query()
        (root.path / "a.jpg").unlink()
        root.query()
        os.link(put(root.path / "a.tmp", b"x"), root.path / "a.jpg")
        (root.path / "a.tmp").unlink()
        assert root.names() == ["a.jpg", "old.jpg"]


def test_an_overflow_of_the_queue_loses_nothing(root):
    put(root.path / "day" / "a.jpg", b"x", age=60)
    root.query()
    overflow(root.path)
    (root.path / "day" / "a.jpg").rename(root.path / "day" / "b.jpg")
    (root.path / "last.jpg").write_bytes(b"x")
    state = root.query()
    assert (names(state), state.polling) == (["last.jpg", "day/b.jpg"], None)
    (root.path / "day" / "b.jpg").unlink()
    assert root.names() == ["last.jpg"]


def test_a_folder_made_later_shows_what_was_written_before_it_was_watched(root):
    root.query()
    put(root.path / "2025" / "12" / "a.jpg", b"x", age=5)
    put(root.path / "2025" / "12" / "23" / "b.jpg", b"x")
    assert root.names() == ["2025/12/23/b.jpg", "2025/12/a.jpg"]
    put(root.path / "2025" / "12" / "23" / "c.jpg", b"x", age=-5)
    state = root.query()
    assert (names(state)[0], state.polling) == ("2025/12/23/c.jpg", None)


def test_a_folder_that_is_made_again_counts_anew(root):
    put(root.path / "day" / "a.jpg", b"x")
    root.query()
    shutil.rmtree(root.path / "day")
    assert root.names() == []
    put(root.path / "day" / "b.jpg", b"x")
    assert root.names() == ["day/b.jpg"]
    assert watches_of(os.getpid()) == 2


def test_a_folder_that_moves_while_it_is_read_counts_once(root, monkeypatch):
    put(root.path / "day" / "a.jpg", b"x")
    put(root.path / "new" / "b.jpg", b"x", age=60)
    files, moved = watched_tree.files, []

    def move_meanwhile(*args, **options):
        for found in files(*args, **options):
            yield found
            if found[1] == "a.jpg" and not moved:
                moved.append((root.path / "day").rename(root.path / "new" / "day"))

    monkeypatch.setattr(watched_tree, "files", move_meanwhile)
    root.query()
    assert moved
    assert root.names() == ["new/day/a.jpg", "new/b.jpg"]


def test_a_folder_that_was_moved_out_is_watched_no_more(root, tmp_path):
    root.query()
    before = watches_of(os.getpid())
    for number in range(20):
        put(root.path / "day" / "a.jpg", b"x")
        root.query()
        assert watches_of(os.getpid()) == before + 1
        (root.path / "day").rename(tmp_path / f"away{number}")
        root.query()
        assert watches_of(os.getpid()) == before


def test_two_folders_that_are_exchanged_keep_their_pictures(root):
    put(root.path / "one" / "a.jpg", b"x")
    put(root.path / "other" / "below" / "b.jpg", b"x", age=60)
    root.query()
    exchange(root.path / "one", root.path / "other")
    assert root.names() == ["other/a.jpg", "one/below/b.jpg"]
    exchange(root.path / "one" / "below", root.path / "other")
    put(root.path / "one" / "below" / "c.jpg", b"x", age=30)
    assert root.names() == ["one/below/a.jpg", "one/below/c.jpg", "other/b.jpg"]
    assert watches_of(os.getpid()) == 4


def test_of_pictures_of_the_same_time_a_renamed_folder_counts_by_its_new_path(root):
    now = time.time()
    for name in ("m", "a"):
        for number in range(80):
            put(root.path / name / f"{number:02}.jpg", b"x", age=0, now=now)
    assert root.names()[0] == "m/79.jpg"
    (root.path / "a").rename(root.path / "z")
    assert root.names() == root.walked()
    assert root.names()[0] == "z/79.jpg"


def test_a_folder_that_the_service_may_not_enter_shows_nothing_until_it_may():
    with base_of_nobody() as base:
        watched = Watched(base / "root")
        put(watched.path / "day" / "a.jpg", b"x")
        put(watched.path / "day" / "below" / "b.jpg", b"x")
        with as_nobody():
            assert len(watched.names()) == 2
        for mode, count in ((0o744, 0), (0o755, 2), (0o711, 0), (0o755, 2)):
            (watched.path / "day").chmod(mode)
            with as_nobody():
                assert len(watched.names()) == count
                assert watched.query().polling is None
        watched.close()


def test_a_link_in_the_place_of_a_folder_is_not_followed(root, tmp_path):
    put(root.path / "day" / "a.jpg", b"x")
    put(root.path / "day" / "b.jpg", b"x", age=60)
    root.query()
    (root.path / "day" / "b.jpg").unlink()  # this event is still queued when the folder is gone
    (root.path / "day").rename(tmp_path / "away")
    put(tmp_path / "elsewhere" / "b.jpg", b"x")
    (root.path / "day").symlink_to(tmp_path / "elsewhere")
    assert root.names() == []
    put(tmp_path / "away" / "c.jpg", b"x")
    assert root.names() == []


def test_a_link_in_a_folder_whose_rights_changed_is_not_followed(root, tmp_path):
    put(root.path / "2025" / "day" / "a.jpg", b"x")
    root.query()
    (root.path / "2025" / "day" / "a.jpg").unlink()
    (root.path / "2025").chmod(0o750)
    (root.path / "2025" / "day").rename(tmp_path / "away")
    put(tmp_path / "elsewhere" / "a.jpg", b"x")
    (root.path / "2025" / "day").symlink_to(tmp_path / "elsewhere")
    assert root.names() == []


def test_a_folder_with_a_hard_link_is_walked_until_the_link_is_gone(root, at_once):
    put(root.path / "a.jpg", b"x")
    os.link(root.path / "a.jpg", root.path / "b.jpg")
    assert "hard link" in root.query().polling
    (root.path / "b.jpg").write_bytes(b"longer")
    assert root.names() == root.walked()
    (root.path / "a.jpg").unlink()
    assert root.query().polling is None


def test_a_hard_link_to_the_newest_picture_from_elsewhere_is_noticed(root, tmp_path, at_once):
    put(root.path / "a.jpg", b"x", age=60)
    root.query()
    os.link(root.path / "a.jpg", tmp_path / "second.jpg")  # inotify reports nothing
    assert "hard link" in root.query().polling
    (tmp_path / "second.jpg").write_bytes(b"longer")
    assert root.names() == root.walked()


def test_the_newest_picture_may_grow_through_a_name_that_was_deleted(root, at_once):
    put(root.path / "a.jpg", b"x", age=60)
    os.link(root.path / "a.jpg", root.path / "b.jpg")
    root.query()
    with (root.path / "a.jpg").open("ab", buffering=0) as file:
        (root.path / "a.jpg").unlink()
        assert root.query().polling is None
        file.write(b"more")  # inotify names the event a.jpg, IN_EXCL_UNLINK suppresses it
        assert root.names() == root.walked()
        file.write(b"x" * 10**6)
        assert root.names() == []


def test_an_upload_is_known_when_it_is_completed(root):
    root.query()
    assert root.query().upload is None
    with (root.path / "a.jpg").open("wb", buffering=0) as file:
        file.write(b"half")
        assert root.query().upload is None
    before = time.time_ns()
    os.utime(root.path / "a.jpg", (0, 0))  # as MFMT does of a camera whose clock was reset
    upload = root.query().upload
    assert before - 10**4 <= upload.seen_ns <= time.time_ns()
    assert (upload.path, upload.mtime_ns) == ("a.jpg", 0)
    os.utime(root.path / "a.jpg", (1, 1))
    assert root.query().upload == upload._replace(mtime_ns=10**9)
    (root.path / ".b.tmp").write_bytes(b"x")
    assert root.query().upload.path == "a.jpg"
    (root.path / ".b.tmp").rename(root.path / "b.jpg")
    assert root.query().upload.seen_ns > upload.seen_ns


def test_an_upload_stays_known_when_the_folder_is_read_anew(root):
    root.query()
    put(root.path / "a.jpg", b"x")
    upload = root.query().upload
    overflow(root.path)
    assert root.query().upload == upload


def test_each_pattern_has_the_newest_files_of_its_own(root):
    def query(pattern):
        return root.known.query(root.folder, datetime.now(UTC), pattern)

    put(root.path / "CH01_a.jpg", b"x", age=3600)
    put(root.path / "day" / "CH02_b.jpg", b"x")
    assert names(query("ch01_*")) == ["CH01_a.jpg"]
    assert names(query("CH02_*")) == ["day/CH02_b.jpg"]
    for number in range(150):
        put(root.path / f"CH02_{number}.jpg", b"x")
    (root.path / "CH01_part").write_bytes(b"x")
    (root.path / "CH01_part").rename(root.path / "CH01_c.jpg")
    os.link(root.path / "CH02_1.jpg", root.path / "CH02_link.jpg")
    state = query("ch01_*")
    assert (names(state), state.polling) == (["CH01_c.jpg", "CH01_a.jpg"], None)
    (root.path / "CH01_c.jpg").rename(root.path / "CH02_c.jpg")
    assert names(query("ch01_*")) == ["CH01_a.jpg"]
    assert "hard link" in query("CH02_*").polling
    assert "hard link" in query("*2*").polling
    assert len(root.known.polling()) == 1
