"""GET /api/cameras/{id}/pictures: pictures and clips by time."""

import os

import pytest

from tests.problems import assert_problem

URL = "/api/cameras/{}/pictures"
# 2025-12-23, 03:12:00 UTC.
NIGHT = 1766459520


def upload(base, name, taken=NIGHT, data=b"\xff\xd8\xff picture"):
    path = base / "front" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (taken, taken))
    return path


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
def test_filters(client, night, query, expected):
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
def test_around_begins_at_the_nearest_of_two_the_older(client, night, moment, nearest, order):
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
def test_what_is_no_picture_is_not_listed(client, camera, base, name):
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
