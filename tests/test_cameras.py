"""Is each change of a camera kept with its audit entry or not at all, also under races?"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.db import database
from app.models import AuditEntry, Camera, Detection, Event, NotFound, children
from app.services import audit
from app.services import cameras as camera_service
from app.services.audit import Caller
from tests import effort
from tests.effort import plans
from tests.rows import add_camera, add_many, entries_of

pytestmark = pytest.mark.usefixtures("app")

BY = Caller("anonymous", "192.0.2.1", "curl/8")
FIELDS = {"name": "Front Door", "folder_path": "front", "status": "online"}
UNKNOWN = "123e4567-e89b-12d3-a456-426614174000"
ROUNDS = 50


def everything():
    """Every row of every table."""
    tables = (Camera, Event, Detection, AuditEntry)
    return [list(table.select().order_by(table.id).tuples()) for table in tables]


def test_a_camera_is_registered_with_its_entry():
    camera = camera_service.create_camera(FIELDS, BY)
    assert camera == Camera.one(camera["id"]) == camera | FIELDS
    (entry,) = entries_of(camera["id"])
    assert (entry["action"], entry["details"]) == ("camera_created", Camera.chosen(camera))


def test_an_update_audits_the_fields_that_differ():
    camera = camera_service.create_camera(FIELDS, BY)
    changed = camera_service.update_camera(camera["id"], {"name": "Side", "status": "online"}, BY)
    assert changed == Camera.one(camera["id"]) == camera | {"name": "Side"}
    _, entry = entries_of(camera["id"])
    assert (entry["action"], entry["resource_name"]) == ("camera_updated", "Side")
    assert entry["details"] == {"changes": {"name": {"old": "Front Door", "new": "Side"}}}


def test_an_update_writes_only_the_columns_that_differ():
    camera = camera_service.create_camera(FIELDS, BY)["id"]
    found = plans(lambda: camera_service.update_camera(camera, FIELDS | {"status": "error"}, BY))
    (update,) = [statement for statement in found if statement.startswith("UPDATE")]
    assert update.startswith('UPDATE "camera" SET "status" = \'error\' WHERE ')


@pytest.mark.parametrize("fields", [{}, {"name": "Front Door"}, FIELDS])
def test_an_update_without_a_difference_writes_nothing(fields):
    camera = camera_service.create_camera(FIELDS, BY)
    before, changes = everything(), effort.changes()
    assert camera_service.update_camera(camera["id"], fields, BY) == camera
    assert everything() == before
    assert effort.changes() == changes


def test_deleting_a_camera_counts_its_rows_and_reports_progress(monkeypatch):
    monkeypatch.setattr(children, "ROWS_AT_ONCE", 4)
    one, other = add_camera("One"), add_camera("Other")
    add_many(one, detections=7, events=3)
    add_many(other, detections=5, events=2)
    told, gone = [], Camera.chosen(Camera.one(one))
    assert camera_service.delete_camera(one, BY, told.append) == {"detections": 7, "events": 3}
    assert told == [4, 3, 3]
    (entry,) = entries_of(one)
    assert entry["action"] == "camera_deleted"
    assert entry["details"] == gone | {"detections": 7, "events": 3}
    assert (Detection.select().count(), Event.select().count()) == (5, 2)


def test_audit_entries_keep_the_name_of_a_deleted_camera():
    camera = camera_service.create_camera(FIELDS, BY)["id"]
    camera_service.update_camera(camera, {"name": "Side"}, BY)
    camera_service.delete_camera(camera, BY)
    names = [(entry["action"], entry["resource_name"]) for entry in entries_of(camera)]
    assert names == [
        ("camera_created", "Front Door"),
        ("camera_updated", "Side"),
        ("camera_deleted", "Side"),
    ]


@pytest.mark.parametrize(
    "work",
    [
        lambda: camera_service.update_camera(UNKNOWN, {"name": "x"}, BY),
        lambda: camera_service.delete_camera(UNKNOWN, BY),
    ],
    ids=["change", "remove"],
)
def test_a_change_of_an_unknown_camera_writes_nothing(work):
    add_camera()
    before = everything()
    with pytest.raises(NotFound):
        work()
    assert everything() == before


@pytest.mark.parametrize(
    "work",
    [
        lambda camera: camera_service.create_camera(FIELDS, BY),
        lambda camera: camera_service.update_camera(camera, {"name": "x"}, BY),
        lambda camera: camera_service.delete_camera(camera, BY),
    ],
    ids=["register", "change", "remove"],
)
def test_without_its_audit_entry_no_change_is_kept(monkeypatch, work):
    camera = add_camera()
    add_many(camera, detections=2, events=1)
    before = everything()

    def fail(*_):
        raise OSError

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(OSError):  # noqa: PT011
        work(camera)
    assert everything() == before


@pytest.mark.parametrize(
    ("method", "work"),
    [
        ("add", lambda camera: camera_service.create_camera(FIELDS, BY)),
        ("change", lambda camera: camera_service.update_camera(camera, {"name": "x"}, BY)),
        ("remove", lambda camera: camera_service.delete_camera(camera, BY)),
    ],
)
def test_without_its_change_no_audit_entry_is_kept(monkeypatch, method, work):
    camera = add_camera()
    before = everything()

    def fail(*_):
        raise KeyError

    monkeypatch.setattr(Camera, method, fail)
    with pytest.raises(KeyError):
        work(camera)
    assert everything() == before


def test_concurrent_updates_of_different_fields_both_survive():
    camera, both = add_camera(), threading.Barrier(2, timeout=30)

    def change(field):
        try:
            for turn in range(ROUNDS):
                both.wait()
                camera_service.update_camera(camera, {field: str(turn)}, BY)
                both.wait()
                row = Camera.one(camera)
                assert (row["name"], row["folder_path"]) == (str(turn), str(turn))
        finally:
            database.close()

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(change, field) for field in ("name", "folder_path")]:
            done.result()
    entries = entries_of(camera)
    assert len(entries) == 2 * ROUNDS
    assert all(len(entry["details"]["changes"]) == 1 for entry in entries)


def test_the_audit_log_holds_every_step_of_concurrent_updates():
    camera, both = add_camera(), threading.Barrier(4, timeout=30)

    def change(thread):
        try:
            both.wait()
            for turn in range(10):
                camera_service.update_camera(camera, {"name": f"{thread} {turn}"}, BY)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(change, thread) for thread in range(4)]:
            done.result()
    names = [entry["details"]["changes"]["name"] for entry in entries_of(camera)]
    assert len(names) == 40
    assert [name["old"] for name in names] == ["Front Door", *(name["new"] for name in names[:-1])]
    assert Camera.one(camera)["name"] == names[-1]["new"]
