"""Do the tables keep order, keys and cascades, and what does each query cost?"""

import peewee
import pytest

from app.db import database
from app.models import AuditEntry, Camera, Detection, Event, NotFound, delete_children
from app.services import audit
from app.services.audit import Caller
from tests.effort import plans, steps
from tests.rows import add_camera, add_detection, add_event, add_many

pytestmark = pytest.mark.usefixtures("app")

EARLY, LATE = "2025-12-23T10:00:00.000000Z", "2025-12-23T10:00:00.000001Z"
# What SQLite does by itself where only the camera's row is deleted, or only an event's.
CASCADE = {
    "DELETE FROM detection WHERE camera_id = '1'",
    "DELETE FROM event WHERE camera_id = '1'",
    "UPDATE detection SET event_id = NULL WHERE event_id = 1",
}


def count(model, camera):
    return model.select().where(model.camera == camera).count()


def remove(camera):
    """Delete a camera with its detections and events; return how many were deleted."""
    went = delete_children(camera, lambda _: None)
    Camera.remove(camera)
    return went


def add_entry():
    audit.record("tested", Caller("anonymous"), "camera", {"id": "1"}, {})
    return AuditEntry.select(peewee.fn.MAX(AuditEntry.id)).scalar()


def test_cameras_are_listed_by_time_then_id():
    late = add_camera(created_at=LATE)
    early = sorted(add_camera(created_at=EARLY) for _ in range(10))
    assert [camera["id"] for camera in Camera.listing()] == [*early, late]
    assert [camera["id"] for camera in Camera.listing("online")] == [*early, late]
    assert Camera.listing("offline") == []


def test_a_camera_is_found_by_its_id_or_not_at_all():
    one, other = add_camera("one"), add_camera("other")
    assert (Camera.one(one)["name"], Camera.one(other)["name"]) == ("one", "other")
    with pytest.raises(NotFound) as raised:
        Camera.one("123e4567-e89b-12d3-a456-426614174000")
    assert raised.value.resource == "camera"


def test_a_change_writes_one_column_of_one_camera():
    one, other = add_camera("one"), add_camera("other")
    before = {camera["id"]: camera for camera in Camera.listing()}
    Camera.change(one, {"last_seen_at": LATE})
    assert Camera.one(one) == before[one] | {"last_seen_at": LATE}
    assert Camera.one(other) == before[other]


@pytest.mark.parametrize("status", ["", "Online", "broken", None])
def test_a_camera_has_one_of_three_statuses(status):
    camera = add_camera()
    with pytest.raises(peewee.IntegrityError):
        Camera.change(camera, {"status": status})
    with pytest.raises(peewee.IntegrityError):
        Camera.add(LATE, {"name": "a", "folder_path": "b", "status": status})


def test_ids_are_never_used_again():
    camera = add_camera()
    for model, add in (
        (Event, lambda: add_event(camera)),
        (Detection, lambda: add_detection(camera)),
        (AuditEntry, add_entry),
    ):
        first, newest = add(), add()
        model.delete().where(model.id == newest).execute()
        assert add() > newest > first
        model.delete().execute()
        assert add() > newest + 1


def test_an_external_id_is_unique_within_its_camera():
    one, other = add_camera("one"), add_camera("other")
    add_detection(one, external_id="a")
    add_detection(one, external_id="b")
    add_detection(other, external_id="a")
    with pytest.raises(peewee.IntegrityError, match="UNIQUE"):
        add_detection(one, external_id="a")


def test_any_number_of_detections_may_lack_an_external_id():
    camera = add_camera()
    for _ in range(3):
        add_detection(camera)
    assert count(Detection, camera) == 3


def test_deleting_an_event_keeps_its_detections():
    camera = add_camera()
    gone, kept = add_event(camera), add_event(camera)
    detections = [add_detection(camera, event) for event in (gone, kept)]
    Event.delete().where(Event.id == gone).execute()
    rows = Detection.select(Detection.id, Detection.event).order_by(Detection.id).tuples()
    assert list(rows) == [(detections[0], None), (detections[1], kept)]


def test_deleting_a_camera_deletes_and_counts_its_detections_and_events():
    one, other = add_camera("one"), add_camera("other")
    add_many(one, detections=7, events=3)
    add_many(other, detections=5, events=2)
    assert remove(one) == {"detections": 7, "events": 3}
    assert [camera["id"] for camera in Camera.listing()] == [other]
    assert (count(Detection, one), count(Event, one)) == (0, 0)
    assert (count(Detection, other), count(Event, other)) == (5, 2)
    assert Detection.select().where(Detection.event.is_null()).count() == 0


def test_deleting_a_camera_in_sql_cascades():
    one, other = add_camera("one"), add_camera("other")
    for camera in (one, other):
        add_detection(camera, add_event(camera))
    database.close()
    database.execute_sql("DELETE FROM camera WHERE id = ?", (one,))
    assert (count(Detection, one), count(Event, one)) == (0, 0)
    assert (count(Detection, other), count(Event, other)) == (1, 1)


@pytest.mark.parametrize("status", [None, "online"])
def test_the_camera_list_is_read_in_order_from_an_index(status):
    add_camera()
    (plan,) = plans(lambda: Camera.listing(status)).values()
    assert len(plan) == 1
    assert plan[0].endswith("USING INDEX camera_created_at_id")


def test_one_camera_is_found_by_an_index():
    camera = add_camera()
    (plan,) = plans(lambda: Camera.one(camera)).values()
    assert len(plan) == 1
    assert plan[0].startswith("SEARCH ")
    assert plan[0].endswith("USING INDEX sqlite_autoindex_camera_1 (id=?)")


def test_deleting_a_camera_finds_its_rows_by_indexes():
    camera = add_camera()
    add_many(camera, detections=2, events=1)
    found = plans(lambda: remove(camera))
    assert len(found) == 3
    for statement in CASCADE:
        found[statement] = [
            row[3] for row in database.execute_sql(f"EXPLAIN QUERY PLAN {statement}")
        ]
    for statement, plan in found.items():
        looked = [line for line in plan if not line.startswith("LIST SUBQUERY ")]  # a heading
        assert all(line.startswith("SEARCH ") for line in looked), statement
        assert looked, statement


@pytest.mark.parametrize(
    "remove",
    [
        remove,
        lambda camera: database.execute_sql("DELETE FROM camera WHERE id = ?", (camera,)),
    ],
    ids=["remove", "cascade"],
)
def test_the_rows_of_other_cameras_do_not_slow_a_deletion(remove):
    def cost(detections):
        camera = add_camera()
        add_many(camera, detections, events=detections // 10)
        return steps(lambda: remove(camera))

    alone = cost(1000)
    add_many(add_camera("other"), detections=10_000, events=1000)
    assert cost(1000) < 1.1 * alone
    assert 9 * alone < cost(10_000) < 11 * alone
