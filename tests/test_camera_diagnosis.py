"""Does the diagnosis of a camera find each problem, and no problem that is not there?"""

import errno
import os
import shutil
import time
from datetime import timedelta

import pytest

from app import clock
from app.diagnostics import camera, survey
from app.diagnostics.camera import DiagnosticsContext, diagnose
from app.diagnostics.folder_access import service_user
from app.services.settings import EffectiveSettings
from app.storage.folders import Folders
from app.storage.scan import walk
from tests.pictures import picture, put
from tests.unprivileged import as_nobody, base_of_nobody

OFFLINE_AFTER = 3600
WHOLE = picture()


class Settings:
    """The settings in effect for cameras: ``patterns`` by the camera's id."""

    def __init__(self, offline_after=OFFLINE_AFTER, **patterns):
        self.offline_after, self.patterns = offline_after, patterns

    def __call__(self, camera_ids):
        after = self.offline_after
        return {
            each: EffectiveSettings(self.patterns.get(each), after, 0, 0, 60)
            for each in camera_ids
        }


@pytest.fixture
def context(base):
    """The settings and the index of folders of a service on ``base``."""
    folders = Folders(len(WHOLE) * 2)
    yield DiagnosticsContext(str(base), folders, len(WHOLE) * 2, Settings())
    folders.retain(())


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


def problems(context, camera=None, *others):
    """The messages by code, of the camera in ``front`` if no other is given."""
    camera = camera or row()
    found = diagnose(camera, [camera, *others], context, clock.now())["problems"]
    return {problem["code"]: problem["message"] for problem in found}


def test_a_camera_that_uploads_has_no_problem(context, front):
    put(front / "old.jpg", WHOLE, age=500)
    put(front / "20251223/new.jpg", WHOLE, age=70)
    seen = diagnose(row(seen=70), [row()], context, clock.now())
    assert seen["problems"] == []
    assert seen["newest"]["name"] == "20251223/new.jpg"
    assert (seen["newest"]["bytes"], seen["newest"]["age_seconds"]) == (len(WHOLE), 70)
    assert seen["pictures"] == {"count": 2, "complete": True}
    assert seen["unfinished_uploads"] == []
    assert seen["watching"] == {"mode": "watching", "reason": None, "remedy": None}


def test_an_empty_folder_says_what_to_check_in_the_camera(context, front):
    assert list(problems(context)) == ["no_picture"]
    assert "FTP upload is switched on" in problems(context)["no_picture"]


def test_an_upload_that_has_just_begun_is_no_problem(context, front):
    put(front / "a.jpg", b"")
    assert list(problems(context)) == ["no_picture"]
    assert "other problems" not in problems(context)["no_picture"]


def test_a_folder_without_pictures_lists_the_suffixes_of_its_files(context, front):
    for name in ("a.bmp", "b.bmp", "c.heic", "d"):
        put(front / name, b"x")
    message = problems(context)["no_picture"]
    assert "2 .bmp, 1 .heic, 1 without suffix" in message
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
        ("a.jpg", WHOLE, 700, "clock_behind"),
    ],
)
def test_a_file_that_cannot_be_shown_is_a_problem_with_its_own_code(
    context, front, name, data, age, code
):
    put(front / "whole.jpg", WHOLE, age=300)
    assert problems(context) == {}
    put(front / name, data, age=age)
    assert list(problems(context)) == [code]


def test_a_disk_that_fails_is_a_problem_and_leaves_the_newest_picture_unknown(
    context, front, monkeypatch
):
    put(front / "a.jpg", WHOLE, age=5)
    assert problems(context) == {}

    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("app.diagnostics.survey.os.scandir", fail)
    seen = diagnose(row(), [], context, clock.now())
    assert [problem["code"] for problem in seen["problems"]] == ["storage_not_answering"]
    assert seen["newest"] is None


def test_a_picture_that_the_disk_cannot_read_is_a_problem(context, front, monkeypatch):
    put(front / "a.jpg", WHOLE, age=60)

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("app.storage.checks.read_up_to", fail)
    assert problems(context)["broken_files"].startswith("Pictures that cannot be read")
    assert problems(context)["broken_files"].count(": 1 of the newest") == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_lack_of_descriptors_or_memory_is_not_reported_as_a_problem_of_the_folder(
    context, front, monkeypatch, number
):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("app.diagnostics.survey.os.scandir", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        diagnose(row(), [], context, clock.now())


def test_links_inside_the_folder_are_a_problem_but_for_those_to_its_pictures(context, front):
    put(front / "a.jpg", WHOLE)
    (front / "lastsnap.jpg").symlink_to("a.jpg")
    (front / "day").mkdir()
    (front / "day" / "latest.jpg").symlink_to("../a.jpg")
    assert not problems(context)
    (front / "other").symlink_to("day")
    assert list(problems(context)) == ["links_inside"]


def test_missing_rights_are_reported_with_the_user_and_the_command():
    with base_of_nobody() as base:
        put(base / "front/a.jpg", WHOLE).chmod(0)
        put(base / "side/a.jpg", WHOLE)
        (base / "side").chmod(0o300)
        with as_nobody():
            context = DiagnosticsContext(str(base), Folders(2**20), 2**20, Settings())
            user = service_user()
            front, side = problems(context), problems(context, row("side"))
            context.folders.retain(())
        (base / "side").chmod(0o700)
    assert list(front) == ["no_picture", "unreadable_files"]
    assert f"user {user} may not read: 1" in front["unreadable_files"]
    assert list(side) == ["not_readable"]
    assert f"chmod o+rx {base}/side or setfacl -m u:{user}:rx" in side["not_readable"]


def test_uploads_in_progress_are_listed_but_are_no_problem(context, front):
    put(front / "old.jpg", WHOLE, age=300)
    assert problems(context) == {}
    put(front / "b.tmp", b"xyz")
    with open(front / "new.jpg", "wb") as upload:
        upload.write(WHOLE[:500])
        upload.flush()
        os.utime(front / "new.jpg", (1e9, 1e9))
        seen = diagnose(row(), [], context, clock.now())
    assert seen["problems"] == []
    assert seen["newest"]["name"] == "old.jpg"
    unfinished = [(f["name"], f["bytes"], f["because"]) for f in seen["unfinished_uploads"]]
    assert unfinished == [("new.jpg", 500, "being_written"), ("b.tmp", 3, "temporary_name")]


def test_silence_is_counted_from_the_last_upload(context, front):
    assert "silent" not in problems(context, row(seen=OFFLINE_AFTER - 10))
    assert "nothing for 60 minutes" in problems(context, row(seen=OFFLINE_AFTER + 10))["silent"]
    put(front / "a.jpg", WHOLE, age=3 * 86400)
    assert "nothing for 3 days" in problems(context)["silent"]
    assert "silent" not in problems(context, row(seen=60))
    assert "silent" not in problems(context._replace(settings_of=Settings(0)))


def test_silence_is_reported_even_when_the_folder_is_missing(context, front):
    front.rmdir()
    assert list(problems(context, row(seen=OFFLINE_AFTER + 10))) == ["folder_missing", "silent"]


def test_only_files_that_match_the_pattern_are_counted(context, front):
    put(front / "CH01_a.jpg", WHOLE, age=60)
    put(front / "day/ch01_b.JPG", WHOLE, age=50)
    put(front / "CH02_c.jpg", WHOLE, age=10)
    put(front / "CH02_d.mp4", b"x")
    put(front / "CH02_e.jpg.part", b"x", age=500)
    put(front / "CH01_f.jpg.part", b"x", age=500)
    mine = context._replace(settings_of=Settings(front="CH01_*"))
    seen = diagnose(row(seen=50), [row()], mine, clock.now())
    assert seen["newest"]["name"] == "day/ch01_b.JPG"
    assert seen["pictures"] == {"count": 2, "complete": True}
    assert [upload["name"] for upload in seen["unfinished_uploads"]] == ["CH01_f.jpg.part"]


def test_a_pattern_that_no_file_matches_is_named(context, front):
    put(front / "CH02_c.jpg", WHOLE)
    mine = context._replace(settings_of=Settings(front="CH1_*"))
    assert "file_pattern CH1_*." in problems(mine)["no_picture"]


def test_cameras_of_one_folder_with_a_pattern_each_do_not_share_it(context, front):
    put(front / "CH01_a.jpg", WHOLE)
    other, whole = row(name="Other"), row(name="Whole")
    both = context._replace(settings_of=Settings(front="CH01_*", other="CH02_*"))
    assert "shared_folder" not in problems(both, row(), other)
    seen = diagnose(row(), [row(), other, whole], both, clock.now())
    assert seen["shared_with"] == [{"id": "whole", "name": "Whole"}]
    seen = diagnose(whole, [row(), other, whole], both, clock.now())
    assert [camera["id"] for camera in seen["shared_with"]] == ["front", "other"]


def test_cameras_of_the_same_folder_are_listed_however_its_path_is_written(context, base, front):
    put(front / "a.jpg", WHOLE)
    twin = row(f"{base}//front/.", "Twin")
    stranger = row("side", "Stranger")
    child = row("front/20251223", "Child")
    seen = diagnose(row(), [row(), twin, stranger, child], context, clock.now())
    assert seen["shared_with"] == [{"id": "twin", "name": "Twin"}]
    found = problems(context, row(), twin, stranger, child)
    assert list(found) == ["shared_folder", "nested_folder"]
    assert "“Twin”" in found["shared_folder"]
    assert "“Child”" in found["nested_folder"]
    assert problems(context, stranger, row(), child).keys() == {"folder_missing"}


def test_outside_the_base_a_shared_folder_is_recognised_by_its_path_alone(context):
    seen = diagnose(row("/etc"), [row("/etc//x/..", "Twin")], context, clock.now())
    assert seen["shared_with"] == [{"id": "twin", "name": "Twin"}]
    unknown = ("exists", "readable", "newest", "pictures", "unfinished_uploads", "watching")
    assert [seen[field] for field in unknown] == [None] * 6
    assert [problem["code"] for problem in seen["problems"]] == ["outside_base", "shared_folder"]


def test_polling_is_reported_with_its_reason_and_its_remedy(base, front, monkeypatch):
    put(front / "a.jpg", WHOLE)
    off = DiagnosticsContext(str(base), Folders(2**20, watch=False), 2**20, Settings())
    seen = diagnose(row(), [], off, clock.now())
    assert seen["watching"]["mode"] == "polling"
    assert "NVR_WATCH" in seen["watching"]["reason"]
    os.link(front / "a.jpg", front / "b.jpg")
    context = DiagnosticsContext(str(base), Folders(2**20), 2**20, Settings())
    seen = diagnose(row(), [], context, clock.now())
    assert seen["watching"]["reason"].startswith("a file has a second name")
    assert seen["watching"]["remedy"] == "delete one of the two names"
    assert seen["problems"][-1]["code"] == "polling"


def test_a_folder_that_is_too_large_to_count_is_not_walked(context, front, monkeypatch):
    monkeypatch.setattr(camera, "BOUNDS", survey.Bounds(3, 60))
    walks = []
    monkeypatch.setattr("app.storage.folders.walk", lambda *a: walks.append(1) or walk(*a))
    for number in range(5):
        put(front / f"{number}.jpg", WHOLE, age=100 - number)
    seen = diagnose(row(seen=OFFLINE_AFTER + 9), [], context, clock.now())
    assert seen["pictures"] == {"count": 3, "complete": False}
    assert walks == []
    assert seen["watching"]["reason"] == "the folder has not been read yet"
    assert [problem["code"] for problem in seen["problems"]] == ["silent", "polling"]


def test_a_wrong_clock_is_reported_though_a_polled_folder_is_too_large_to_count(
    base, front, monkeypatch
):
    context = DiagnosticsContext(str(base), Folders(2**20, watch=False), 2**20, Settings())
    put(front / "a.jpg", WHOLE)
    assert list(problems(context)) == ["polling"]
    time.sleep(0.1)  # a change within one tick of the file system's clock goes unnoticed
    put(front / "b.jpg", WHOLE, age=3700)
    assert list(problems(context)) == ["clock_behind", "polling"]
    monkeypatch.setattr(camera, "BOUNDS", survey.Bounds(1, 60))
    assert list(problems(context)) == ["clock_behind", "polling"]


def test_the_reason_for_polling_does_not_depend_on_whether_counting_finished(
    base, front, monkeypatch
):
    put(front / "a.jpg", WHOLE)
    os.link(front / "a.jpg", front / "b.jpg")
    watched, off = Folders(2**20), Folders(2**20, watch=False)
    reasons = []
    for most in (10, 0):
        monkeypatch.setattr(camera, "BOUNDS", survey.Bounds(most, 60))
        for folders in (watched, off):
            context = DiagnosticsContext(str(base), folders, 2**20, Settings())
            reasons.append(diagnose(row(), [], context, clock.now())["watching"]["reason"])
    assert reasons[:2] == reasons[2:]
    assert "hard link" in reasons[0]
    assert "NVR_WATCH" in reasons[1]


def test_a_watched_folder_knows_its_newest_picture_however_large_it_is(
    context, front, monkeypatch
):
    for number in range(5):
        put(front / f"{number}.jpg", WHOLE, age=100 - number)
    assert problems(context) == {}
    monkeypatch.setattr(camera, "BOUNDS", survey.Bounds(0, 60))
    put(front / "new.jpg", WHOLE)
    seen = diagnose(row(), [], context, clock.now())
    assert (seen["newest"]["name"], seen["pictures"]["count"]) == ("new.jpg", 0)
    assert seen["watching"]["mode"] == "watching"


def test_names_and_times_that_json_cannot_hold_are_replaced(context, base, front):
    name = os.fsencode(front) + b"/a\xff\n\x1b.jpg"
    with open(name, "wb") as file:
        file.write(WHOLE)
    os.utime(name, ns=(0, 2**62))
    seen = diagnose(row(), [], context, clock.now())
    assert seen["newest"]["name"] == "aÿ\ufffd\ufffd.jpg"
    assert seen["problems"] == []
    seen["newest"]["name"].encode()


def test_a_diagnosis_changes_no_file(context, base, front):
    put(front / "a.jpg", WHOLE, age=50)
    before = [(p, p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in base.rglob("*")]
    diagnose(row(), [], context, clock.now())
    assert [(p, p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in base.rglob("*")] == before
    shutil.rmtree(front)
