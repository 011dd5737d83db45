"""Who waits for a mount that does not answer, for how long, and how many at once?"""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar

import pytest

from app.storage import checks, mount_threads
from app.storage.filesystems import Mount, MountTable, mounts
from app.storage.mount_threads import FolderBusy, MountThreads, StorageThreads, note_progress
from app.storage.safe_open import StorageNotAnswering

NAS = Mount(2, 1, "/srv/nas", "nfs4")
TABLE = MountTable(
    "1 0 8:1 / / rw - ext4 x rw\n"
    "2 1 0:9 / /srv/nas rw - nfs4 nas:/ rw\n"
    "3 1 0:8 / /srv/local/day rw - fuse.sshfs host: rw\n"
    "4 1 0:7 / /srv/caf\udce9 rw - cifs host: rw\n"
)


@pytest.fixture
def threads(monkeypatch):
    """A mount that hangs after half a second; only one may wait for longer than a tenth."""
    monkeypatch.setattr(mount_threads, "HANGING_SECONDS", 0.5)
    monkeypatch.setattr(mount_threads, "SILENT_SECONDS", 0.1)
    threads = MountThreads((NAS,), threading.Semaphore(1))
    yield threads
    threads.close()


@pytest.fixture
def hang():
    """An event that a task waits for; it is set when the test ends."""
    over = threading.Event()
    yield over
    over.set()


def seconds_until_refused(threads, hang):
    began = time.monotonic()
    with pytest.raises(StorageNotAnswering):
        threads.ask(lambda: hang.wait(20), 0.5)
    return time.monotonic() - began


def test_a_folder_that_hangs_leaves_threads_to_the_other_folders_of_its_mounts(
    threads, hang, monkeypatch
):
    monkeypatch.setattr(mount_threads, "HANGING_SECONDS", 60)
    monkeypatch.setattr(mount_threads, "SLOT_SECONDS", 0)
    for _ in range(mount_threads.REQUEST_THREADS):
        with pytest.raises(StorageNotAnswering):
            threads.ask(lambda: hang.wait(60), 0.1, "front")
    with pytest.raises(FolderBusy):
        threads.ask(lambda: hang.wait(60), 0.1, "front")
    for _ in ("monitor", "index"):  # which keep a thread each
        threads.begin(lambda: hang.wait(60))
    assert threads.ask(lambda: 7, folder="back") == 7
    hang.set()
    deadline = time.monotonic() + 30
    while True:
        with suppress(FolderBusy):
            assert threads.ask(lambda: 7, folder="front") == 7
            break
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_result_or_an_exception_is_returned(threads):
    assert threads.ask(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        threads.ask(lambda: 1 // 0)


def test_a_task_runs_in_the_context_of_the_thread_that_asks(threads):
    known = ContextVar("known")
    known.set("request")
    assert threads.ask(known.get) == "request"


def test_the_first_request_waits_a_while_and_the_next_are_refused_at_once(threads, hang):
    assert 0.5 <= seconds_until_refused(threads, hang) < 15
    assert min(seconds_until_refused(threads, hang) for _ in range(10)) < 0.3
    hang.set()
    deadline = time.monotonic() + 30
    while threads.silence():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert threads.ask(lambda: 7) == 7


def test_only_a_few_requests_wait_for_long(threads, hang):
    with ThreadPoolExecutor(4) as pool:
        waits = sorted(
            pool.map(lambda _: seconds_until_refused(threads, hang), range(4)),
        )
    assert waits[-1] >= 0.5
    assert waits[0] < waits[-1]


def test_a_task_that_makes_progress_may_take_long(threads):
    def slow():
        for _ in range(20):
            time.sleep(0.1)
            note_progress()
        return 7

    assert threads.ask(slow, 1.5) == 7


def test_a_picture_that_a_slow_share_gives_in_pieces_comes_whole(threads, tmp_path, monkeypatch):
    data, pread = bytes(range(256)) * 64, os.pread
    (tmp_path / "a.jpg").write_bytes(data)
    file = os.open(tmp_path / "a.jpg", os.O_RDONLY)

    def slow(*arguments):
        time.sleep(0.15)
        return pread(*arguments)

    monkeypatch.setattr(checks, "PIECE_BYTES", 2048)
    monkeypatch.setattr(os, "pread", slow)
    assert threads.ask(lambda: checks.read_up_to(file, len(data)), 1.1) == data
    os.close(file)


def test_a_task_that_was_cancelled_before_it_began_does_not_run(threads, hang):
    asked = []
    for _ in range(mount_threads.MOUNT_THREADS):
        threads.begin(lambda: hang.wait(20))
    with pytest.raises(StorageNotAnswering):
        threads.ask(lambda: asked.append(1), 0.2)
    hang.set()
    assert threads.ask(lambda: 7) == 7
    assert asked == []


@pytest.mark.parametrize(
    ("folder_path", "points"),
    [
        ("front", []),
        ("/srv/nas/front", ["/srv/nas"]),
        ("nas/front/..", ["/srv/nas"]),
        ("local", ["/srv/local/day"]),
        ("local/day/x", ["/srv/local/day"]),
        (".", ["/srv/nas", "/srv/local/day", "/srv/caf\udce9"]),
        (None, []),
        ("/elsewhere", []),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", ["/srv/caf\udce9"]),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}/day", ["/srv/caf\udce9"]),
        ("cafe", []),
    ],
)
def test_a_folder_belongs_to_the_mounts_that_it_lies_on_and_that_lie_in_it(
    monkeypatch, folder_path, points
):
    monkeypatch.setattr(mounts, "table", lambda: TABLE)
    threads = StorageThreads().find("/srv", folder_path)
    assert [mount.point for mount in threads.mounts] == points if threads else points == []


def test_a_base_path_that_is_a_link_is_followed(tmp_path, monkeypatch):
    base = tmp_path / "base"
    base.symlink_to("/srv/nas")
    monkeypatch.setattr(mounts, "table", lambda: TABLE)
    threads = StorageThreads().find(str(base), "front")
    assert threads.mounts == (NAS,)
    threads.close()


def test_storage_that_says_that_it_fails_is_listed_until_it_answers(monkeypatch):
    def fail():
        raise StorageNotAnswering

    monkeypatch.setattr(mounts, "table", lambda: TABLE)
    known = StorageThreads()
    assert known.not_answering() == []
    with pytest.raises(StorageNotAnswering):
        known.ask(fail, "/srv", "nas")
    assert known.not_answering() == [NAS]
    assert known.ask(lambda: 7, "/srv", "nas") == 7
    assert known.not_answering() == []
    known.find("/srv", "nas").close()


def test_threads_of_a_mount_that_is_gone_end(monkeypatch):
    monkeypatch.setattr(mounts, "table", lambda: TABLE)
    known, before = StorageThreads(), set(threading.enumerate())
    known.find("/srv", "nas")
    started = set(threading.enumerate()) - before
    assert len(started) == mount_threads.MOUNT_THREADS
    monkeypatch.setattr(mounts, "table", lambda: MountTable("1 0 8:1 / / rw - ext4 x rw"))
    assert known.find("/srv", "nas") is None
    deadline = time.monotonic() + 30
    while any(thread.is_alive() for thread in started):
        assert time.monotonic() < deadline
        time.sleep(0.01)
