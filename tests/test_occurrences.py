"""Is what happens reported once, inside its change, and acted on only if it is committed?"""

import threading
from datetime import timedelta

import pytest

from app import clock
from app.db import database, writer
from app.services import occurrences
from app.services.audit import Caller
from app.services.camera_status import UPLOAD, Decision, pending_updates
from app.services.cameras import get_camera, update_camera

NOW = clock.rfc3339(clock.now())
LATE = clock.rfc3339(clock.now() - timedelta(hours=1, seconds=5))


class Recorder(occurrences.Observer):
    """Keeps what was reported, by whether it was committed."""

    def __init__(self, *kinds):
        self.kinds, self.recorded, self.committed_ones = kinds, [], []
        self.is_in_transaction = []

    def wants(self, kind):
        return kind in self.kinds

    def record(self, reported):
        self.is_in_transaction.append(database.in_transaction())
        self.recorded += reported

    def committed(self, reported):
        self.is_in_transaction.append(database.in_transaction())
        self.committed_ones += reported


@pytest.fixture
def recorder(client):
    """An observer of every kind; `client` has made the app."""
    kinds = ("detection", "event", "event_reviewed", "camera_created", "camera_updated")
    statuses = ("camera_online", "camera_offline", "camera_error", "camera_deleted")
    found = Recorder(*kinds, *statuses)
    occurrences.add_observer(found)
    return found


def detection(camera, **fields):
    seen = {"camera_id": camera["id"], "object_type": "person", "confidence": 0.5}
    return seen | {"detected_at": NOW} | fields


def settle():
    """Wait until the writer has passed on what was committed before."""
    writer.run(lambda: None)
    writer.run(lambda: None)


def kinds_of(recorder):
    settle()
    assert recorder.recorded == recorder.committed_ones
    return [each.kind for each in recorder.recorded]


def test_the_detections_of_a_camera_and_an_object_type_are_reported_as_the_surest(
    client, camera, recorder
):
    batch = [detection(camera, confidence=sure) for sure in (0.3, 0.9, 0.9)]
    batch += [detection(camera, object_type="dog"), detection(camera, detected_at=LATE)]
    ids = client.post("/api/detections", json={"detections": batch}).json["ids"]
    assert kinds_of(recorder) == ["detection", "detection"]
    person, dog = recorder.recorded
    assert person.camera == {"id": camera["id"], "name": camera["name"]}
    stored = client.get(f"/api/detections/{ids[1]}").json
    assert person.data == {"detection": stored | {"count": 3}}
    assert (person.happened_at, person.object_types) == (stored["detected_at"], {"person"})
    assert dog.data["detection"]["count"] == 1
    assert recorder.is_in_transaction == [True, False]


def test_a_detection_that_is_stored_already_is_not_reported_again(client, camera, recorder):
    body = detection(camera, external_id="one")
    for _ in range(3):
        client.post("/api/detections", json=body)
    assert kinds_of(recorder) == ["detection"]


def test_an_event_is_reported_when_it_is_posted_escalated_and_reviewed(client, camera, recorder):
    seen = client.post("/api/detections", json=detection(camera)).json["id"]
    event = {"camera_id": camera["id"], "started_at": NOW, "detection_ids": [seen]}
    url = f"/api/events/{client.post('/api/events', json=event).json['id']}"
    for score in (10, 20, 90, 40):
        client.patch(url, json={"risk_score": score})
    for reviewed in (True, True, False):
        client.patch(url, json={"reviewed": reviewed})
    assert kinds_of(recorder) == ["detection", *["event"] * 3, "event_reviewed"]
    levels = [each.data["event"]["risk_level"] for each in recorder.recorded[1:]]
    assert levels == [None, "low", "critical", "medium"]
    assert {each.object_types for each in recorder.recorded} == {frozenset({"person"})}


def test_an_event_that_is_posted_an_hour_late_is_not_reported(client, camera, recorder):
    client.post("/api/events", json={"camera_id": camera["id"], "started_at": LATE})
    assert kinds_of(recorder) == []


def test_each_change_of_a_camera_is_reported(client, camera, recorder):
    url = f"/api/cameras/{camera['id']}"
    client.patch(url, json={"name": "Back Door"})
    client.patch(url, json={"name": "Back Door", "status": "offline"})
    client.patch(url, json={"status": "offline"})
    client.delete(url)
    expected = ["camera_updated", "camera_updated", "camera_offline", "camera_deleted"]
    assert kinds_of(recorder) == expected
    moved = {"status": "offline", "previous_status": camera["status"]}
    shown = {"id": camera["id"], "name": "Back Door"}
    assert recorder.recorded[2].camera == shown | moved
    assert recorder.recorded[3].camera == shown


def test_each_status_that_the_monitor_sets_is_reported_when_it_is_written(
    client, camera, recorder
):
    client.patch(f"/api/cameras/{camera['id']}", json={"status": "offline"})
    for status in ("online", "error", "online"):
        row = get_camera(camera["id"])
        pending_updates.add(row, Decision(status, NOW, UPLOAD))
    assert kinds_of(recorder) == ["camera_updated", "camera_offline"]
    pending_updates.flush()
    assert kinds_of(recorder)[2:] == ["camera_online", "camera_error", "camera_online"]


def test_a_change_that_is_undone_is_not_acted_on(camera, recorder):
    def fail():
        occurrences.report_camera("camera_updated", camera)
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        writer.run(fail)
    settle()
    assert len(recorder.recorded) == 1
    assert recorder.committed_ones == []


def test_an_observer_that_fails_does_not_stop_the_writer(camera, recorder, caplog):
    recorder.committed = lambda reported: 1 / 0
    other = Recorder("camera_updated")
    occurrences.add_observer(other)
    update_camera(camera["id"], {"name": "Side Door"}, Caller("anonymous"))
    settle()
    assert len(other.committed_ones) == 1
    assert "could not be passed on" in caplog.text


def test_nothing_is_read_for_a_kind_that_nobody_wants(camera):
    occurrences.add_observer(Recorder("detection"))
    writer.run(lambda: occurrences.report("event", lambda: pytest.fail("it was built")))


def test_what_waits_for_a_commit_must_be_added_inside_a_change(app):
    with pytest.raises(RuntimeError, match="inside a change"):
        writer.after_commit(threading.Event().set)
