"""Which pictures are deleted, and which never?"""

import json
import os
import shutil
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from peewee import OperationalError

from app import clock, create_app, db
from app.db import writer
from app.models import (
    CameraRetention,
    Event,
    KeptPicture,
    PictureFolder,
    PruningRun,
    RetentionFact,
)
from app.models.picture_writing import put_pictures
from app.pictures import prune_record, prune_rules, prune_steps, pruning, suspension
from app.pictures.camera_index import CameraIndex
from app.pictures.files import file_facts
from app.pictures.index import PictureIndex
from app.pictures.listing import Filters, Listing
from app.services.audit import Caller
from app.services.clock_guard import ClockGuard
from app.storage import removal, safe_open
from tests.pictures import picture
from tests.posting import post_camera, post_event
from tests.problems import assert_problem
from tests.rows import entries_of
from tests.unprivileged import as_nobody, base_of_nobody

URL = "/api/system/retention"
DAY = 24 * 3600


def changed_at():
    facts = {row["name"]: row["changed_at"] for row in RetentionFact.find_all()}
    return facts.get("limits")


def test_a_new_folder_begins_now(client, camera):
    since = CameraRetention.of(camera["id"])["folder_since"]
    assert since == camera["created_at"]
    url = f"/api/cameras/{camera['id']}"
    client.patch(url, json={"name": "Other", "folder_path": camera["folder_path"]})
    assert CameraRetention.of(camera["id"])["folder_since"] == since
    client.patch(url, json={"folder_path": "elsewhere"})
    assert CameraRetention.of(camera["id"])["folder_since"] > since


def test_when_a_limit_of_the_box_was_changed_is_stored(client):
    client.patch("/api/settings", json={"keep_days": 9})
    first = changed_at()
    assert first <= clock.rfc3339(clock.now())
    client.patch("/api/settings", json={"keep_days": 9, "wall_title": "Home"})
    assert changed_at() == first
    client.patch("/api/settings", json={"keep_free_bytes": 9})
    assert changed_at() > first


@pytest.mark.parametrize("limit", [{"keep_days": 1}, {"keep_bytes": 1}, {"prune_existing": True}])
def test_when_a_limit_of_a_camera_was_changed_is_stored(client, camera, limit):
    url = f"/api/cameras/{camera['id']}/settings"
    client.patch(url, json={"group": "Yard"})
    assert CameraRetention.of(camera["id"])["limits_changed_at"] is None
    client.patch(url, json=limit)
    first = CameraRetention.of(camera["id"])["limits_changed_at"]
    assert first <= clock.rfc3339(clock.now())
    client.patch(url, json=limit)
    assert CameraRetention.of(camera["id"])["limits_changed_at"] == first


def test_nothing_is_deleted_while_the_clock_is_implausible(app, monkeypatch):
    assert suspension.reason(app) is None
    monkeypatch.setattr(ClockGuard, "why_implausible", lambda _: "it jumped by 2 hours")
    assert suspension.reason(app) == "clock"


def test_nothing_is_deleted_while_the_base_path_is_missing(app, base):
    base.rename(base.with_name("elsewhere"))
    assert suspension.reason(app) == "base_path_missing"


def upload(base, name, days=9.0, data=b"picture", folder="front"):
    """A picture or clip that was taken so many days ago."""
    path = base / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def ago(days=0.0, seconds=0.0):
    moment = datetime.now(UTC) - timedelta(days=days, seconds=seconds)
    return moment.isoformat()


def files(base, folder="front"):
    """The names of all files and folders."""
    top = base / folder
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def set_limits(client, **limits):
    assert client.patch("/api/settings", json=limits).status_code == 200


def set_camera_limits(client, camera, **limits):
    answer = client.patch(f"/api/cameras/{camera['id']}/settings", json=limits)
    assert answer.status_code == 200, answer.text


def prune(client):
    """What a run deleted, which a dry run has said before."""
    dry = client.post(f"{URL}?dry_run=true")
    real = client.post(URL)
    assert (dry.status_code, real.status_code) == (200, 200), real.text
    assert dry.get_json() == real.get_json() | {"dry_run": True}
    return real.get_json()


def before_deletion(monkeypatch, action):
    """Do something after files were chosen and before they are deleted."""
    begin = prune_record.RunRecord.begin

    def act(self, chosen):
        number = begin(self, chosen)
        action()
        return number

    monkeypatch.setattr(prune_record.RunRecord, "begin", act)


def while_hidden(monkeypatch, action):
    """Do something while the first file has its hidden name."""
    rename, done = os.rename, []

    def act(source, target, **folders):
        rename(source, target, **folders)
        if target.endswith(".deleted") and not done:
            done.append(target)
            action()

    monkeypatch.setattr(os, "rename", act)


@pytest.fixture
def week(base, camera, client):
    """A picture and a clip a day, the last ones of now; pictures are kept for three days."""
    for days in range(7):
        upload(base, f"{days}.jpg", days)
        upload(base, f"{days}.mp4", days, b"clip")
    set_limits(client, keep_days=3)
    return camera


def test_files_that_are_too_old_are_deleted_and_all_others_stay(client, week, base):
    body = prune(client)
    assert files(base) == [f"{n}.{kind}" for n in range(3) for kind in ("jpg", "mp4")]
    oldest, newest = (clock.parse(body["cameras"][0].pop(n)) for n in ("oldest", "newest"))
    assert [(clock.now() - moment).days for moment in (oldest, newest)] == [6, 3]
    camera = {"camera_id": week["id"], "name": "Front Door", "existing": 0}
    counts = {"pictures": 4, "clips": 4, "bytes": 44}
    assert body == {"dry_run": False, "suspended": None, **counts, "cameras": [camera | counts]}


def test_without_a_limit_nothing_is_deleted(client, week, base):
    set_limits(client, keep_days=0)
    before = files(base)
    assert prune(client)["pictures"] == 0
    assert files(base) == before


def test_a_body_that_asks_for_a_dry_run_is_refused_and_deletes_nothing(client, week, base):
    assert_problem(client.post(URL, json={"dry_run": True}), 422, "validation_failed")
    assert_problem(client.post(URL, data="dry_run=true"), 415, "unsupported_media_type")
    assert len(files(base)) == 14
    assert client.post(URL, json={}).get_json()["pictures"] == 4


def test_a_run_has_one_audit_entry_if_it_deleted_something(client, week):
    body = prune(client)
    (entry,) = entries_of("retention")
    assert (entry["action"], entry["resource_type"]) == ("pictures_pruned", "system")
    assert entry["actor"] == "anonymous"
    assert entry["details"] == body
    prune(client)
    assert len(entries_of("retention")) == 1


def test_folders_that_become_empty_are_deleted_except_the_cameras_own(client, camera, base):
    for name in ("2025/11/01/a.jpg", "2025/12/01/b.jpg", "other/c.jpg", "2025/12/notes.txt"):
        upload(base, name)
    (base / "front/empty").mkdir()
    other = post_camera(client, "Other", "front/other")
    set_camera_limits(client, other, file_pattern="none*")
    upload(base, "now.jpg", 0)
    set_limits(client, keep_days=1)
    prune(client)
    left = ["2025", "2025/12", "2025/12/notes.txt", "empty", "now.jpg", "other"]
    assert files(base) == left


def test_the_keep_days_of_a_camera_override_those_of_the_box(client, week, base):
    set_camera_limits(client, week, keep_days=5)
    prune(client)
    assert files(base) == [f"{n}.{kind}" for n in range(5) for kind in ("jpg", "mp4")]
    set_camera_limits(client, week, keep_days=0)
    assert prune(client)["bytes"] == 0


def test_the_oldest_files_are_deleted_until_a_camera_is_within_its_bytes(client, week, base):
    set_limits(client, keep_days=0)
    set_camera_limits(client, week, keep_bytes=37)  # of 77
    prune(client)
    stays = [f"{n}.{kind}" for n in range(3) for kind in ("jpg", "mp4")]
    assert files(base) == [*stays, "3.mp4"]


def test_the_oldest_files_of_all_cameras_are_deleted_until_the_box_is_within_its_bytes(
    client, week, base
):
    other = post_camera(client)
    for days in range(9):
        upload(base, f"{days}.jpg", days + 0.5, folder="garden")
    set_limits(client, keep_days=0, keep_bytes=77 + 63 - 3 * 7)
    body = prune(client)
    assert {row["camera_id"]: row["pictures"] for row in body["cameras"]} == {
        week["id"]: 0,
        other["id"]: 3,
    }
    set_limits(client, keep_bytes=77 + 63 - 3 * 7 - 10)
    body = prune(client)
    assert [row["bytes"] for row in body["cameras"]] == [11, 0]


def test_all_limits_hold_together(client, week, base):
    upload(base, "large.jpg", 1, b"x" * 100)
    set_limits(client, keep_days=5, keep_bytes=120)
    set_camera_limits(client, week, keep_bytes=150)
    prune(client)
    assert files(base) == ["0.jpg", "0.mp4", "1.mp4", "large.jpg"]


def test_the_newest_picture_and_the_newest_clip_of_a_camera_stay(client, camera, base):
    for days in (5, 6, 7):
        upload(base, f"{days}.jpg", days)
        upload(base, f"{days}.mp4", days)
    set_limits(client, keep_days=1)
    set_camera_limits(client, camera, keep_bytes=1)
    prune(client)
    assert files(base) == ["5.jpg", "5.mp4"]


def test_the_newest_of_each_camera_by_its_own_pattern_stay(client, camera, base):
    second = post_camera(client, "Second", "front")
    set_camera_limits(client, camera, file_pattern="a*")
    set_camera_limits(client, second, file_pattern="b*")
    for days, name in ((1, "a1"), (2, "a2"), (3, "b3"), (4, "b4")):
        upload(base, f"{name}.jpg", days)
    set_limits(client, keep_days=1)
    prune(client)
    assert files(base) == ["a1.jpg", "b3.jpg"]


def test_the_picture_that_the_snapshot_shows_stays(client, camera, base):
    upload(base, "whole.jpg", 8, picture())
    upload(base, "older.jpg", 9, picture())
    for days in range(3, 7):
        upload(base, f"{days}.jpg", days, picture()[:-30])
    shown = client.get(f"/api/cameras/{camera['id']}/snapshot")
    assert "whole.jpg" in shown.headers["Content-Disposition"]
    set_limits(client, keep_days=1)
    prune(client)
    assert files(base) == ["3.jpg", "whole.jpg"]


def test_a_picture_stays_if_the_snapshot_shows_it_just_before_its_deletion(
    client, camera, base, monkeypatch
):
    for days in range(5, 8):
        upload(base, f"{days}.jpg", days, picture())
    upload(base, "now.jpg", 0, picture()[:-30])
    before_deletion(monkeypatch, (base / "front/5.jpg").unlink)
    set_limits(client, keep_days=1)
    client.post(URL)
    assert files(base) == ["6.jpg", "now.jpg"]


@pytest.mark.parametrize("when", [before_deletion, while_hidden])
def test_the_newest_picture_stays_though_newer_ones_vanish_meanwhile(
    client, camera, base, monkeypatch, when
):
    monkeypatch.setattr(prune_steps, "STEP_SECONDS", 0)
    for days in range(6):
        upload(base, f"{days}.jpg", days)

    def vanish():
        for days in range(3):
            (base / f"front/{days}.jpg").unlink()

    when(monkeypatch, vanish)
    set_limits(client, keep_days=2)
    client.post(URL)
    assert files(base) == ["3.jpg"]


def picture_id(client, camera, name):
    listed = client.get(f"/api/cameras/{camera['id']}/pictures?limit=1000").get_json()["pictures"]
    return next(each["id"] for each in listed if each["name"] == name)


def keep_picture(client, camera, name):
    url = f"/api/cameras/{camera['id']}/pictures/{picture_id(client, camera, name)}/keep"
    assert client.put(url).status_code == 200


def test_a_kept_picture_stays(client, week, base):
    keep_picture(client, week, "5.jpg")
    keep_picture(client, week, "6.mp4")
    prune(client)
    assert {"5.jpg", "6.mp4"} <= set(files(base))
    assert not {"5.mp4", "6.jpg"} & set(files(base))


@pytest.mark.parametrize("when", [before_deletion, while_hidden])
def test_a_picture_that_is_kept_meanwhile_stays(app, week, base, monkeypatch, when):
    """The mark is set by another process, which has no lock of this one."""
    path = base / "front/6.jpg"
    status = path.stat()

    def keep_it():
        def change():
            KeptPicture.keep(week["id"], "6.jpg", status, clock.rfc3339(clock.now()))

        writer.run(change)

    when(monkeypatch, keep_it)
    app.test_client().post(URL)
    assert "6.jpg" in files(base)
    assert "6.mp4" not in files(base)


def test_pictures_of_an_unreviewed_event_stay(client, camera, base):
    moment = datetime.now(UTC) - timedelta(days=9)
    for seconds in (-32, -29, 0, 60, 89, 92, 179, 182):
        age = 9 - seconds / DAY
        upload(base, f"{seconds}.jpg", age)
        upload(base, f"{seconds}.mp4", age)
    upload(base, "now.jpg", 0)
    upload(base, "now.mp4", 0)
    end = moment + timedelta(seconds=60)
    event = post_event(client, camera, started_at=moment.isoformat(), ended_at=end.isoformat())
    set_limits(client, keep_days=1)
    prune(client)
    pictures = {f"{n}.jpg" for n in (-29, 0, 60, 89)}
    clips = {f"{n}.mp4" for n in (-29, 0, 60, 89, 92, 179)}
    assert set(files(base)) == pictures | clips | {"now.jpg", "now.mp4"}
    client.patch(f"/api/events/{event['id']}", json={"reviewed": True})
    prune(client)
    assert files(base) == ["now.jpg", "now.mp4"]


def test_an_open_event_counts_as_ended_an_hour_after_its_start(client, camera, base):
    for minutes in (0, 59, 62):
        upload(base, f"{minutes}.jpg", 9 - minutes * 60 / DAY)
    upload(base, "now.jpg", 0)
    post_event(client, camera, started_at=ago(9))
    set_limits(client, keep_days=1)
    prune(client)
    assert files(base) == ["0.jpg", "59.jpg", "now.jpg"]


def test_an_event_holds_its_pictures_for_30_days_after_it_was_entered(client, week, base):
    event = post_event(client, week, started_at=ago(6))
    entered_at = clock.rfc3339(clock.now() - timedelta(days=29, hours=23))
    writer.run(lambda: Event.change(event["id"], {"entered_at": entered_at}))
    prune(client)
    assert "6.jpg" in files(base)
    entered_at = clock.rfc3339(clock.now() - timedelta(days=30, seconds=1))
    writer.run(lambda: Event.change(event["id"], {"entered_at": entered_at}))
    prune(client)
    assert "6.jpg" not in files(base)


@pytest.mark.parametrize("when", [before_deletion, while_hidden])
def test_the_pictures_of_an_event_that_is_posted_meanwhile_stay(
    app, week, base, monkeypatch, when
):
    client = app.test_client()
    when(monkeypatch, lambda: post_event(app.test_client(), week, started_at=ago(6)))
    client.post(URL)
    assert {"6.jpg", "6.mp4"} <= set(files(base))
    assert "5.jpg" not in files(base)


def test_files_from_before_the_camera_stay(client, base):
    for n in range(3):
        upload(base, f"film{n}.mp4", 400 + n)
    camera = post_camera(client, "Front", "front")
    for n in range(3):
        upload(base, f"{n}.mp4", 300 + n)
    set_limits(client, keep_days=1, keep_bytes=1, keep_free_bytes=2**62)
    set_camera_limits(client, camera, keep_bytes=1)
    body = prune(client)
    assert files(base) == ["0.mp4", "film0.mp4", "film1.mp4", "film2.mp4"]
    assert body["cameras"][0]["existing"] == 3


def test_files_from_before_the_camera_are_deleted_with_prune_existing(client, base):
    for n in range(3):
        upload(base, f"film{n}.mp4", 400 + n)
    camera = post_camera(client, "Front", "front")
    set_camera_limits(client, camera, prune_existing=True, keep_days=1)
    body = prune(client)
    assert files(base) == ["film0.mp4"]
    assert body["cameras"][0]["existing"] == 0


def test_files_that_were_in_a_folder_before_a_camera_got_it_stay(client, camera, base):
    upload(base, "film.jpg", 99, folder="films")
    upload(base, "other.jpg", 99, folder="films")
    client.patch(f"/api/cameras/{camera['id']}", json={"folder_path": "films"})
    upload(base, "new.jpg", 2, folder="films")
    upload(base, "newer.jpg", 1, folder="films")
    set_limits(client, keep_days=1)
    prune(client)
    assert files(base, "films") == ["film.jpg", "newer.jpg", "other.jpg"]


def test_files_that_were_below_another_base_path_stay(environ, client, week, base, tmp_path):
    """The folder of the same name below it is another one."""
    client.post(URL)
    other = tmp_path / "other"
    shutil.copytree(base, other)
    upload(other, "film.jpg", 99)
    upload(other, "film.mp4", 99)
    moved = create_app(environ | {"NVR_FOSCAM_BASE_PATH": str(other)})
    db.migrate()
    before = files(other)
    body = prune(moved.test_client())
    assert files(other) == before
    assert body["cameras"][0]["existing"] == len(before)
    moved.extensions["folders"].retain(())


def test_other_files_stay(client, week, base):
    for name in ("film.avi.part", "tax.pdf", ".hidden.jpg", "notes", "#recycle/a.jpg"):
        upload(base, name, 99)
    upload(base, "empty.jpg", 99, b"")
    before = set(files(base))
    prune(client)
    gone = before - set(files(base))
    assert gone == {f"{n}.{kind}" for n in range(3, 7) for kind in ("jpg", "mp4")}


def test_files_that_do_not_match_the_pattern_stay(client, week, base):
    set_camera_limits(client, week, file_pattern="*.jpg")
    prune(client)
    assert {f"{n}.mp4" for n in range(7)} <= set(files(base))


def test_nothing_is_deleted_through_a_link(client, week, base, tmp_path):
    outside = tmp_path / "outside"
    upload(tmp_path, "film.jpg", 99, folder="outside")
    upload(tmp_path, "film.mp4", 99, folder="outside")
    os.symlink(outside, base / "front/linked")
    os.symlink(outside / "film.jpg", base / "front/link.jpg")
    prune(client)
    assert files(tmp_path, "outside") == ["film.jpg", "film.mp4"]
    assert {"linked", "link.jpg"} <= set(files(base))


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_folder_that_is_swapped_meanwhile_loses_nothing(
    client, camera, base, tmp_path, monkeypatch, is_linked
):
    for n in range(3):
        upload(base, f"day/{n}.jpg", 9 + n)
        upload(tmp_path, f"{n}.jpg", 9 + n, folder="outside")
    upload(base, "now.jpg", 0)

    def swap():
        (base / "front/day").rename(base / "aside")
        if is_linked:
            os.symlink(tmp_path / "outside", base / "front/day")
        else:
            (tmp_path / "outside").rename(base / "front/day")

    before_deletion(monkeypatch, swap)
    set_limits(client, keep_days=1)
    assert client.post(URL).get_json()["pictures"] == 0
    names = ["0.jpg", "1.jpg", "2.jpg"]
    assert files(base, "aside") == names
    assert sorted(os.listdir(base / "front/day")) == names


def test_a_camera_outside_of_the_base_loses_nothing(client, base, tmp_path):
    upload(tmp_path, "film.jpg", 99, folder="outside")
    upload(tmp_path, "new.jpg", 9, folder="outside")
    camera = post_camera(client, "Outside", str(tmp_path / "outside"))
    set_camera_limits(client, camera, prune_existing=True, keep_days=1)
    assert prune(client)["pictures"] == 0
    assert files(tmp_path, "outside") == ["film.jpg", "new.jpg"]


def test_a_file_that_was_replaced_meanwhile_stays(client, week, base, monkeypatch):
    before_deletion(monkeypatch, lambda: upload(base, "6.jpg", 6, b"another"))
    client.post(URL)
    assert (base / "front/6.jpg").read_bytes() == b"another"
    assert "5.jpg" not in files(base)


def test_a_run_deletes_nothing_while_the_clock_is_implausible(client, week, base, monkeypatch):
    monkeypatch.setattr(ClockGuard, "why_implausible", lambda _: "it jumped by 2 hours")
    before = files(base)
    body = prune(client)
    assert (body["suspended"], body["pictures"], body["bytes"]) == ("clock", 0, 0)
    assert files(base) == before


def test_a_run_ends_when_the_clock_becomes_implausible(client, week, base, monkeypatch):
    monkeypatch.setattr(prune_steps, "STEP_SECONDS", 0)
    reason = lambda _: "it jumped by 2 hours"  # noqa: E731
    before_deletion(
        monkeypatch, lambda: monkeypatch.setattr(ClockGuard, "why_implausible", reason)
    )
    body = client.post(URL).get_json()
    assert (body["suspended"], body["pictures"] + body["clips"]) == ("clock", 1)
    (entry,) = entries_of("retention")
    assert entry["details"]["bytes"] == body["bytes"]


def test_the_pictures_of_an_event_stay_though_the_clock_jumps_during_the_run(
    client, week, base, monkeypatch
):
    post_event(client, week, started_at=ago(6))
    real = clock.now
    before_deletion(
        monkeypatch,
        lambda: monkeypatch.setattr(clock, "now", lambda: real() + timedelta(days=4000)),
    )
    client.post(URL)
    assert {"6.jpg", "6.mp4"} <= set(files(base))
    assert "5.jpg" not in files(base)


def test_a_run_deletes_nothing_while_the_base_path_is_missing(client, week, base):
    aside = base.rename(base.with_name("aside"))
    body = prune(client)
    assert (body["suspended"], body["pictures"]) == ("base_path_missing", 0)
    assert len(files(aside)) == 14


def test_a_file_of_several_cameras_goes_when_each_lets_it_go(client, camera, base):
    """One camera has the folder, one a folder in it, and one the same folder with a pattern."""
    inner = post_camera(client, "Inner", "front/inner")
    some = post_camera(client, "Some", str(base / "front/"))
    set_camera_limits(client, some, file_pattern="a*")
    for name in ("a.jpg", "b.jpg", "inner/a.jpg", "inner/b.jpg"):
        upload(base, name)
    for name in ("az.jpg", "inner/az.jpg"):
        upload(base, name, 0)
    set_camera_limits(client, camera, keep_days=1)
    body = prune(client)
    assert files(base) == [
        "a.jpg",
        "az.jpg",
        "inner",
        "inner/a.jpg",
        "inner/az.jpg",
        "inner/b.jpg",
    ]
    assert (body["pictures"], [row["pictures"] for row in body["cameras"]]) == (1, [1, 0, 0])
    set_camera_limits(client, some, keep_days=2)
    assert prune(client)["pictures"] == 1
    assert files(base) == ["az.jpg", "inner", "inner/a.jpg", "inner/az.jpg", "inner/b.jpg"]
    set_camera_limits(client, inner, keep_days=3)
    body = prune(client)
    assert files(base) == ["az.jpg", "inner", "inner/az.jpg"]
    assert (body["pictures"], body["bytes"]) == (2, 14)
    assert [row["pictures"] for row in body["cameras"]] == [2, 2, 1]


def test_a_file_of_several_cameras_stays_while_one_of_them_keeps_it(client, camera, base):
    inner = post_camera(client, "Inner", "front/inner")
    upload(base, "inner/a.jpg")
    upload(base, "inner/b.jpg", 0)
    keep_picture(client, inner, "a.jpg")
    set_limits(client, keep_days=1, keep_bytes=1)
    assert prune(client)["pictures"] == 0
    assert files(base) == ["inner", "inner/a.jpg", "inner/b.jpg"]


def test_the_bytes_of_a_file_of_several_cameras_count_once(client, camera, base):
    post_camera(client, "Inner", "front/inner")
    post_camera(client, "Again", "front")
    for days in range(5):
        upload(base, f"inner/{days}.jpg", days)
    set_limits(client, keep_bytes=5 * 7)
    assert prune(client)["pictures"] == 0
    set_limits(client, keep_bytes=4 * 7)
    assert prune(client)["pictures"] == 1
    assert "inner/4.jpg" not in files(base)


@pytest.mark.parametrize("when", [before_deletion, while_hidden])
@pytest.mark.parametrize("folder", ["front", "front/inner", "."])
def test_files_in_the_folder_of_a_camera_that_is_created_meanwhile_stay(
    app, client, camera, base, monkeypatch, when, folder
):
    for days in (9, 8):
        upload(base, f"inner/{days}.jpg", days)
    upload(base, "now.jpg", 0)
    set_limits(client, keep_days=1)
    when(monkeypatch, lambda: post_camera(app.test_client(), "New", folder))
    changed_ns = (base / "front/inner/8.jpg").stat().st_ctime_ns
    assert client.post(URL).get_json()["pictures"] == 0
    # It never had another name, which would make it one from after the new camera.
    assert (base / "front/inner/8.jpg").stat().st_ctime_ns == changed_ns
    assert files(base) == ["inner", "inner/8.jpg", "inner/9.jpg", "now.jpg"]


@pytest.mark.parametrize("when", [before_deletion, while_hidden])
def test_a_camera_that_is_given_another_folder_meanwhile_loses_no_more_files(
    app, client, week, base, monkeypatch, when
):
    monkeypatch.setattr(prune_steps, "STEP_SECONDS", 0)
    upload(base, "9.jpg", folder="other")
    url = f"/api/cameras/{week['id']}"

    def change_folder():
        other = app.test_client()
        other.patch(url, json={"folder_path": "other"})
        assert other.get(f"{url}/pictures").get_json()["count"] == 1

    when(monkeypatch, change_folder)
    assert client.post(URL).status_code == 200
    assert len(files(base)) == 14
    assert files(base, "other") == ["9.jpg"]


@pytest.mark.parametrize("limits", [{"keep_days": 30}, {"keep_days": 0}])
def test_a_run_ends_when_a_limit_is_changed(client, week, base, monkeypatch, limits):
    before_deletion(monkeypatch, lambda: set_limits(client, **limits))
    assert client.post(URL).get_json()["pictures"] == 0
    assert len(files(base)) == 14


class Disk:
    """A file system whose free bytes a test decides.

    ``share``: how much of each deleted file becomes free; ``late``: how many times the free bytes
    are read after a deletion without showing it; ``block``: what the smallest file takes.
    """

    def __init__(self, monkeypatch, free, share=1.0, late=0, block=1):
        self.free, self.shown, self.reads, unlink = free, free, 0, os.unlink

        def freeing_unlink(name, *, dir_fd=None):
            size = max(os.stat(name, dir_fd=dir_fd).st_size, block)
            unlink(name, dir_fd=dir_fd)
            self.free, self.reads = self.free + int(size * share), 0

        def fstatvfs(_):
            self.reads += 1
            self.shown = self.free if self.reads > late else self.shown
            return SimpleNamespace(f_bavail=self.shown / block, f_frsize=block)

        monkeypatch.setattr(removal.os, "unlink", freeing_unlink)
        monkeypatch.setattr(prune_rules.os, "fstatvfs", fstatvfs)


@pytest.mark.parametrize(("block", "gone"), [(1, (2, 2, 122)), (10, (1, 1, 120))])
def test_the_oldest_files_are_deleted_until_enough_bytes_are_free(
    client, week, base, monkeypatch, block, gone
):
    upload(base, "young.jpg", 0.9)
    disk = Disk(monkeypatch, free=100, block=block)
    set_limits(client, keep_days=0, keep_free_bytes=120)
    body = prune(client)
    assert (body["pictures"], body["clips"], disk.free) == gone
    set_limits(client, keep_free_bytes=2**40)
    prune(client)
    assert files(base) == ["0.jpg", "0.mp4", "young.jpg"]


def test_files_deleted_by_another_limit_count_for_the_free_space(client, week, base, monkeypatch):
    Disk(monkeypatch, free=100)
    set_limits(client, keep_days=5, keep_free_bytes=125)  # two days make 22 bytes
    body = prune(client)
    assert (body["pictures"], body["clips"]) == (3, 2)


@pytest.mark.parametrize(
    ("share", "late", "gone"),
    [
        pytest.param(0.4, 0, 4, id="another-program-fills-it"),
        pytest.param(0.6, 0, 8, id="it-grows-by-more-than-half"),
        pytest.param(0.6, 1, 8, id="it-shows-its-free-space-later"),
    ],
)
def test_a_run_stops_for_a_disk_that_another_program_fills(
    app, client, camera, base, monkeypatch, share, late, gone
):
    monkeypatch.setattr(prune_steps, "MOST_FILES", 4)
    monkeypatch.setattr(prune_steps, "SPACE_SECONDS", 0)
    for days in range(9):
        upload(base, f"{days}.jpg", days + 2)
    Disk(monkeypatch, free=0, share=share, late=late)
    set_limits(client, keep_free_bytes=2**40)
    assert client.post(URL).get_json()["pictures"] == gone
    assert len(files(base)) == 9 - gone
    check = client.get("/api/system/health").get_json()["checks"]["retention"]
    assert (check["status"] == "degraded") == (gone == 4)
    assert ("did not free the space" in check["message"]) == (gone == 4)
    said = app.test_cli_runner().invoke(args=["prune"]).stderr
    assert ("did not free the space" in said) == (gone == 4)


def test_files_that_may_not_be_deleted_are_counted(monkeypatch, tmp_path):
    with base_of_nobody() as folder:
        for name in ("base/front", "base/other", "data"):
            (folder / name).mkdir(parents=True, mode=0o777)
            os.chmod(folder / name, 0o777)
        os.chmod(folder / "base/front", 0o755)
        with as_nobody():
            app = create_app(
                {
                    "NVR_DATABASE_URL": f"sqlite:///{folder}/data/nvr.db",
                    "NVR_FOSCAM_BASE_PATH": str(folder / "base"),
                }
            )
            db.migrate()
            client = app.test_client()
            for name in ("front", "other"):
                post_camera(client, name, name)
        for name in ("front", "other"):
            for days in range(3):
                upload(folder / "base", f"{days}.jpg", days, folder=name)
                os.chmod(folder / "base" / name / f"{days}.jpg", 0o666)
        with as_nobody():
            set_limits(client, keep_days=1)
            body = prune(client)
            assert [row["pictures"] for row in body["cameras"]] == [0, 2]
            assert len(os.listdir(folder / "base/front")) == 3
            check = client.get("/api/system/health").get_json()["checks"]["retention"]
            assert check["status"] == "degraded"
            assert "2 files that exceed the limits stayed" in check["message"]
            shown = app.test_cli_runner().invoke(args=["prune", "--dry-run"])
            assert shown.stderr.startswith("2 files exceed the limits")
            shown = app.test_cli_runner().invoke(args=["prune", "--dry-run", "--json"])
            assert json.loads(shown.stdout)["not_deletable"] == 2
            app.extensions["folders"].retain(())
            db.close_all()


def test_only_one_run_deletes_at_a_time(app, client, week, monkeypatch):
    answers = []

    def ask():
        for query in ("", "?dry_run=true"):
            answers.append(app.test_client().post(f"{URL}{query}"))

    before_deletion(monkeypatch, ask)
    assert client.post(URL).status_code == 200
    for answer in answers:
        assert_problem(answer, 409, "retention_running")
    assert len(answers) == 2
    assert client.post(URL).status_code == 200


def test_a_run_that_was_cut_off_has_its_audit_entry(app, client, week, base, monkeypatch):
    """The process ends while a file has its hidden name."""
    monkeypatch.setattr(pruning, "FILES_AT_ONCE", 3)
    unlink, gone = os.unlink, []

    def die(*_, **__):
        if len(gone) == 4:
            raise KeyboardInterrupt
        gone.append(unlink(*_, **__))

    with monkeypatch.context() as patch:
        patch.setattr(removal.os, "unlink", die)
        patch.setattr(prune_record.RunRecord, "end", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            app.extensions["pruner"].run(Caller("monitor"))
    assert entries_of("retention") == []
    set_limits(client, keep_days=30)
    client.post(URL)
    (entry,) = entries_of("retention")
    assert (entry["action"], entry["actor"]) == ("pictures_pruned", "monitor")
    details = entry["details"]
    assert details["pictures"] + details["clips"] == 4 == 14 - len(files(base))
    assert PruningRun.row_count() == 0


@pytest.mark.parametrize(
    "limits", [{"keep_days": 3}, {"keep_bytes": 30}, {"keep_free_bytes": 2**62}]
)
def test_a_changed_limit_of_the_box_does_not_count_for_ten_minutes(
    app, client, week, base, limits
):
    set_limits(client, keep_days=0)
    set_limits(client, **limits)
    assert_counts_later(app, base)


def test_a_limit_that_the_environment_sets_does_not_count_for_ten_minutes(
    environ, client, week, base, monkeypatch
):
    set_limits(client, keep_days=0)
    fixed, real = create_app(environ | {"NVR_KEEP_DAYS": "3"}), clock.now
    for minutes, deleted in ((0, 0), (9, 0), (11, 4)):
        monkeypatch.setattr(
            clock, "now", lambda passed=minutes: real() + timedelta(minutes=passed)
        )
        changed_before = clock.rfc3339(clock.now() - timedelta(minutes=10))
        body, _ = fixed.extensions["pruner"].run(Caller("monitor"), changed_before)
        assert body["pictures"] == deleted
    fixed.extensions["folders"].retain(())


@pytest.mark.parametrize("limits", [{"keep_days": 3}, {"keep_bytes": 30}])
def test_a_changed_limit_of_a_camera_does_not_count_for_ten_minutes(
    app, client, week, base, limits
):
    set_limits(client, keep_days=0)
    set_camera_limits(client, week, **limits)
    assert_counts_later(app, base)


def test_prune_existing_has_an_effect_only_after_ten_minutes(app, client, base):
    for n in range(3):
        upload(base, f"film{n}.mp4", 400 + n)
    camera = post_camera(client, "Front", "front")
    set_limits(client, keep_bytes=1)
    limit = RetentionFact.find(name="limits")
    long_ago = clock.rfc3339(clock.now() - timedelta(hours=1))
    writer.run(lambda: RetentionFact.change(limit["name"], {"changed_at": long_ago}))
    set_camera_limits(client, camera, prune_existing=True)
    assert_counts_later(app, base)


def assert_counts_later(app, base):
    pruner, before = app.extensions["pruner"], files(base)
    pruner.run(Caller("monitor"), clock.rfc3339(clock.now() - timedelta(seconds=600)))
    assert files(base) == before
    pruner.run(Caller("monitor"), clock.rfc3339(clock.now() + timedelta(seconds=1)))
    assert len(files(base)) < len(before)


def test_the_leader_deletes_once_an_hour(app, client, week, base, monkeypatch):
    monkeypatch.setattr(pruning, "CHANGED_SECONDS", -1)
    pruner, monitor, now = app.extensions["pruner"], app.extensions["monitor"], [0.0]
    monkeypatch.setattr(pruning.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pruner, "run", lambda *_: runs.append(now[0]))
    runs, begin = [], int(time.perf_counter()) + 3600
    for is_leader in (False, True):
        monkeypatch.setattr(type(monitor), "leads", is_leader)
        for seconds in range(0, 10_000, 100):
            now[0] = begin + seconds
            pruner.run_if_due()
        assert [run - begin for run in runs] == ([0, 3600, 7200] if is_leader else [])


def test_the_newest_picture_stays_though_a_newer_one_becomes_the_oldest_meanwhile(
    client, camera, base, monkeypatch
):
    monkeypatch.setattr(prune_steps, "STEP_SECONDS", 0)
    for days in (3, 4, 5, 6):
        upload(base, f"{days}.jpg", days)
    while_hidden(monkeypatch, lambda: os.utime(base / "front/3.jpg", (0, 0)))
    set_limits(client, keep_days=2)
    client.post(URL)
    assert "4.jpg" in files(base)


def test_a_file_that_another_camera_does_not_know_yet_stays(client, camera, base, monkeypatch):
    inner = post_camera(client, "Inner", "front/inner")
    upload(base, "inner/a.jpg")
    upload(base, "inner/now.jpg", 0)
    follow = PictureIndex.follow
    monkeypatch.setattr(
        PictureIndex,
        "follow",
        lambda index, each: each["id"] == inner["id"] or follow(index, each),
    )
    set_limits(client, keep_days=1)
    client.post(URL)
    assert files(base) == ["inner", "inner/a.jpg", "inner/now.jpg"]
    monkeypatch.undo()
    client.post(URL)
    assert files(base) == ["inner", "inner/now.jpg"]


def test_a_file_that_only_the_index_calls_a_picture_stays(app, client, week, base):
    """A row of the index that no scan has written."""
    client.get(f"/api/cameras/{week['id']}/pictures")
    app.extensions["pictures"].flush()
    path = upload(base, "tax.pdf", 9)
    facts = file_facts(week["id"], "tax.pdf", path.stat(), has_stable_inodes=True)
    index = app.extensions["pictures"].of(week)
    row = Listing(index).first(Filters(), 1)[0]
    row = row._replace(name="tax.pdf", tag=facts.tag, taken_us=facts.own_us, own_us=None)
    number = index.row()["id"]
    folder = PictureFolder.at(number, "")["id"]
    writer.run(lambda: put_pictures(number, folder, [row]))
    client.post(URL)
    assert path.exists()


def test_storage_that_does_not_answer_does_not_stop_the_run_for_other_cameras(
    client, week, base, monkeypatch
):
    post_camera(client)
    for days in range(4):
        upload(base, f"{days}.jpg", days + 2, folder="garden")
    ask = CameraIndex.ask_in_background

    def hang(self, function):
        if self.found_by[0] == "garden" and "_step" in repr(function):
            raise safe_open.StorageNotAnswering
        return ask(self, function)

    monkeypatch.setattr(CameraIndex, "ask_in_background", hang)
    body = client.post(URL).get_json()
    assert [row["pictures"] for row in body["cameras"]] == [4, 0]
    assert len(files(base, "garden")) == 4


@pytest.mark.slow
def test_folders_that_are_swapped_for_links_all_the_time_lose_nothing(
    client, camera, base, tmp_path
):
    """The same names lie behind the link; only what lies in the camera's own folder may go."""
    day, aside, outside = base / "front/day", base / "aside", tmp_path / "outside"
    for n in range(30):
        upload(tmp_path, f"{n}.jpg", 9 + n, folder="outside")
        upload(base, f"day/{n}.jpg", 9 + n)
    for name in ("now.jpg", "day/stays.txt"):
        upload(base, name, 0)
    set_limits(client, keep_days=1)
    is_over, swaps, gone = threading.Event(), [], 0

    def swap():
        while not is_over.is_set():
            day.rename(aside)
            os.symlink(outside, day)
            time.sleep(0.001)
            day.unlink()
            aside.rename(day)
            swaps.append(time.sleep(0.001))

    thread, own = threading.Thread(target=swap), os.open(day, os.O_RDONLY)
    thread.start()
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and (not gone or len(swaps) < 100):
            gone += client.post(URL).get_json()["pictures"]
            for n in range(30):
                os.close(os.open(f"{n}.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=own))
                os.truncate(f"/proc/self/fd/{own}/{n}.jpg", 7)
                os.utime(f"{n}.jpg", (1e9 + n, 1e9 + n), dir_fd=own)
    finally:
        is_over.set()
        thread.join()
        os.close(own)
    assert swaps
    assert gone
    assert len(os.listdir(outside)) == 30


def write_to_full_disk(*_, **__):
    """Stands for a change of the database on a full disk."""
    cause = sqlite3.OperationalError("database or disk is full")
    cause.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise OperationalError from cause


def test_a_disk_that_stays_full_loses_few_files_and_their_audit_entry_follows(
    client, camera, base, monkeypatch
):
    monkeypatch.setattr(prune_record, "FEW_FILES", 2)
    monkeypatch.setattr(prune_record, "MOST_UNRECORDED", 4)
    for number in range(9):
        upload(base, f"{number}.jpg", days=20 - number)
    set_limits(client, keep_days=5)
    client.get(f"/api/cameras/{camera['id']}/pictures")
    with monkeypatch.context() as patch:
        patch.setattr(writer, "run", write_to_full_disk)
        assert_problem(client.post(URL), 507, "storage_full")
    assert files(base) == [f"{number}.jpg" for number in range(4, 9)]
    assert entries_of("retention") == []
    assert client.post(URL).get_json()["pictures"] == 4
    assert [entry["details"]["pictures"] for entry in entries_of("retention")] == [4, 4]
