"""Are exactly the rows that are too old deleted, without delaying writers?"""

import statistics
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from app import clock, db
from app.clock import rfc3339
from app.db import writer
from app.models import AUDIT, DETECTIONS, EVENTS, AuditEntry, Camera, Detection, Event
from app.services import retention
from app.services.clock_guard import ClockGuard
from app.services.retention import RowLimits
from tests.effort import plans
from tests.rows import add_many

PAUSE_SECONDS = retention.PAUSE_SECONDS
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)


@pytest.fixture(autouse=True)
def synchronised(monkeypatch):
    """A box whose clock NTP sets."""
    monkeypatch.setattr(clock, "read", lambda: clock.Reading(NOW, 0.0, True))


@pytest.fixture
def stored(camera):
    """Thirty detections and thirty events, one a day up to now; each event claims one."""
    for day in range(30):
        moment = rfc3339(NOW - timedelta(days=day))
        event = Event.insert(
            camera_id=camera["id"], started_at=moment, summary="", reasoning="", reviewed=False
        ).execute()
        Detection.insert(
            camera_id=camera["id"],
            event_id=event,
            detected_at=moment,
            object_type="cat",
            confidence=1,
        ).execute()
    return camera


def test_without_a_limit_nothing_is_deleted(stored):
    assert retention.prune(RowLimits(0, 0, 0), NOW, ClockGuard()) == {
        "detections": 0,
        "events": 0,
        "audit_entries": 0,
    }
    assert (DETECTIONS.count({}), EVENTS.count({})) == (30, 30)
    assert AUDIT.count({"action": "retention_pruned"}) == 0


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (RowLimits(10, 0, 0), 11),
        (RowLimits(0, 7, 0), 7),
        (RowLimits(10, 20, 0), 11),
        (RowLimits(20, 10, 0), 10),
        (RowLimits(0, 99, 0), 30),
    ],
)
def test_the_narrower_limit_decides_and_the_newest_stay(stored, limits, left):
    promised = {part.name: part.count() for part in retention.excess(limits, NOW)}
    went = retention.prune(limits, NOW, ClockGuard())
    assert went == promised == {"detections": 30 - left, "events": 30 - left, "audit_entries": 0}
    kept = [row["detected_at"] for row in DETECTIONS.iterate({})]
    assert kept == [rfc3339(NOW - timedelta(days=day)) for day in range(left)]
    assert EVENTS.count({}) == left


def test_one_audit_entry_says_how_much_was_deleted(stored):
    retention.prune(RowLimits(10, 0, 0), NOW, ClockGuard())
    (entry,) = AUDIT.page({"action": "retention_pruned"}, 9, None)[0]
    assert entry["actor"] == "monitor"
    assert entry["details"] == {"detections": 19, "events": 19, "audit_entries": 0}


def test_audit_entries_have_a_limit_of_their_own(stored):
    AuditEntry.update(timestamp=rfc3339(NOW - timedelta(days=9))).execute()
    assert retention.prune(RowLimits(0, 0, 10), NOW, ClockGuard())["audit_entries"] == 0
    assert retention.prune(RowLimits(0, 0, 8), NOW, ClockGuard())["audit_entries"] == 1
    assert [entry["action"] for entry in AUDIT.iterate({})] == ["retention_pruned"]


def test_other_changes_are_committed_between_two_pieces(stored, monkeypatch):
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0.01)
    seen = []

    def write():
        seen.append(Detection.row_count())

    def progress(_):
        writer.run(write)

    retention.prune(RowLimits(0, 10, 0), NOW, ClockGuard(), progress)
    assert seen[:4] == [25, 20, 15, 10]


def test_rows_to_delete_are_found_by_an_index(stored):
    for part in retention.excess(RowLimits(10, 0, 1), NOW):
        for work in (part.count, lambda part=part: part.rows.delete_up_to(part.key, 5)):
            for plan in plans(work).values():
                found = [line for line in plan if not line.startswith("LIST SUBQUERY")]
                assert {line.split()[0] for line in found} == {"SEARCH"}, plan


def test_the_service_prunes_again_as_soon_as_a_limit_was_changed(app, client, stored):
    pruning = retention.Pruning(app.extensions["settings"], ClockGuard())
    pruning.run_if_due()
    assert DETECTIONS.count({}) == 30
    for rows in (20, 10):
        client.patch("/api/settings", json={"retention_rows": rows})
        pruning.run_if_due()
        assert (DETECTIONS.count({}), EVENTS.count({})) == (rows, rows)
    add_many(stored["id"], detections=5, events=1)
    pruning.run_if_due()
    assert DETECTIONS.count({}) == 15  # the same limit: not before the next hour


@pytest.mark.slow
def test_a_writer_waits_at_most_half_a_second_while_a_million_rows_are_pruned(camera, monkeypatch):
    monkeypatch.setattr(retention, "PAUSE_SECONDS", PAUSE_SECONDS)
    add_many(camera["id"], detections=1_000_000, events=1000)
    waits, over = [], threading.Event()

    def write():
        while not over.is_set():
            before = time.monotonic()
            writer.run(lambda: Camera.update(last_seen_at=rfc3339(NOW)).execute())
            waits.append(time.monotonic() - before)
            time.sleep(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    went = retention.prune(RowLimits(0, 970_000, 0), NOW, ClockGuard())
    events = retention.excess(RowLimits(0, 960, 0), NOW)[1]
    while count := writer.run(events.remove_some, alone=True):
        went["events"] += count
        time.sleep(PAUSE_SECONDS)
    over.set()
    thread.join()
    print(f"{len(waits)} writes waited {max(waits):.3f} s at the most")
    assert (went["detections"], went["events"]) == (30_000, 40)
    assert len(waits) > 100
    assert statistics.quantiles(waits, n=20)[-1] < 0.5
    assert max(waits) < db.connection.BUSY_SECONDS  # on a computer that does other things too
