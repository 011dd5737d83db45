"""Does the diagnosis name what is wrong, in the right words, and nothing else?"""

import errno
import os
import shutil
from datetime import timedelta

import pytest

from app import clock
from app.diagnostics import camera, survey
from app.diagnostics.camera import Box, diagnose
from app.diagnostics.folder_advice import service_user
from app.storage.folders import Folders
from app.storage.scan import walk
from tests.pictures import picture, put
from tests.unprivileged import as_nobody, base_of_nobody

OFFLINE_AFTER = 3600
WHOLE = picture()


@pytest.fixture
def box(base):
    """The settings, and what is known of the folders."""
    folders = Folders(len(WHOLE) * 2)
    yield Box(str(base), folders, len(WHOLE) * 2, OFFLINE_AFTER)
    folders.keep(())


@pytest.fixture
def front(base):
    """A camera's folder, empty."""
    (base / "front").mkdir()
    return base / "front"


def row(folder_path="front", name="Front", seen=None):
    last_seen_at = clock.rfc3339(clock.now() - timedelta(seconds=seen)) if seen else None
    return {
        "id": name.lower(),
        "name": name,
        "folder_path": folder_path,
        "status": "online",
        "last_seen_at": last_seen_at,
    }


def problems(box, camera=None, *others):
    """word → sentence, of the camera in ``front`` if no other is given."""
    camera = camera or row()
    found = diagnose(camera, [camera, *others], box, clock.now())["problems"]
    return {problem["code"]: problem["message"] for problem in found}


def test_a_camera_that_is_well_has_no_problem(box, front):
    put(front / "old.jpg", WHOLE, age=500)
    put(front / "20251223/new.jpg", WHOLE, age=70)
    seen = diagnose(row(seen=70), [row()], box, clock.now())
    assert seen["problems"] == []
    assert seen["newest"]["name"] == "20251223/new.jpg"
    assert (seen["newest"]["bytes"], seen["newest"]["age_seconds"]) == (len(WHOLE), 70)
    assert seen["pictures"] == {"count": 2, "complete": True}
    assert seen["unfinished_uploads"] == []
    assert seen["watching"] == {"mode": "watching", "reason": None, "remedy": None}


def test_an_empty_folder_says_what_to_check_in_the_camera(box, front):
    assert list(problems(box)) == ["no_picture"]
    assert "FTP upload is switched on" in problems(box)["no_picture"]


def test_an_upload_that_has_just_begun_is_not_said_to_have_a_problem_of_its_own(box, front):
    put(front / "a.jpg", b"")
    assert list(problems(box)) == ["no_picture"]
    assert "other problems" not in problems(box)["no_picture"]


def test_other_files_only_are_named_by_suffix(box, front):
    for name in ("a.mkv", "b.mkv", "c.avi", "d"):
        put(front / name, b"x")
    message = problems(box)["no_picture"]
    assert "2 .mkv, 1 .avi, 1 without suffix" in message
    assert ".jpg, .jpeg, .png or .gif" in message


@pytest.mark.parametrize(
    ("name", "data", "age", "code"),
    [
        ("a.jpg", b"", 100, "empty_files"),
        ("a.jpg", WHOLE * 3, 0, "too_large"),
        ("a.jpg", b"<html>no picture</html>", 100, "foreign_files"),
        ("a.jpg", WHOLE[:500], 100, "unfinished_uploads"),
        ("a.tmp", WHOLE[:500], 100, "unfinished_uploads"),
        ("a.jpg", WHOLE, -3700, "clock_ahead"),
    ],
)
def test_a_file_that_cannot_be_the_newest_picture_says_why(box, front, name, data, age, code):
    put(front / "whole.jpg", WHOLE, age=300)
    assert problems(box) == {}
    put(front / name, data, age=age)
    assert list(problems(box)) == [code]


def test_a_disk_that_fails_is_told_and_not_trusted(box, front, monkeypatch):
    put(front / "a.jpg", WHOLE, age=5)
    assert problems(box) == {}

    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("app.diagnostics.survey.os.scandir", fail)
    seen = diagnose(row(), [], box, clock.now())
    assert [problem["code"] for problem in seen["problems"]] == ["no_picture", "broken_folders"]
    assert seen["newest"] is None


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_the_services_own_trouble_is_not_said_to_be_the_folders(box, front, monkeypatch, number):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("app.diagnostics.survey.os.scandir", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        diagnose(row(), [], box, clock.now())


def test_links_inside_are_named(box, front):
    put(front / "a.jpg", WHOLE)
    (front / "latest.jpg").symlink_to("a.jpg")
    assert list(problems(box)) == ["links_inside"]


def test_missing_rights_name_the_user_and_the_command():
    with base_of_nobody() as base:
        put(base / "front/a.jpg", WHOLE).chmod(0)
        put(base / "side/a.jpg", WHOLE)
        (base / "side").chmod(0o300)
        with as_nobody():
            box = Box(str(base), Folders(2**20), 2**20, OFFLINE_AFTER)
            user = service_user()
            front, side = problems(box), problems(box, row("side"))
            box.folders.keep(())
        (base / "side").chmod(0o700)
    assert list(front) == ["no_picture", "unreadable_files"]
    assert f"user {user} may not read: 1" in front["unreadable_files"]
    assert list(side) == ["not_readable"]
    assert f"chmod o+rx {base}/side or setfacl -m u:{user}:rx" in side["not_readable"]


def test_uploads_that_go_on_are_listed_and_no_problem(box, front):
    put(front / "old.jpg", WHOLE, age=300)
    assert problems(box) == {}
    put(front / "b.tmp", b"xyz")
    with open(front / "new.jpg", "wb") as upload:
        upload.write(WHOLE[:500])
        upload.flush()
        os.utime(front / "new.jpg", (1e9, 1e9))
        seen = diagnose(row(), [], box, clock.now())
    assert seen["problems"] == []
    assert seen["newest"]["name"] == "old.jpg"
    unfinished = [(f["name"], f["bytes"], f["because"]) for f in seen["unfinished_uploads"]]
    assert unfinished == [("new.jpg", 500, "being_written"), ("b.tmp", 3, "temporary_name")]


def test_silence_is_told_by_the_last_sign_of_the_camera(box, front):
    assert "silent" not in problems(box, row(seen=OFFLINE_AFTER - 10))
    assert "nothing for 60 minutes" in problems(box, row(seen=OFFLINE_AFTER + 10))["silent"]
    put(front / "a.jpg", WHOLE, age=3 * 86400)
    assert "nothing for 3 days" in problems(box)["silent"]
    assert "silent" not in problems(box, row(seen=60))
    assert "silent" not in problems(box._replace(offline_after=0))


def test_silence_is_told_though_the_folder_is_gone(box, front):
    front.rmdir()
    assert list(problems(box, row(seen=OFFLINE_AFTER + 10))) == ["folder_missing", "silent"]


def test_who_shares_the_folder_is_named_however_it_is_written(box, base, front):
    put(front / "a.jpg", WHOLE)
    twin = row(f"{base}//front/.", "Twin")
    stranger = row("side", "Stranger")
    child = row("front/20251223", "Child")
    seen = diagnose(row(), [row(), twin, stranger, child], box, clock.now())
    assert seen["shared_with"] == [{"id": "twin", "name": "Twin"}]
    found = problems(box, row(), twin, stranger, child)
    assert list(found) == ["shared_folder", "nested_folder"]
    assert "“Twin”" in found["shared_folder"]
    assert "“Child”" in found["nested_folder"]
    assert problems(box, stranger, row(), child).keys() == {"folder_missing"}


def test_outside_the_base_a_shared_folder_is_told_by_name_alone(box):
    seen = diagnose(row("/etc"), [row("/etc//x/..", "Twin")], box, clock.now())
    assert seen["shared_with"] == [{"id": "twin", "name": "Twin"}]
    unknown = ("exists", "readable", "newest", "pictures", "unfinished_uploads", "watching")
    assert [seen[field] for field in unknown] == [None] * 6
    assert [problem["code"] for problem in seen["problems"]] == ["outside_base", "shared_folder"]


def test_polling_says_why_and_what_to_do(base, front, monkeypatch):
    put(front / "a.jpg", WHOLE)
    off = Box(str(base), Folders(2**20, watch=False), 2**20, OFFLINE_AFTER)
    seen = diagnose(row(), [], off, clock.now())
    assert seen["watching"]["mode"] == "polling"
    assert "NVR_WATCH" in seen["watching"]["reason"]
    os.link(front / "a.jpg", front / "b.jpg")
    box = Box(str(base), Folders(2**20), 2**20, OFFLINE_AFTER)
    seen = diagnose(row(), [], box, clock.now())
    assert seen["watching"]["reason"].startswith("a picture has a second name")
    assert seen["watching"]["remedy"] == "delete one of the two names"
    assert seen["problems"][-1]["code"] == "polling"


def test_a_folder_too_large_to_be_counted_is_walked_by_nobody(box, front, monkeypatch):
    monkeypatch.setattr(camera, "BOUNDS", survey.Bounds(3, 60))
    walks = []
    monkeypatch.setattr("app.storage.folders.walk", lambda *a: walks.append(1) or walk(*a))
    for number in range(5):
        put(front / f"{number}.jpg", WHOLE, age=100 - number)
    seen = diagnose(row(seen=OFFLINE_AFTER + 9), [], box, clock.now())
    assert seen["pictures"] == {"count": 3, "complete": False}
    assert box.folders._entries == {}
    assert walks == []
    assert seen["watching"]["reason"] == "the folder has not been read yet"
    assert [problem["code"] for problem in seen["problems"]] == ["silent", "polling"]


def test_a_folder_too_large_to_be_counted_still_says_why_it_is_polled(base, front, monkeypatch):
    put(front / "a.jpg", WHOLE)
    os.link(front / "a.jpg", front / "b.jpg")
    watched, off = Folders(2**20), Folders(2**20, watch=False)
    reasons = []
    for most in (10, 0):
        monkeypatch.setattr(camera, "BOUNDS", survey.Bounds(most, 60))
        for folders in (watched, off):
            box = Box(str(base), folders, 2**20, OFFLINE_AFTER)
            reasons.append(diagnose(row(), [], box, clock.now())["watching"]["reason"])
    assert reasons[:2] == reasons[2:]
    assert "hard link" in reasons[0]
    assert "NVR_WATCH" in reasons[1]


def test_a_watched_folder_tells_the_newest_however_large_it_is(box, front, monkeypatch):
    for number in range(5):
        put(front / f"{number}.jpg", WHOLE, age=100 - number)
    assert problems(box) == {}
    monkeypatch.setattr(camera, "BOUNDS", survey.Bounds(0, 60))
    put(front / "new.jpg", WHOLE)
    seen = diagnose(row(), [], box, clock.now())
    assert (seen["newest"]["name"], seen["pictures"]["count"]) == ("new.jpg", 0)
    assert seen["watching"]["mode"] == "watching"


def test_times_and_names_that_cannot_be_written_are_made_so(box, base, front):
    name = os.fsencode(front) + b"/a\xff\n\x1b.jpg"
    with open(name, "wb") as file:
        file.write(WHOLE)
    os.utime(name, ns=(0, 2**62))
    seen = diagnose(row(), [], box, clock.now())
    assert seen["newest"]["name"] == "a\ufffd\ufffd\ufffd.jpg"
    assert [problem["code"] for problem in seen["problems"]] == ["clock_ahead"]
    seen["newest"]["name"].encode()
    assert camera.moment(2**75) == "9999-12-31T23:59:59.000000Z"
    assert camera.moment(-(2**75)) == "0001-01-01T00:00:00.000000Z"


def test_a_diagnosis_leaves_no_trace(box, base, front):
    put(front / "a.jpg", WHOLE, age=50)
    before = [(p, p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in base.rglob("*")]
    diagnose(row(), [], box, clock.now())
    assert [(p, p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in base.rglob("*")] == before
    shutil.rmtree(front)
