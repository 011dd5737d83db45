"""Does the watched tree answer what a walk would, whatever happens to the files?"""

import errno
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import folders, watching
from app.folders import Folders
from app.walking import walk
from tests.file_operations import Uploads
from tests.pictures import put

MOST_BYTES = 250


def assert_agrees_with_a_walk(base: Path, seed: int, operations: int) -> int:
    """After one or a few operations the same candidates; how often they came from the tree."""
    root, outside = base / "root", base / "outside"
    root.mkdir(parents=True)
    outside.mkdir()
    now = datetime.now(UTC)
    uploads, known = Uploads(root, outside, seed, now.timestamp()), Folders(MOST_BYTES)
    folder, history, watched = os.open(root, os.O_RDONLY), [], 0
    try:
        while len(history) < operations:
            history += uploads.some()
            look = known.look(folder, now)
            expected = walk(folder, now, MOST_BYTES)
            assert sorted(c[1:] for c in look.newest) == sorted(c[1:] for c in expected), (
                f"seed {seed} after {len(history)}: {history[-8:]}"
            )
            watched += look.polling is None
    finally:
        uploads.end()
        os.close(folder)
        known.keep(())
    return watched


@pytest.fixture
def at_once(monkeypatch):
    """A folder that could not be watched is tried again at the next question."""
    monkeypatch.setattr(folders, "RETRY_SECONDS", 0)


@pytest.fixture
def root(tmp_path):
    """An empty folder, its descriptor, and what is known of it: ask with ``look()``."""
    path = tmp_path / "root"
    path.mkdir()
    known, folder = Folders(10**6), os.open(path, os.O_RDONLY)
    yield SimpleNamespace(
        path=path, known=known, look=lambda: known.look(folder, datetime.now(UTC)), folder=folder
    )
    known.keep(())
    os.close(folder)


def names(look):
    return [candidate.path for candidate in look.newest]


@pytest.mark.parametrize("seed", range(6))
def test_the_tree_agrees_with_a_walk_after_every_operation(tmp_path, at_once, seed):
    assert assert_agrees_with_a_walk(tmp_path, seed, 2000) > 100


@pytest.mark.slow
@pytest.mark.xfail(
    reason="about one in fifty seeds finds a file that grew beyond the limit and is still listed"
)
def test_the_tree_agrees_with_a_walk_in_half_a_million_operations(tmp_path, at_once):
    watched = [
        assert_agrees_with_a_walk(tmp_path / str(seed), seed, 10_000) for seed in range(100, 150)
    ]
    assert sum(watched) > 30_000


def test_a_file_that_is_being_written_comes_last_until_it_is_closed(root):
    put(root.path / "old.jpg", b"old", age=60)
    assert names(root.look()) == ["old.jpg"]
    with (root.path / "new.jpg").open("wb", buffering=0) as file:
        file.write(b"half")
        assert names(root.look()) == ["old.jpg", "new.jpg"]
        assert root.look().newest[1].idle is False
    assert names(root.look()) == ["new.jpg", "old.jpg"]


def test_a_writer_that_stands_still_for_a_quarter_of_an_hour_is_no_writer(root, monkeypatch):
    root.look()
    (root.path / "a.jpg").write_bytes(b"abc")
    put(root.path / "old.jpg", b"old", age=60)
    os.truncate(root.path / "a.jpg", 2)
    assert names(root.look()) == ["old.jpg", "a.jpg"]
    monkeypatch.setattr(watching, "STALLED_SECONDS", -1)
    assert names(root.look()) == ["a.jpg", "old.jpg"]


def test_more_files_than_are_remembered_and_the_newest_deleted_one_by_one(root):
    for number in range(300):
        put(root.path / f"{number:03}.jpg", b"x", age=300 - number)
    root.look()
    for number in range(299, 200, -1):
        (root.path / f"{number:03}.jpg").unlink()
        assert names(root.look()) == [f"{n:03}.jpg" for n in range(number - 1, number - 33, -1)]
    assert root.look().polling is None


def test_an_overflow_of_the_queue_loses_nothing(root):
    root.look()
    one, other = root.path / "a.jpg", root.path / "b.jpg"
    one.write_bytes(b"x")
    for _ in range(queue_length() // 2 + 10):
        one.rename(other)
        other.rename(one)
    (root.path / "last.jpg").write_bytes(b"x")
    look = root.look()
    assert (names(look), look.polling) == (["last.jpg", "a.jpg"], None)


@pytest.mark.parametrize(
    ("error", "said"),
    [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances"), (38, "no inotify")],
)
def test_what_the_kernel_refuses_is_walked_and_said(root, monkeypatch, error, said):
    def refuse(*_, **__):
        raise OSError(error, "refused")

    monkeypatch.setattr(
        watching.INotify, "add_watch" if error == errno.ENOSPC else "__init__", refuse
    )
    put(root.path / "a.jpg", b"x")
    look = root.look()
    assert names(look) == ["a.jpg"]
    assert said in look.polling


@pytest.mark.parametrize("kind", [0x6969, 0x65735546])
def test_a_network_file_system_is_walked(root, monkeypatch, kind):
    monkeypatch.setattr(watching, "filesystem_type", lambda _: kind)
    put(root.path / "a.jpg", b"x")
    look = root.look()
    assert names(look) == ["a.jpg"]
    assert watching.REMOTE[kind] in look.polling


def test_the_file_system_of_a_folder_is_known(root):
    assert watching.filesystem_type(root.folder) not in (0, *watching.REMOTE)
    proc = os.open("/proc", os.O_RDONLY)
    assert watching.filesystem_type(proc) == 0x9FA0
    os.close(proc)


def test_a_hard_link_makes_the_folder_be_walked_until_it_is_gone(root, at_once):
    put(root.path / "a.jpg", b"x")
    os.link(root.path / "a.jpg", root.path / "b.jpg")
    assert "hard link" in root.look().polling
    (root.path / "b.jpg").write_bytes(b"longer")
    assert root.look().newest == walk(root.folder, datetime.now(UTC), 10**6)
    (root.path / "a.jpg").unlink()
    assert root.look().polling is None


def test_a_folder_that_cannot_be_watched_is_tried_again_later(root, monkeypatch):
    monkeypatch.setattr(watching, "filesystem_type", lambda _: 0x6969)
    assert root.look().polling
    monkeypatch.undo()
    assert root.look().polling
    monkeypatch.setattr(folders.time, "monotonic", lambda: time.time() + 10**9)
    assert root.look().polling is None


def test_an_upload_is_known_when_it_is_completed(root):
    root.look()
    assert root.look().uploaded_ns == 0
    with (root.path / "a.jpg").open("wb", buffering=0) as file:
        file.write(b"half")
        assert root.look().uploaded_ns == 0
    at = root.look().uploaded_ns
    assert at == (root.path / "a.jpg").stat().st_ctime_ns
    (root.path / ".b.tmp").write_bytes(b"x")
    assert root.look().uploaded_ns == at
    (root.path / ".b.tmp").rename(root.path / "b.jpg")
    assert root.look().uploaded_ns > at


def test_while_another_thread_reads_the_folder_a_question_walks(root, monkeypatch):
    monkeypatch.setattr(folders, "PATIENCE_SECONDS", 0)
    put(root.path / "a.jpg", b"x")
    root.look()
    (entry,) = root.known._entries.values()
    with entry.lock:
        assert names(root.look()) == ["a.jpg"]


def test_switched_off_every_question_is_a_walk(root):
    known = Folders(10**6, watch=False)
    put(root.path / "a.jpg", b"x")
    look = known.look(root.folder, datetime.now(UTC))
    assert (names(look), look.polling) == (["a.jpg"], folders.OFF)


def test_folders_that_nobody_needs_are_let_go(root):
    root.look()
    assert len(root.known._entries) == 1
    root.known.keep(())
    assert root.known._entries == {}


def queue_length() -> int:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


def test_why_folders_are_polled_is_known(root, monkeypatch):
    root.look()
    assert root.known.polling() == []
    root.known.keep(())
    monkeypatch.setattr(watching, "filesystem_type", lambda _: 0x6969)
    root.look()
    (reason,) = root.known.polling()
    assert "NFS" in reason
