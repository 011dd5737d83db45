"""Which folders are watched, which are walked, and does one ever wait for another?"""

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from inotify_simple import Event

from app.storage import filesystems, folders, watched_tree, watches
from app.storage.folders import Folders
from tests.inotify import watches_of
from tests.pictures import put
from tests.watched import fail, names


def test_a_failure_half_way_through_the_changes_loses_none(root, monkeypatch):
    root.look()
    put(root.path / "day" / "a.jpg", b"x")
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fail(errno.EMFILE))
        with pytest.raises(OSError, match="failed"):
            root.look()
    look = root.look()
    assert (names(look), look.polling) == (["day/a.jpg"], None)


@pytest.mark.parametrize(
    ("error", "said"),
    [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances"), (38, "no inotify")],
)
def test_what_the_kernel_refuses_is_walked_and_said(root, monkeypatch, error, said):
    monkeypatch.setattr(
        watches.INotify, "add_watch" if error == errno.ENOSPC else "__init__", fail(error)
    )
    put(root.path / "a.jpg", b"x")
    look = root.look()
    assert names(look) == ["a.jpg"]
    assert said in look.polling


@pytest.mark.parametrize("kind", [0x6969, 0x65735546])
def test_a_network_file_system_is_walked(root, monkeypatch, kind):
    monkeypatch.setattr(filesystems, "filesystem_type", lambda _: kind)
    put(root.path / "a.jpg", b"x")
    look = root.look()
    assert names(look) == ["a.jpg"]
    assert filesystems.REMOTE[kind] in look.polling


def test_the_file_system_of_a_folder_is_known(root):
    assert filesystems.filesystem_type(root.folder) not in (0, *filesystems.REMOTE)
    proc = os.open("/proc", os.O_RDONLY)
    assert filesystems.filesystem_type(proc) == 0x9FA0
    os.close(proc)


def test_a_folder_that_cannot_be_watched_is_tried_again_later(root, monkeypatch):
    monkeypatch.setattr(filesystems, "filesystem_type", lambda _: 0x6969)
    assert root.look().polling
    monkeypatch.undo()
    assert root.look().polling
    monkeypatch.setattr(folders.time, "monotonic", lambda: time.time() + 10**9)
    assert root.look().polling is None


def test_while_another_thread_reads_the_folder_a_question_walks(root, monkeypatch):
    monkeypatch.setattr(folders, "PATIENCE_SECONDS", 0)
    put(root.path / "a.jpg", b"x")
    root.look()
    (entry,) = root.known._entries.values()
    with entry.lock:
        assert root.names() == ["a.jpg"]


def test_while_one_folder_is_read_the_others_answer(root, tmp_path, monkeypatch):
    reading, go_on, files = threading.Event(), threading.Event(), watched_tree.files

    def slow(*args):
        reading.set()
        assert go_on.wait(10)
        yield from files(*args)

    put(root.path / "a.jpg", b"x")
    put(tmp_path / "other" / "b.jpg", b"x")
    other = os.open(tmp_path / "other", os.O_RDONLY)
    root.known.look(other, datetime.now(UTC))
    monkeypatch.setattr(watched_tree, "files", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(root.look)
        assert reading.wait(10)
        assert names(root.known.look(other, datetime.now(UTC))) == ["b.jpg"]
        assert root.names() == ["a.jpg"]
        assert root.known.polling() == []
        root.known.keep([folders.key_of(other)])
        go_on.set()
        assert names(first.result()) == ["a.jpg"]
    os.close(other)
    assert watches_of(os.getpid()) == 1


def test_switched_off_every_question_is_a_walk(root):
    known = Folders(10**6, watch=False)
    put(root.path / "a.jpg", b"x")
    look = known.look(root.folder, datetime.now(UTC))
    assert (names(look), look.polling) == (["a.jpg"], folders.OFF)


def test_folders_that_nobody_needs_are_let_go(root):
    put(root.path / "day" / "a.jpg", b"x")
    before = watches_of(os.getpid())
    root.look()
    assert watches_of(os.getpid()) == before + 2
    root.known.keep(())
    assert watches_of(os.getpid()) == before


def test_folders_that_nobody_asks_about_are_let_go_when_a_new_one_comes(
    root, tmp_path, monkeypatch
):
    root.look()
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(folders, "IDLE_SECONDS", 0)
    other = os.open(tmp_path / "other", os.O_RDONLY)
    root.known.look(other, datetime.now(UTC))
    assert list(root.known._entries) == [folders.key_of(other)]
    os.close(other)


def test_why_folders_are_polled_is_known(root, monkeypatch):
    root.look()
    assert root.known.polling() == []
    root.known.keep(())
    monkeypatch.setattr(filesystems, "filesystem_type", lambda _: 0x6969)
    root.look()
    (reason,) = root.known.polling()
    assert "NFS" in reason


def test_while_a_folder_is_read_anew_the_reason_is_known(root, monkeypatch):
    root.look()
    said, tree = [], folders.Tree
    lost = Event(-1, watches.flags.Q_OVERFLOW, 0, "")

    def plant(*args):
        said.append(root.known.polling())
        monkeypatch.undo()
        return tree(*args)

    monkeypatch.setattr(folders, "Tree", plant)
    monkeypatch.setattr(watches.INotify, "read", lambda *_, **__: [lost])
    assert root.look().polling is None
    assert said == [[watches.OVERFLOW]]
    root.tree.close()
    (entry,) = root.known._entries.values()
    entry.tree = None
    assert root.known.polling() == []
