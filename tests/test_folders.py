"""Which folders are watched, which are walked, and does a query of one wait for another?"""

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from app.storage import folders, mount_threads, watched_tree, watches
from app.storage.filesystems import MountTable, mounts
from app.storage.folder_entry import NOT_YET, folder_key
from app.storage.folders import Folders
from app.storage.mount_threads import FolderBusy
from tests.inotify import overflow, watches_of
from tests.pictures import put
from tests.watched import fail, names


def test_a_failure_while_events_are_applied_loses_no_change(root, monkeypatch):
    root.query()
    put(root.path / "day" / "a.jpg", b"x")
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fail(errno.EMFILE))
        with pytest.raises(OSError, match="failed"):
            root.query()
    state = root.query()
    assert (names(state), state.polling) == (["day/a.jpg"], None)


@pytest.mark.parametrize(
    ("error", "said"),
    [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances"), (38, "no inotify")],
)
def test_a_folder_that_the_kernel_does_not_watch_is_walked_with_the_reason(
    root, monkeypatch, error, said
):
    monkeypatch.setattr(
        watches.INotify, "add_watch" if error == errno.ENOSPC else "__init__", fail(error)
    )
    put(root.path / "a.jpg", b"x")
    state = root.query()
    assert names(state) == ["a.jpg"]
    assert said in watches.with_remedy(state.polling)


NFS = MountTable("1 0 0:1 / / rw - nfs4 nas:/ rw")


def test_a_network_file_system_is_walked(root, monkeypatch):
    monkeypatch.setattr(mounts, "table", lambda: NFS)
    put(root.path / "a.jpg", b"x")
    state = root.query()
    assert names(state) == ["a.jpg"]
    assert "nfs4 (mounted at /)" in state.polling


def test_a_folder_is_watched_as_soon_as_a_local_file_system_is_mounted(root, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(mounts, "table", lambda: NFS)
        assert root.query().polling
    assert root.query().polling is None


def test_a_folder_that_cannot_be_watched_is_tried_again_later(root, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(watches.INotify, "add_watch", fail(errno.ENOSPC))
        assert root.query().polling
    assert root.query().polling
    monkeypatch.setattr(folders.time, "monotonic", lambda: time.time() + 10**9)
    assert root.query().polling is None


def test_while_one_folder_is_read_the_others_answer(root, tmp_path, monkeypatch):
    reading, go_on, files = threading.Event(), threading.Event(), watched_tree.files

    def slow(*args, **options):
        reading.set()
        assert go_on.wait(30)
        yield from files(*args, **options)

    put(root.path / "a.jpg", b"x")
    put(tmp_path / "other" / "b.jpg", b"x")
    other = os.open(tmp_path / "other", os.O_RDONLY)
    root.known.query(other, datetime.now(UTC))
    monkeypatch.setattr(watched_tree, "files", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(root.query)
        assert reading.wait(30)
        assert names(root.known.query(other, datetime.now(UTC))) == ["b.jpg"]
        assert root.names() == ["a.jpg"]
        assert root.known.polling() == []
        root.known.retain([folder_key(other)])
        go_on.set()
        assert names(first.result()) == ["a.jpg"]
    os.close(other)
    assert watches_of(os.getpid()) == 1


def test_without_watching_every_query_walks_the_folder(root):
    known = Folders(10**6, watch=False)
    put(root.path / "a.jpg", b"x")
    state = known.query(root.folder, datetime.now(UTC))
    assert (names(state), state.polling) == (["a.jpg"], folders.OFF)


def test_folders_that_are_not_retained_are_watched_no_more(root):
    put(root.path / "day" / "a.jpg", b"x")
    before = watches_of(os.getpid())
    root.query()
    assert watches_of(os.getpid()) == before + 2
    root.known.retain(())
    assert watches_of(os.getpid()) == before


def test_a_folder_that_nobody_asks_about_is_dropped_when_a_new_one_comes(
    root, tmp_path, monkeypatch
):
    put(root.path / "day" / "a.jpg", b"x")
    root.query()
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(folders, "IDLE_SECONDS", 0)
    other = os.open(tmp_path / "other", os.O_RDONLY)
    root.known.query(other, datetime.now(UTC))
    assert watches_of(os.getpid()) == 1
    assert root.known.remembered(root.folder) == (NOT_YET, None)
    assert root.known.remembered(other) == (None, None)
    os.close(other)


def test_the_reason_for_polling_is_reported(root, monkeypatch):
    root.query()
    assert root.known.polling() == []
    root.known.retain(())
    monkeypatch.setattr(mounts, "table", lambda: NFS)
    root.query()
    (reason,) = root.known.polling()
    assert "nfs4" in reason


def test_the_reason_is_reported_while_a_folder_is_read_anew(root, monkeypatch):
    root.query()
    reasons, files = [], watched_tree.files
    overflow(root.path)

    def note_reason(*args, **options):
        reasons.append(root.known.polling())
        return files(*args, **options)

    monkeypatch.setattr(watched_tree, "files", note_reason)
    assert root.query().polling is None
    assert reasons[0] == [watches.OVERFLOW]
    assert root.known.polling() == []


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (64, 32)])
def test_a_folder_may_occupy_half_of_the_threads_but_always_one(
    tmp_path, monkeypatch, threads, most
):
    monkeypatch.setattr(mount_threads, "SLOT_SECONDS", 0)
    known = Folders(10**6, threads=threads)
    with ExitStack() as stack:
        for path in ("front", "./front//", f"{tmp_path}/front", *["front"] * most)[:most]:
            stack.enter_context(known.slot(str(tmp_path), path))
        with pytest.raises(FolderBusy), known.slot(str(tmp_path), "front"):
            pass
        with known.slot(str(tmp_path), "side"):
            pass
