"""GET /api/system/storage: what each camera occupies, and for how many days there is room."""

import os
import time

import pytest

from app import clock
from app.db import database, writer
from app.models import PictureCamera
from app.pictures.usage import measure
from app.schemas.system import StorageSchema
from tests.effort import steps

DAY = 86400
URL = "/api/system/storage"


def storage(client):
    answer = client.get(URL)
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert StorageSchema().validate(body) == {}
    return body


def upload(folder, name, size, days_ago):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"\xff\xd8\xff" + b"x" * (size - 3))
    moment = time.time() - days_ago * DAY
    os.utime(path, (moment, moment))


@pytest.fixture
def disk(monkeypatch):
    """Let every file system have this many free bytes of 1 TB."""

    def set_free(free):
        fields = list(os.statvfs("/"))
        fields[0:5] = [1, 1, 10**12, free, free]
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))

    return set_free


def flush(app):
    """Let the index write what it found."""
    app.extensions["monitor"].tick()
    app.extensions["pictures"].close()
    app.extensions["monitor"].close()


@pytest.mark.parametrize("is_written", [False, True])
def test_a_camera_shows_what_its_files_occupy(client, app, base, camera, is_written):
    for day in range(10):
        upload(base / "front", f"{day}.jpg", 7000, day + 0.5)
    upload(base / "front", "a.mp4", 70_000, 1)
    if is_written:
        storage(client)
        flush(app)
    body = storage(client)
    (shown,) = body["cameras"]
    newest, oldest = shown.pop("newest"), shown.pop("oldest")
    assert shown == {
        "camera_id": camera["id"],
        "name": "Front Door",
        "pictures": 10,
        "clips": 1,
        "bytes": 140_000,
        "bytes_per_day": 17_000,
    }
    pictures = client.get(f"/api/cameras/{camera['id']}/pictures").get_json()["pictures"]
    assert (newest, oldest) == (pictures[0]["taken_at"], pictures[-1]["taken_at"])


def test_deleted_and_overwritten_files_count_no_more(client, app, base, camera):
    for day in range(3):
        upload(base / "front", f"{day}.jpg", 1000, day)
    storage(client)
    flush(app)
    (base / "front/2.jpg").unlink()
    upload(base / "front", "1.jpg", 5000, 1)
    for _ in range(2):
        (shown,) = storage(client)["cameras"]
        assert (shown["pictures"], shown["bytes"]) == (2, 6000)
        assert shown["bytes_per_day"] == pytest.approx(6000, abs=1)
        flush(app)
    rows = database.execute_sql("SELECT SUM(bytes), COUNT(*) FROM picture_hour").fetchone()
    assert rows == (6000, 2)


def test_rows_that_another_process_has_written_count(client, app, base, camera):
    for day in range(3):
        upload(base / "front", f"{day}.jpg", 1000, day)
    before = storage(client)["cameras"]
    flush(app)
    row = PictureCamera.find(camera_id=camera["id"])
    writer.run(lambda: PictureCamera.change(row["id"], {"version": row["version"] + 1}))
    shown = [usage.row() for usage in measure(app)]
    assert shown == before


def test_a_camera_without_files_has_no_times(client, camera):
    body = storage(client)
    (shown,) = body["cameras"]
    assert (shown["oldest"], shown["newest"], shown["bytes_per_day"]) == (None, None, 0)
    assert body["days_left"] is None


def test_the_rate_of_a_new_camera_is_that_since_its_first_picture(client, base, camera):
    upload(base / "front", "first.jpg", 4000, 2)
    upload(base / "front", "second.jpg", 4000, 0)
    assert storage(client)["cameras"][0]["bytes_per_day"] == pytest.approx(4000, abs=2)
    (base / "front/first.jpg").unlink()
    assert storage(client)["cameras"][0]["bytes_per_day"] == 4000


def test_days_left_are_those_until_the_disk_is_full(client, base, camera, disk):
    disk(10**9)
    upload(base / "front", "first.jpg", 1000, 7.5)
    upload(base / "front", "second.jpg", 700_000, 2)
    assert storage(client)["days_left"] == 10**4


def test_days_left_are_null_while_the_base_path_is_missing(client, app, base, camera, disk):
    upload(base / "front", "a.jpg", 7000, 0.5)
    disk(10**6)
    assert storage(client)["days_left"] is not None
    flush(app)
    base.rename(base.with_name("unmounted"))
    assert storage(client)["days_left"] is None


def test_a_file_of_several_cameras_needs_its_room_once(client, base, camera, disk):
    disk(10**9)
    upload(base / "front/sub", "old.jpg", 1000, 8)
    upload(base / "front/sub", "new.jpg", 700_000, 2)
    for folder in (f"{base}/./front", "front/sub/"):
        client.post("/api/cameras", json={"name": "again", "folder_path": folder})
    body = storage(client)
    assert [shown["bytes"] for shown in body["cameras"]] == [701_000] * 3
    assert body["days_left"] == 10**4


def test_cameras_that_share_a_folder_by_their_patterns_each_need_room(client, base, camera, disk):
    disk(14 * 10**8)
    upload(base / "front", "a1.jpg", 700_000, 6.9)
    upload(base / "front", "b1.jpg", 700_000, 6.9)
    other = client.post("/api/cameras", json={"name": "b", "folder_path": "front"}).get_json()
    for each, pattern in ((camera, "a*"), (other, "b*")):
        url = f"/api/cameras/{each['id']}/settings"
        assert client.patch(url, json={"file_pattern": pattern}).status_code == 200
    assert storage(client)["days_left"] == pytest.approx(6900, rel=0.01)


@pytest.mark.parametrize(
    ("limits", "holds"),
    [
        ({"keep_days": 30}, True),
        ({"keep_days": 11_000}, False),
        ({"keep_bytes": 5 * 10**8}, True),
        ({"keep_bytes": 5 * 10**9}, False),
        ({"keep_free_bytes": 10**8}, True),
        ({"retention_days": 5}, False),
    ],
)
def test_days_left_are_null_where_a_limit_of_the_box_holds_earlier(
    client, base, camera, disk, limits, holds
):
    disk(10**9)
    upload(base / "front", "old.jpg", 1000, 8)
    upload(base / "front", "new.jpg", 700_000, 2)
    assert client.patch("/api/settings", json=limits).status_code == 200
    assert (storage(client)["days_left"] is None) == holds


@pytest.mark.parametrize("are_older", [False, True])
def test_files_from_before_the_camera_leave_no_room_for_new_ones(client, base, disk, are_older):
    disk(10**6)

    for is_registered in (False, True):
        if is_registered:
            client.post("/api/cameras", json={"name": "Garden", "folder_path": "garden"})
        clock.wait_for_tick(clock.now())
        if is_registered != are_older:
            for day in range(8):
                upload(base / "garden", f"{day}.jpg", 200_000, day + 0.5)
            clock.wait_for_tick(clock.now())
    client.patch("/api/settings", json={"keep_days": 7})
    assert (storage(client)["days_left"] is None) == (not are_older)


def test_a_file_of_exactly_seven_days_ago_counts_no_more_in_the_rate(client, base, camera):
    for day in range(10):
        upload(base / "front", f"{day}.jpg", 7000, day)
    assert storage(client)["cameras"][0]["bytes_per_day"] == 7000


def test_no_limit_holds_while_nothing_may_be_deleted(client, app, base, camera, disk, monkeypatch):
    disk(10**9)
    upload(base / "front", "new.jpg", 700_000, 2)
    client.patch("/api/settings", json={"keep_bytes": 10**6})
    assert storage(client)["days_left"] is None
    monkeypatch.setattr(app.extensions["clock_guard"], "why_implausible", lambda: "it jumped")
    assert storage(client)["days_left"] > 0


def test_the_disk_fills_until_the_limits_of_each_camera_hold(client, base, camera, disk):
    disk(10**9)
    upload(base / "front", "new.jpg", 10**6, 2)
    url = f"/api/cameras/{camera['id']}/settings"
    client.patch(url, json={"keep_bytes": 2 * 10**6})
    assert storage(client)["days_left"] is None
    client.patch(url, json={"keep_bytes": 2 * 10**9})
    assert storage(client)["days_left"] == pytest.approx(2000, rel=0.01)


def test_more_pictures_do_not_make_the_figures_slower(client, app, base, camera):
    def cost(pictures):
        for n in range(pictures):
            upload(base / "front", f"{n}.jpg", 10, n % 7)
        storage(client)
        flush(app)
        storage(client)
        return steps(lambda: storage(client))

    few = cost(10)
    assert cost(300) < 1.5 * few
