"""Are exactly the folders listed that no camera uses, and in bounded time?"""

import os
from unicodedata import normalize

import pytest

from app import clock
from app.diagnostics import survey, unassigned_folders
from app.diagnostics.camera import DiagnosticsContext
from app.diagnostics.unassigned_folders import find_unassigned
from app.storage.folders import Folders
from tests.pictures import put
from tests.unprivileged import as_nobody, base_of_nobody


@pytest.fixture
def context(base):
    """The settings of a service on ``base``."""
    return DiagnosticsContext(str(base), Folders(100), 100, 0)


def found(context, *folder_paths):
    """The names of the folders that no camera of these ``folder_paths`` uses."""
    cameras = [{"folder_path": path} for path in folder_paths]
    return [folder["name"] for folder in find_unassigned(cameras, context, clock.now())]


def test_each_folder_is_listed_with_the_number_of_its_pictures_and_the_newest_time(context, base):
    put(base / "b/20251223/1.jpg", b"x", now=1e9)
    put(base / "b/0.jpg", b"x", now=1e8)
    (base / "a").mkdir()
    empty, full = find_unassigned([], context, clock.now())
    assert empty == {
        "name": "a",
        "folder_path": "a",
        "pictures": {"count": 0, "complete": True},
        "newest_at": None,
    }
    assert full == {
        "name": "b",
        "folder_path": "b",
        "pictures": {"count": 2, "complete": True},
        "newest_at": "2001-09-09T01:46:40.000000Z",
    }


def test_a_folder_is_used_when_it_is_a_cameras_folder_or_contains_one(context, base, tmp_path):
    for name in ("a", "b", "c", "d", "ab"):
        (base / name).mkdir()
    assert found(context) == ["a", "ab", "b", "c", "d"]
    assert found(context, "a/", f"{base}//b/.", "c/deep/er", "x/../d", "/etc") == ["ab"]
    assert found(context, ".") == ["a", "ab", "b", "c", "d"]
    (tmp_path / "linked").symlink_to(base)
    linked = context._replace(base=str(tmp_path / "linked"))
    assert found(linked, f"{base}/a", f"{tmp_path}/linked/b", "c") == ["ab", "d"]


def test_files_links_and_names_that_folder_path_cannot_hold_are_left_out(context, base):
    (base / "file").touch()
    (base / ".hidden").mkdir()
    (base / "link").symlink_to("/etc")
    for name in (b"\x85", b"a\nb", b"\xc2\x85"):
        os.mkdir(os.fsencode(base) + b"/" + name)
    (base / "Zäune & Co").mkdir()
    assert found(context) == ["Zäune & Co"]


def test_names_in_any_encoding_are_listed_as_they_read_unless_another_folder_is_meant(
    context, base
):
    for name in ("Tür".encode("latin-1"), "北门".encode("gb18030"), b"Tor"):
        os.mkdir(os.fsencode(base) + b"/" + name)
    assert found(context) == ["Tor", "Tür", "北门"]
    assert found(context, "Tür", "北门/1") == ["Tor"]
    (base / normalize("NFD", "Tür")).mkdir()
    assert found(context) == ["Tor", normalize("NFD", "Tür"), "北门"]
    assert found(context, normalize("NFD", "Tür")) == ["Tor", "北门"]
    (base / "Tür").mkdir()
    assert found(context, "Tür") == ["Tor", normalize("NFD", "Tür"), "北门"]


def test_a_folder_that_may_not_be_read_is_listed_with_an_incomplete_count():
    with base_of_nobody() as base:
        for name in ("closed", "partly/closed"):
            (base / name).mkdir(parents=True)
            (base / name).chmod(0)
        put(base / "partly/a.jpg", b"x")
        with as_nobody():
            context = DiagnosticsContext(str(base), Folders(100), 100, 0)
            folders = find_unassigned([], context, clock.now())
    counts = [folder["pictures"] for folder in folders]
    assert counts == [{"count": 0, "complete": False}, {"count": 1, "complete": False}]


def test_a_missing_base_path_is_an_error(context, base):
    base.rmdir()
    with pytest.raises(unassigned_folders.BaseMissing):
        found(context)


def test_the_time_for_all_folders_together_is_bounded(context, base, monkeypatch):
    for number in range(5):
        put(base / str(number) / "a.jpg", b"x")

    def slow(*_):
        moment[0] += unassigned_folders.TOTAL_SECONDS * 0.6
        return survey.Survey(pictures=1)

    moment = [0.0]
    monkeypatch.setattr(unassigned_folders, "survey", slow)
    monkeypatch.setattr(unassigned_folders.time, "monotonic", lambda: moment[0])
    answer = find_unassigned([], context, clock.now())
    assert [folder["pictures"]["complete"] for folder in answer] == [True] * 2 + [False] * 3
