"""GET /api/cameras/{id}/pictures: pictures and clips by time."""

import errno
import os

import pytest

from app.db import writer
from app.models import KeptPicture, Picture, PictureCamera, PictureFolder, PictureHour
from app.pictures import reading
from tests.pictures import NIGHT, upload
from tests.problems import assert_problem
from tests.watched import fail

URL = "/api/cameras/{}/pictures"


def ask(client, camera, **query):
    answer = client.get(URL.format(camera["id"]), query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def names(body):
    return [picture["name"] for picture in body["pictures"]]


@pytest.fixture
def night(base, camera):
    """A picture each minute, and a clip."""
    for minute in range(7):
        upload(base, f"20251223/{minute}.jpg", NIGHT + 60 * minute)
    upload(base, "clip.mp4", NIGHT + 150)
    return camera


def test_a_picture_is_listed_with_what_is_known_of_it(client, camera, base):
    upload(base, "20251223/031200.JPG")
    body = ask(client, camera)
    (picture,) = body["pictures"]
    assert picture | {"id": ""} == {
        "id": "",
        "camera_id": camera["id"],
        "taken_at": "2025-12-23T03:12:00.000000Z",
        "kind": "picture",
        "name": "20251223/031200.JPG",
        "size": 11,
        "content_type": "image/jpeg",
        "kept": False,
    }
    assert body | {"pictures": []} == {
        "pictures": [],
        "count": 1,
        "next_cursor": None,
        "previous_cursor": None,
    }


def test_both_orders_are_by_time(client, night):
    newest = ["20251223/6.jpg", "20251223/5.jpg", "20251223/4.jpg", "20251223/3.jpg", "clip.mp4"]
    newest += ["20251223/2.jpg", "20251223/1.jpg", "20251223/0.jpg"]
    assert names(ask(client, night)) == newest
    assert names(ask(client, night, order="oldest")) == newest[::-1]


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_cursors_lead_both_ways(client, night, order, limit):
    everything, query = names(ask(client, night, order=order)), {"order": order, "limit": limit}
    pages = [ask(client, night, **query)]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(ask(client, night, cursor=cursor, **query))
    assert [name for page in pages for name in names(page)] == everything
    assert pages[0]["previous_cursor"] is None
    back = [pages[-1]]
    while cursor := back[-1]["previous_cursor"]:
        back.append(ask(client, night, cursor=cursor, **query))
    assert [name for page in back[::-1] for name in names(page)] == everything


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"kind": "clip"}, ["clip.mp4"]),
        ({"kind": "picture", "limit": 1}, ["20251223/6.jpg"]),
        ({"start_date": "2025-12-23T04:16:00+01:00"}, [f"20251223/{n}.jpg" for n in (6, 5, 4)]),
        ({"end_date": "2025-12-23T03:13:00Z"}, ["20251223/0.jpg"]),
        ({"kept": "true"}, []),
        ({"kept": "false", "kind": "clip"}, ["clip.mp4"]),
    ],
)
def test_each_filter_lists_only_what_matches(client, night, query, expected):
    body = ask(client, night, **query)
    assert names(body) == expected
    assert body["count"] == (7 if "limit" in query else len(expected))


@pytest.mark.parametrize(
    ("moment", "nearest"),
    [
        ("03:14:10", "20251223/2.jpg"),
        ("03:14:15", "20251223/2.jpg"),
        ("03:14:16", "clip.mp4"),
        ("01:00:00", "20251223/0.jpg"),
        ("23:00:00", "20251223/6.jpg"),
    ],
)
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_around_begins_at_the_nearest_picture_and_of_two_at_the_older(
    client, night, moment, nearest, order
):
    everything = names(ask(client, night, order=order))
    query = {"order": order, "limit": 2}
    page = ask(client, night, around=f"2025-12-23T{moment}Z", **query)
    at = everything.index(nearest)
    assert names(page) == everything[at : at + 2]
    if at:
        before = ask(client, night, cursor=page["previous_cursor"], **query)
        assert names(before) == everything[max(0, at - 2) : at]
    else:
        assert page["previous_cursor"] is None


def test_around_with_a_cursor_is_refused(client, night):
    cursor = ask(client, night, limit=1)["next_cursor"]
    query = {"around": "2025-12-23T03:14:00Z", "cursor": cursor}
    answer = client.get(URL.format(night["id"]), query_string=query)
    assert_problem(
        answer,
        422,
        "validation_failed",
        errors={"query": {"around": ["Give around or cursor, not both."]}},
    )


def test_the_count_can_be_left_out(client, night):
    assert "count" not in ask(client, night, count="false")


def test_what_changes_shows_in_the_very_next_request(client, camera, base):
    path = upload(base, "a.jpg")
    (first,) = ask(client, camera)["pictures"]
    path.write_bytes(b"\xff\xd8\xff another")
    os.utime(path, (NIGHT, NIGHT))
    (second,) = ask(client, camera)["pictures"]
    assert (first["id"] != second["id"], first["taken_at"]) == (True, second["taken_at"])
    path.rename(base / "front/b.jpg")
    assert names(ask(client, camera)) == ["b.jpg"]
    (base / "front/b.jpg").rename(base / "away.jpg")
    assert ask(client, camera)["pictures"] == []
    upload(base, "night/c.jpg")
    (base / "front/night").rename(base / "front/day")
    assert names(ask(client, camera)) == ["day/c.jpg"]
    assert ask(client, camera)["count"] == 1


@pytest.mark.parametrize(
    "name",
    [".hidden.jpg", "@eaDir/a.jpg", "#recycle/a.jpg", ".tmp/a.jpg", "note.txt", "empty.jpg"],
)
def test_files_that_are_no_pictures_are_not_listed(client, camera, base, name):
    upload(base, name, data=b"" if name == "empty.jpg" else b"GIF89a")
    assert ask(client, camera)["pictures"] == []


def test_no_link_is_followed(client, camera, base):
    upload(base, "../secret/a.jpg")
    (base / "front/a.jpg").symlink_to(base / "secret/a.jpg")
    (base / "front/all").symlink_to(base / "secret")
    assert ask(client, camera)["pictures"] == []


def test_a_clip_may_be_larger_than_a_picture(client, camera, base, app):
    size = app.config["NVR_MAX_PICTURE_BYTES"] + 1
    for name in ("a.jpg", "a.mp4"):
        os.truncate(upload(base, name), size)
    assert names(ask(client, camera)) == ["a.mp4"]


def test_a_file_that_is_open_for_writing_is_not_listed(client, camera, base):
    ask(client, camera)
    with (base / "front/a.mp4").open("wb") as file:
        file.write(b"half")
        file.flush()
        assert ask(client, camera)["pictures"] == []
    assert names(ask(client, camera)) == ["a.mp4"]


@pytest.mark.parametrize(
    ("folder", "status", "code"),
    [("../away", 403, "folder_outside_base"), ("missing", 404, "folder_not_found")],
)
def test_a_folder_that_cannot_be_read_is_a_problem(client, camera, folder, status, code):
    client.patch(f"/api/cameras/{camera['id']}", json={"folder_path": folder})
    assert_problem(client.get(URL.format(camera["id"])), status, code)


def test_an_unknown_camera_is_not_found(client):
    url = URL.format("123e4567-e89b-12d3-a456-426614174000")
    assert_problem(client.get(url), 404, "camera_not_found")


def test_only_files_that_match_the_pattern_are_listed(client, camera, base):
    for name in ("a1.jpg", "b1.jpg", "A2.mp4"):
        upload(base, name)
    assert len(ask(client, camera)["pictures"]) == 3
    client.patch(f"/api/cameras/{camera['id']}/settings", json={"file_pattern": "a*"})
    assert sorted(names(ask(client, camera))) == ["A2.mp4", "a1.jpg"]


def test_another_folder_has_other_pictures(client, camera, base):
    upload(base, "a.jpg")
    upload(base, "../back/b.jpg")
    assert names(ask(client, camera)) == ["a.jpg"]
    client.patch(f"/api/cameras/{camera['id']}", json={"folder_path": "back"})
    assert names(ask(client, camera)) == ["b.jpg"]


def fetch(client, camera, name, headers=None, **query):
    found = {each["name"]: each["id"] for each in ask(client, camera)["pictures"]}
    url = f"{URL.format(camera['id'])}/{found[name]}"
    return client.get(url, query_string=query, headers=headers)


def test_a_client_may_cache_the_bytes_of_a_picture_for_ever(client, camera, base):
    upload(base, "day/a.JPG")
    answer = fetch(client, camera, "day/a.JPG")
    assert (answer.status_code, answer.data) == (200, b"\xff\xd8\xff picture")
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Last-Modified"] == "Tue, 23 Dec 2025 03:12:00 GMT"
    same = {"If-None-Match": answer.headers["ETag"]}
    assert fetch(client, camera, "day/a.JPG", headers=same).status_code == 304
    part = fetch(client, camera, "day/a.JPG", headers={"Range": "bytes=4-6"})
    assert (part.status_code, part.data) == (206, b"pic")


def test_a_clip_is_sent_in_part(client, camera, base):
    upload(base, "a.mp4", data=b"0123456789")
    answer = fetch(client, camera, "a.mp4", headers={"Range": "bytes=2-3"}, disposition="inline")
    assert (answer.status_code, answer.data) == (206, b"23")
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Disposition"].startswith("inline")
    answer.close()


@pytest.mark.parametrize(
    ("name", "zone", "saved"),
    [
        ("Front Door", "Europe/Berlin", "Front_Door_20251223T041200+0100.jpg"),
        ('a/b"..\\c-1_2', "Asia/Kolkata", "a_b____c-1_2_20251223T084200+0530.jpg"),
        ("Tür", "UTC", "Tür_20251223T031200+0000.jpg"),
    ],
)
def test_a_picture_is_saved_by_the_name_of_the_camera_and_local_time(
    client, camera, base, name, zone, saved
):
    client.patch(f"/api/cameras/{camera['id']}", json={"name": name})
    client.patch("/api/settings", json={"timezone": zone})
    upload(base, "a.JPG")
    shown = fetch(client, camera, "a.JPG").headers["Content-Disposition"]
    if saved.isascii():
        assert shown == f'attachment; filename="{saved}"'
    else:
        fallback = saved.replace("ü", "u")
        assert shown.startswith(f'attachment; filename="{fallback}"; filename*=UTF-8')


@pytest.mark.parametrize("change", ["overwrite", "touch", "delete", "rename", "link"])
def test_an_id_never_stands_for_other_bytes(client, camera, base, change):
    path = upload(base, "day/a.jpg")
    (known,) = ask(client, camera)["pictures"]
    if change == "overwrite":
        path.write_bytes(b"\xff\xd8\xff PICTURE")
        os.utime(path, (NIGHT, NIGHT))
    elif change == "touch":
        os.utime(path, (NIGHT + 1, NIGHT + 1))
    elif change == "delete":
        path.unlink()
    else:
        path.rename(base / "other.jpg")
    if change == "link":
        path.symlink_to(base / "other.jpg")
    url = f"{URL.format(camera['id'])}/{known['id']}"
    assert_problem(client.get(url), 404, "picture_not_found")
    assert known["id"] not in [each["id"] for each in ask(client, camera)["pictures"]]


@pytest.mark.parametrize("picture_id", ["x", "0" * 64, "f" * 20 + "-0", "f" * 20 + "-00"])
def test_an_unknown_id_is_not_found(client, camera, picture_id):
    url = f"{URL.format(camera['id'])}/{picture_id}"
    assert_problem(client.get(url), 404, "picture_not_found")


def test_the_id_survives_the_loss_of_the_index(client, camera, base, app):
    upload(base, "a.jpg")
    (known,) = ask(client, camera)["pictures"]
    app.extensions["pictures"].flush()
    for model in (Picture, PictureFolder, PictureCamera, PictureHour):
        model.delete().execute()
    assert ask(client, camera)["pictures"] == [known]
    url = f"{URL.format(camera['id'])}/{known['id']}"
    assert client.get(url).data == b"\xff\xd8\xff picture"


@pytest.mark.parametrize(("seconds", "found"), [(0, True), (120, True), (121, False), (-1, False)])
def test_the_thumbnail_of_a_clip_is_the_picture_nearest_before_its_end(
    client, camera, base, seconds, found
):
    """ffmpeg could not decode this clip."""
    upload(base, "a.mp4")
    upload(base, "far.jpg", NIGHT - 10_000)
    upload(base, "a.png", NIGHT - seconds, b"\x89PNG\r\n\x1a\n")
    answer = fetch(client, camera, "a.mp4", thumbnail=1)
    if found:
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"].endswith('T031200+0000.png"') or seconds
    else:
        assert_problem(answer, 404, "no_thumbnail")


def picture_url(client, camera, name="a.jpg"):
    found = {each["name"]: each["id"] for each in ask(client, camera)["pictures"]}
    return f"{URL.format(camera['id'])}/{found[name]}"


def audited(client, action):
    return client.get("/api/audit", query_string={"action": action}).get_json()["entries"]


@pytest.mark.parametrize("is_written", [False, True])
def test_a_picture_is_kept_and_released(client, camera, base, app, is_written):
    upload(base, "a.jpg")
    upload(base, "b.jpg")
    url = picture_url(client, camera)
    if is_written:
        app.extensions["pictures"].flush()
    for _ in range(2):  # the second time nothing changes
        assert client.put(f"{url}/keep").get_json()["kept"] is True
    assert names(ask(client, camera, kept="true")) == ["a.jpg"]
    assert ask(client, camera, kept="false")["count"] == 1
    app.extensions["pictures"].flush()
    assert names(ask(client, camera, kept="true")) == ["a.jpg"]
    assert_problem(client.delete(url), 409, "picture_kept")
    for _ in range(2):
        assert client.delete(f"{url}/keep").get_json()["kept"] is False
    assert ask(client, camera, kept="true")["count"] == 0
    (kept,), (released,) = (audited(client, f"picture_{w}") for w in ("kept", "released"))
    assert kept["resource_id"] == released["resource_id"] == url.rpartition("/")[2]
    assert (kept["resource_type"], kept["resource_name"]) == ("picture", "a.jpg")


def test_requests_that_keep_or_release_a_picture_at_once_change_it_once(
    client, camera, base, monkeypatch
):
    upload(base, "a.jpg")
    url = f"{picture_url(client, camera)}/keep"
    for send, action in ((client.put, "picture_kept"), (client.delete, "picture_released")):

        def find_then_change(*args, send=send):
            """Another request changes the picture after this one has found it."""
            found = reading.find(*args)
            monkeypatch.undo()
            assert send(url).status_code == 200
            return found

        monkeypatch.setattr("app.pictures.keeping.find", find_then_change)
        assert send(url).status_code == 200
        assert len(audited(client, action)) == 1
    assert KeptPicture.select().count() == 0


@pytest.mark.parametrize("kept", [True, False])
def test_a_picture_that_is_gone_is_not_found_also_where_nothing_would_change(
    client, camera, base, kept
):
    path = upload(base, "a.jpg")
    url = f"{picture_url(client, camera)}/keep"
    send = client.put if kept else client.delete
    assert send(url).get_json()["kept"] is kept
    path.unlink()
    assert_problem(send(url), 404, "picture_not_found")


def test_a_kept_picture_stays_kept_when_it_is_renamed_and_when_it_is_copied(client, camera, base):
    path = upload(base, "a.jpg")
    client.put(f"{picture_url(client, camera)}/keep")
    path.rename(base / "front/b.jpg")
    assert names(ask(client, camera, kept="true")) == ["b.jpg"]
    (base / "front/b.jpg").rename(base / "old.jpg")
    upload(base, "a.jpg")  # as on a new disk: another inode, the same path, size and time
    assert names(ask(client, camera, kept="true")) == ["a.jpg"]


@pytest.mark.parametrize("folder", ["garden", ".", "front"])
def test_a_kept_picture_stays_kept_when_its_camera_has_another_folder(
    client, camera, base, folder
):
    upload(base, "day/a.jpg")
    upload(base, "day/b.jpg", NIGHT + 1)
    client.put(f"{picture_url(client, camera, 'day/a.jpg')}/keep")
    url = f"/api/cameras/{camera['id']}"
    (base / "empty").mkdir()
    client.patch(url, json={"folder_path": "empty"})
    assert ask(client, camera)["pictures"] == []
    if folder == "garden":
        (base / "front").rename(base / "garden")
    client.patch(url, json={"folder_path": folder})
    (kept,) = names(ask(client, camera, kept="true"))
    assert kept.endswith("day/a.jpg")
    client.patch(f"{url}/settings", json={"file_pattern": "b*"})
    assert names(ask(client, camera, kept="true")) == []
    client.patch(f"{url}/settings", json={"file_pattern": None})
    assert names(ask(client, camera, kept="true")) == [kept]


def test_a_picture_is_deleted(client, camera, base):
    path = upload(base, "day/a.jpg")
    other = upload(base, "day/b.jpg")
    url = picture_url(client, camera, "day/a.jpg")
    assert client.delete(url).status_code == 204
    assert (path.exists(), other.exists(), os.listdir(path.parent)) == (False, True, ["b.jpg"])
    assert_problem(client.delete(url), 404, "picture_not_found")
    assert names(ask(client, camera)) == ["day/b.jpg"]
    (entry,) = audited(client, "picture_deleted")
    assert (entry["resource_name"], entry["details"]["camera_id"]) == ("day/a.jpg", camera["id"])


def test_a_file_that_has_replaced_another_is_not_deleted(client, camera, base):
    path = upload(base, "a.jpg")
    url = picture_url(client, camera)
    path.unlink()
    upload(base, "a.jpg", data=b"GIF89a another")
    assert_problem(client.delete(url), 404, "picture_not_found")
    assert path.exists()


def test_a_file_that_may_not_be_deleted_stays(client, camera, base, monkeypatch):
    path = upload(base, "a.jpg")
    url = picture_url(client, camera)
    monkeypatch.setattr("app.storage.removal.os.rename", fail(errno.EROFS))
    assert_problem(client.delete(url), 403, "picture_not_deletable")
    monkeypatch.undo()
    assert path.exists()
    assert audited(client, "picture_deleted") == []


def test_folders_that_a_deletion_emptied_are_deleted_except_those_of_cameras(client, camera, base):
    for name in ("2025/12/a.jpg", "side/b.jpg", "c.jpg"):
        upload(base, name)
    client.post("/api/cameras", json={"name": "Side", "folder_path": "front/side"})
    for name in ("2025/12/a.jpg", "side/b.jpg", "c.jpg"):
        assert client.delete(picture_url(client, camera, name)).status_code == 204
    assert os.listdir(base / "front") == ["side"]


def test_a_picture_that_is_kept_meanwhile_is_not_deleted(client, camera, base, app, monkeypatch):
    path = upload(base, "a.jpg")
    url = picture_url(client, camera)
    real = os.rename

    def keep_first(*paths, **folders):
        """Keep the picture first, as another process may at any moment."""
        monkeypatch.undo()
        status = path.stat()
        writer.run(lambda: KeptPicture.keep(camera["id"], "a.jpg", status, "2025-12-23T03:12:00Z"))
        real(*paths, **folders)

    monitor = app.extensions["monitor"]
    monitor.tick()
    monkeypatch.setattr("app.storage.removal.os.rename", keep_first)
    assert_problem(client.delete(url), 409, "picture_kept")
    assert os.listdir(path.parent) == ["a.jpg"]
    monitor.tick()  # a file that got its name again is no upload
    seen = client.get(f"/api/cameras/{camera['id']}").get_json()["last_seen_at"]
    assert seen == "2025-12-23T03:12:00.000000Z"
    monitor.close()


def test_a_file_that_is_kept_as_the_picture_of_another_camera_is_not_deleted(client, camera, base):
    path = upload(base, "day/a.jpg")
    other = client.post(
        "/api/cameras", json={"name": "Day", "folder_path": "front/day"}
    ).get_json()
    kept = picture_url(client, other)
    client.put(f"{kept}/keep")
    url = picture_url(client, camera, "day/a.jpg")
    assert_problem(client.delete(url), 409, "picture_kept")
    assert path.exists()
    client.delete(f"/api/cameras/{other['id']}")
    assert client.delete(url).status_code == 204


def test_a_file_that_a_crash_left_hidden_is_listed_after_the_next_start(
    client, camera, base, app, monkeypatch
):
    upload(base, "a.jpg")
    url = picture_url(client, camera)
    with monkeypatch.context() as patched:
        patched.setattr("app.storage.removal.os.unlink", fail(errno.EIO))
        client.delete(url)
    assert ask(client, camera)["pictures"] == []
    app.extensions["pictures"].flush()
    for model in (Picture, PictureFolder, PictureCamera, PictureHour):  # so that all is compared
        model.delete().execute()
    app.extensions["monitor"].tick()
    app.extensions["pictures"].tick()
    assert names(ask(client, camera)) == ["a.jpg"]
    app.extensions["monitor"].close()
