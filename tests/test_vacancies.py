"""Are just the folders offered that no camera uses, and in bounded time?"""

import os
import time

import pytest

from app import clock
from app.diagnostics import survey, unassigned_folders
from app.diagnostics.camera import Box
from app.storage.folders import Folders
from tests.pictures import put
from tests.unprivileged import as_nobody, base_of_nobody


@pytest.fixture
def box(base):
    """The settings."""
    return Box(str(base), Folders(100), 100, 0)


def found(box, *folder_paths):
    """The names that are left for cameras of these folders."""
    cameras = [{"folder_path": path} for path in folder_paths]
    return [folder["name"] for folder in unassigned_folders.vacancies(cameras, box, clock.now())]


def test_a_folder_says_how_much_is_in_it(box, base):
    put(base / "b/20251223/1.jpg", b"x", now=1e9)
    put(base / "b/0.jpg", b"x", now=1e8)
    (base / "a").mkdir()
    empty, full = unassigned_folders.vacancies([], box, clock.now())
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


def test_a_folder_is_used_when_it_is_a_cameras_or_holds_one(box, base, tmp_path):
    for name in ("a", "b", "c", "d", "ab"):
        (base / name).mkdir()
    assert found(box) == ["a", "ab", "b", "c", "d"]
    assert found(box, "a/", f"{base}//b/.", "c/deep/er", "x/../d", "/etc") == ["ab"]
    assert found(box, ".") == ["a", "ab", "b", "c", "d"]
    (tmp_path / "linked").symlink_to(base)
    linked = box._replace(base=str(tmp_path / "linked"))
    assert found(linked, f"{base}/a", f"{tmp_path}/linked/b", "c") == ["ab", "d"]


def test_what_is_no_plain_folder_is_left_out(box, base):
    (base / "file").touch()
    (base / ".hidden").mkdir()
    (base / "link").symlink_to("/etc")
    for name in (b"\xff", b"a\nb", b"\xc2\x85"):
        os.mkdir(os.fsencode(base) + b"/" + name)
    (base / "Zäune & Co").mkdir()
    assert found(box) == ["Zäune & Co"]


def test_what_may_not_be_read_is_not_counted():
    with base_of_nobody() as base:
        for name in ("closed", "partly/closed"):
            (base / name).mkdir(parents=True)
            (base / name).chmod(0)
        put(base / "partly/a.jpg", b"x")
        with as_nobody():
            folders = unassigned_folders.vacancies(
                [], Box(str(base), Folders(100), 100, 0), clock.now()
            )
    counts = [folder["pictures"] for folder in folders]
    assert counts == [{"count": 0, "complete": False}, {"count": 1, "complete": False}]


def test_without_the_base_path_there_is_no_answer(box, base):
    base.rmdir()
    with pytest.raises(unassigned_folders.BaseMissing):
        found(box)


def test_the_time_for_all_folders_together_is_bounded(box, base, monkeypatch):
    for number in range(5):
        put(base / str(number) / "a.jpg", b"x")
    spent = []

    def slow(*_):
        spent.append(1)
        time.sleep(0.02)
        return survey.Survey(pictures=1)

    monkeypatch.setattr(unassigned_folders, "survey", slow)
    monkeypatch.setattr(unassigned_folders, "TOTAL_SECONDS", 0.03)
    answer = unassigned_folders.vacancies([], box, clock.now())
    assert len(spent) == 2
    assert [folder["pictures"]["complete"] for folder in answer] == [True] * 2 + [False] * 3
