"""Moments, timelines and the pictures of an event."""

import pytest

from app.pictures import moment_pages
from tests.pictures import NIGHT, upload
from tests.problems import assert_problem


def iso(taken):
    return f"2025-12-23T{taken // 3600 % 24:02}:{taken // 60 % 60:02}:{taken % 60:02}.000000Z"


def ask(client, url, **query):
    answer = client.get(url, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


@pytest.fixture
def make_camera(client):
    def make(folder_path):
        answer = client.post("/api/cameras", json={"name": "Other", "folder_path": folder_path})
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    return make


@pytest.fixture
def of_camera(camera):
    return f"/api/cameras/{camera['id']}"


@pytest.fixture
def names(client, camera):
    """The name of each picture by its id."""
    return lambda: {
        picture["id"]: picture["name"]
        for picture in ask(client, f"/api/cameras/{camera['id']}/pictures")["pictures"]
    }


def test_uploads_of_a_minute_are_a_moment_with_what_was_seen_in_it(
    client, camera, base, of_camera, names
):
    for second in (0, 30, 60, 300):
        upload(base, f"{second}.jpg", NIGHT + second)
    upload(base, "late.mp4", NIGHT + 75)
    detections = [("person", 0.5, NIGHT + 31, None), ("cat", 0.9, NIGHT - 50, "30.jpg")]
    for kind, confidence, at, path in detections:
        body = {"camera_id": camera["id"], "detected_at": iso(at), "object_type": kind}
        body |= {"confidence": confidence, "file_path": path}
        assert client.post("/api/detections", json=body).status_code == 201
    body = {"camera_id": camera["id"], "started_at": iso(NIGHT + 10)}
    event = client.post("/api/events", json=body).get_json()
    late, early = ask(client, f"{of_camera}/moments")["moments"]
    assert names()[early.pop("cover")] == "30.jpg"
    assert early == {
        "camera_id": camera["id"],
        "start": iso(NIGHT),
        "end": iso(NIGHT + 75),
        "pictures": 3,
        "clips": 1,
        "object_types": ["cat", "person"],
        "event_ids": [event["id"]],
        "continuous": False,
    }
    assert (late["start"], late["pictures"], late["object_types"]) == (iso(NIGHT + 300), 1, [])
    assert ask(client, "/api/moments", camera_id=camera["id"])["moments"][0] == late


def test_a_detection_between_two_moments_belongs_to_the_nearest(client, camera, base, of_camera):
    upload(base, "a.jpg", NIGHT)
    upload(base, "b.jpg", NIGHT + 100)
    for at in (NIGHT + 49, NIGHT + 50, NIGHT + 51):
        body = {"camera_id": camera["id"], "detected_at": iso(at), "confidence": 1}
        body["object_type"] = str(at - NIGHT)
        assert client.post("/api/detections", json=body).status_code == 201
    late, early = ask(client, f"{of_camera}/moments")["moments"]
    assert (early["object_types"], late["object_types"]) == (["49", "50"], ["51"])


def test_many_detections_between_moments_belong_to_none(
    client, camera, base, of_camera, monkeypatch
):
    monkeypatch.setattr(moment_pages, "MOST_TOGETHER", 3)
    kinds = ["person", "cat", "car"]
    for number, kind in enumerate(kinds):
        upload(base, f"{number}.jpg", NIGHT + 600 * number)
        for second in (600 * number, 600 * number + 200, 600 * number + 250):
            body = {"camera_id": camera["id"], "detected_at": iso(NIGHT + second)}
            body |= {"object_type": f"{kind} {second}", "confidence": 1, "file_path": "1.jpg"}
            assert client.post("/api/detections", json=body).status_code == 201
    shown = ask(client, f"{of_camera}/moments")["moments"]
    assert [each["object_types"] for each in shown] == [["car 1200"], ["cat 600"], ["person 0"]]


def test_moments_come_page_by_page_from_all_cameras(client, camera, base, make_camera):
    (base / "back").mkdir()
    back = make_camera(folder_path="back")
    for number in range(6):
        upload(
            base, f"{number}.jpg", NIGHT + 600 * number, folder="back" if number % 2 else "front"
        )
    found, cursor = [], None
    while True:
        query = {} if cursor is None else {"cursor": cursor}
        body = ask(client, "/api/moments", limit=2, **query)
        found += body["moments"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert [each["start"] for each in found] == [iso(NIGHT + 600 * n) for n in range(5, -1, -1)]
    assert [each["camera_id"] for each in found] == [back["id"], camera["id"]] * 3
    period = {"start_date": iso(NIGHT + 600), "end_date": iso(NIGHT + 1800)}
    starts = [each["start"] for each in ask(client, "/api/moments", **period)["moments"]]
    assert starts == [iso(NIGHT + 1200), iso(NIGHT + 600)]


def test_a_period_never_cuts_a_moment(client, base, of_camera):
    for second in range(0, 300, 50):
        upload(base, f"{second}.jpg", NIGHT + second)
    (moment,) = ask(client, f"{of_camera}/moments", end_date=iso(NIGHT + 100))["moments"]
    assert (moment["pictures"], moment["end"]) == (6, iso(NIGHT + 250))
    assert ask(client, f"{of_camera}/moments", start_date=iso(NIGHT + 1))["moments"] == []


def test_the_gap_is_the_cameras_own(client, base, of_camera):
    upload(base, "a.jpg", NIGHT)
    upload(base, "b.jpg", NIGHT + 90)
    assert len(ask(client, f"{of_camera}/moments")["moments"]) == 2
    client.patch(f"{of_camera}/settings", json={"moment_gap_seconds": 90})
    assert len(ask(client, f"{of_camera}/moments")["moments"]) == 1


def test_a_timeline_counts_only_what_lies_in_the_period(client, camera, base, of_camera):
    for second in (-1, 0, 59, 60, 3600):
        upload(base, f"{second}.jpg", NIGHT + second)
    upload(base, "a.mp4", NIGHT + 61)
    body = {"camera_id": camera["id"], "started_at": iso(NIGHT + 5)}
    assert client.post("/api/events", json=body).status_code == 201
    period = {"start_date": iso(NIGHT), "end_date": iso(NIGHT + 3600)}
    buckets = ask(client, f"{of_camera}/timeline", **period, bucket="1m")["buckets"]
    empty = {"pictures": 0, "clips": 0, "detections": 0, "events": 0}
    assert buckets == [
        {**empty, "start": iso(NIGHT), "pictures": 2, "events": 1},
        {**empty, "start": iso(NIGHT + 60), "pictures": 1, "clips": 1},
    ]
    (whole,) = ask(client, f"{of_camera}/timeline", **period, bucket="1d")["buckets"]
    assert whole == {**empty, "start": iso(0), "pictures": 3, "clips": 1, "events": 1}


def test_days_are_those_of_the_given_zone_or_else_of_the_boxs(client, base, of_camera):
    upload(base, "a.jpg", NIGHT)
    period = {"start_date": iso(0), "end_date": iso(23 * 3600), "bucket": "1d"}
    client.patch("/api/settings", json={"timezone": "Asia/Kolkata"})
    (day,) = ask(client, f"{of_camera}/timeline", **period)["buckets"]
    assert day["start"] == "2025-12-22T18:30:00.000000Z"
    (day,) = ask(client, f"{of_camera}/timeline", **period, timezone="UTC")["buckets"]
    assert day["start"] == iso(0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"bucket": "1m", "end_date": "2026-12-23T00:00:00Z"}, "bucket"),
        ({"bucket": "2m"}, "bucket"),
        ({"bucket": "1m", "timezone": "Mars/Base"}, "timezone"),
        ({"bucket": "1m", "start_date": "yesterday"}, "start_date"),
    ],
)
def test_a_timeline_with_an_invalid_parameter_is_refused(client, of_camera, query, field):
    period = {"start_date": iso(0), "end_date": iso(60)}
    answer = client.get(f"{of_camera}/timeline", query_string=period | query)
    assert list(assert_problem(answer, 422, "validation_failed")["errors"]["query"]) == [field]


def test_moments_and_timelines_are_served_whatever_state_the_folder_is_in(client, make_camera):
    for folder_path in ("/etc", "missing"):
        camera = make_camera(folder_path=folder_path)
        of_camera = f"/api/cameras/{camera['id']}"
        assert ask(client, f"{of_camera}/moments") == {"moments": [], "next_cursor": None}
        period = {"start_date": iso(0), "end_date": iso(60), "bucket": "1m"}
        assert ask(client, f"{of_camera}/timeline", **period) == {"buckets": []}


@pytest.mark.parametrize("path", ["moments", "timeline?start_date={0}&end_date={0}&bucket=1m"])
def test_an_unknown_camera_has_no_moments_and_no_timeline(client, path):
    url = f"/api/cameras/{'0' * 8}-0000-4000-8000-{'0' * 12}/{path.format(iso(0))}"
    assert_problem(client.get(url), 404, "camera_not_found")


def test_a_cursor_of_other_moments_is_refused(client, base, of_camera):
    for number in range(2):
        upload(base, f"{number}.jpg", NIGHT + 600 * number)
    cursor = ask(client, f"{of_camera}/moments", limit=1)["next_cursor"]
    query = {"cursor": cursor, "start_date": iso(0)}
    answer = client.get(f"{of_camera}/moments", query_string=query)
    assert_problem(answer, 422, "validation_failed")


def test_an_event_has_the_pictures_around_it_oldest_first(client, camera, base):
    for second in (-31, -30, 0, 40, 90, 91):
        upload(base, f"{second}.jpg", NIGHT + second)
    for second in (180, 181):
        upload(base, f"{second}.mp4", NIGHT + second)
    body = {"camera_id": camera["id"], "started_at": iso(NIGHT)}
    event = client.post("/api/events", json=body | {"ended_at": iso(NIGHT + 60)}).get_json()
    url = f"/api/events/{event['id']}/pictures"
    body = ask(client, url)
    shown = [picture["name"] for picture in body["pictures"]]
    assert shown == ["-30.jpg", "0.jpg", "40.jpg", "90.jpg", "180.mp4"]
    assert body["count"] == 5
    first = ask(client, url, limit=2)
    following = ask(client, url, limit=2, cursor=first["next_cursor"])
    assert [picture["name"] for picture in following["pictures"]] == ["40.jpg", "90.jpg"]
    body = {"camera_id": camera["id"], "started_at": iso(NIGHT)}
    still = client.post("/api/events", json=body).get_json()
    assert ask(client, f"/api/events/{still['id']}/pictures")["count"] == 7
    assert_problem(client.get("/api/events/999/pictures"), 404, "event_not_found")
