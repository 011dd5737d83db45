"""Does everything stay in order when the clock jumps back an hour?"""

from datetime import timedelta

import pytest

from app import clock
from tests.posting import post_camera, post_detection, post_event


@pytest.fixture
def jump(monkeypatch):
    """Sets the clock back by an hour."""
    real = clock.now
    return lambda: monkeypatch.setattr(clock, "now", lambda: real() - timedelta(hours=1))


def walk(client, url, name, cursor=""):
    """The ids of every page that follows, one after the other."""
    ids = []
    while cursor is not None:
        page = client.get(f"{url}?limit=2" + (f"&cursor={cursor}" if cursor else "")).get_json()
        ids += [row["id"] for row in page[name]]
        cursor = page["next_cursor"]
    return ids


def test_ids_go_on_growing_and_no_walk_skips_or_repeats(client, camera, jump):
    first = [post_detection(client, camera)["id"] for _ in range(5)]
    page = client.get("/api/detections?limit=2").get_json()
    jump()
    later = [post_detection(client, camera)["id"] for _ in range(5)]
    assert first + later == list(range(1, 11))
    # The page before the jump and the walk after it: every row once, by its time, newest first.
    seen = [row["id"] for row in page["detections"]]
    seen += walk(client, "/api/detections", "detections", page["next_cursor"])
    assert seen == first[::-1] + later[::-1]
    assert walk(client, "/api/detections", "detections") == seen


def test_the_audit_log_keeps_every_entry_and_its_order_of_ids(client, camera, jump):
    before = walk(client, "/api/audit", "entries")
    jump()
    for _ in range(3):
        post_camera(client)
    after = walk(client, "/api/audit", "entries")
    assert sorted(after) == list(range(1, len(before) + 4))
    assert set(before) < set(after)


def test_an_id_is_not_used_again_though_the_newest_row_is_gone(client, camera, jump):
    other = post_camera(client)
    gone = post_detection(client, other)["id"]
    client.delete(f"/api/cameras/{other['id']}")
    jump()
    assert post_detection(client, camera)["id"] == gone + 1


def test_cameras_are_listed_by_what_the_clock_said(client, camera, jump):
    jump()
    later = post_camera(client)
    listed = client.get("/api/cameras").get_json()["cameras"]
    assert [row["id"] for row in listed] == [later["id"], camera["id"]]
    assert later["created_at"] < camera["created_at"]
    patched = client.patch(f"/api/cameras/{camera['id']}", json={"name": "Same"}).get_json()
    assert patched["created_at"] == camera["created_at"]


def test_an_event_claims_detections_from_before_and_after_the_jump(client, camera, jump):
    ids = [post_detection(client, camera)["id"]]
    jump()
    ids += [post_detection(client, camera)["id"]]
    event = post_event(client, camera, detection_ids=ids)
    assert event["detection_count"] == 2
