"""Does a file that a crash left hidden get its name again, and are empty folders deleted?"""

import errno
import fcntl
import os

import pytest

from app.storage import removal
from app.storage.removal import remove_empty, removing, restore_hidden
from tests.watched import fail

NAMES = ["a.jpg", "a\nb.jpg", "café.mp4", os.fsdecode(b"\xff.jpg"), "x" * 251 + ".jpg"]


class Crash(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def folder(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def crash(folder, name, monkeypatch):
    """Delete the file, and crash before that is done."""

    def end(*_, **__):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(removal.os, "unlink", end)
        with pytest.raises(Crash), removing(folder, [name], lambda _: True):
            pass


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_a_crash_left_hidden_gets_its_name_again(
    folder, tmp_path, name, has_links, monkeypatch
):
    (tmp_path / name).write_bytes(b"GIF89a")
    crash(folder, name, monkeypatch)
    (hidden,) = os.listdir(folder)
    assert hidden.startswith(".")
    assert removal.is_left_hidden(hidden)
    if not has_links:
        monkeypatch.setattr(removal.os, "link", fail(errno.EPERM))
    restore_hidden(folder)
    (found,) = os.listdir(folder)
    assert found == name or (len(name) > 230 and found.endswith(".jpg"))
    assert (tmp_path / found).read_bytes() == b"GIF89a"


def test_a_new_file_of_the_same_name_replaces_the_hidden_one(folder, tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"GIF89a")
    crash(folder, "a.jpg", monkeypatch)
    (tmp_path / "a.jpg").write_bytes(b"another")
    restore_hidden(folder)
    assert os.listdir(folder) == ["a.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"another"


def test_hidden_files_of_others_are_left_alone(folder, tmp_path, monkeypatch):
    names = [
        ".a.jpg",
        ".a.jpg.deleted",
        ".0123456789abcdef.deleted",
        ".a.0123456789abcdef.deleted",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"GIF89a")
    (tmp_path / "b.jpg").write_bytes(b"GIF89a")
    crash(folder, "b.jpg", monkeypatch)
    (ours,) = {*os.listdir(folder)} - {*names}
    (tmp_path / ours).unlink()
    for make in (os.mkdir, os.mkfifo, lambda path: os.symlink(tmp_path, path)):
        make(tmp_path / ours)
        restore_hidden(folder)
        assert {*os.listdir(folder)} == {*names, ours}
        (os.rmdir if make is os.mkdir else os.unlink)(tmp_path / ours)


def test_a_file_that_is_being_deleted_stays_hidden(folder, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"GIF89a")
    with removing(folder, ["a.jpg"], lambda _: True):
        (hidden,) = os.listdir(folder)
        assert not restore_hidden(folder)
        assert os.listdir(folder) == [hidden]
    assert restore_hidden(folder)
    assert os.listdir(folder) == []


def test_a_deletion_waits_while_hidden_files_get_their_names_again(folder, tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"GIF89a")
    fcntl.flock(folder, fcntl.LOCK_EX)
    waits = []

    def wait(seconds):
        waits.append(os.listdir(folder))
        fcntl.flock(folder, fcntl.LOCK_UN)

    monkeypatch.setattr(removal, "pause", wait)
    with removing(folder, ["a.jpg"], lambda _: True):
        pass
    assert (waits, os.listdir(folder)) == ([["a.jpg"]], [])


def test_a_file_that_a_crash_left_with_two_names_gets_one_again(folder, tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"GIF89a")
    crash(folder, "a.jpg", monkeypatch)
    (hidden,) = os.listdir(folder)
    os.link(tmp_path / hidden, tmp_path / "a.jpg")
    restore_hidden(folder)
    assert os.listdir(folder) == ["a.jpg"]


@pytest.mark.parametrize(
    ("stays", "others", "left"),
    [
        (None, [], []),
        (None, ["a/b.txt"], ["a", "a/b.txt"]),
        (None, ["a/b/.hidden"], ["a", "a/b", "a/b/.hidden"]),
        (["a", "b"], [], ["a", "a/b"]),
        (["a"], [], ["a"]),
    ],
)
def test_folders_that_became_empty_are_deleted(folder, tmp_path, stays, others, left):
    (tmp_path / "a/b/c").mkdir(parents=True)
    for name in others:
        (tmp_path / name).write_bytes(b"x")
    remove_empty(folder, ["a", "b", "c"], lambda components: components == stays)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == left


def test_no_link_is_followed_to_an_empty_folder(folder, tmp_path):
    (tmp_path / "away/empty").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "away")
    remove_empty(folder, ["link", "empty"], lambda _: False)
    remove_empty(folder, ["link"], lambda _: False)
    assert {path.name for path in tmp_path.rglob("*")} == {"away", "link", "empty"}
