"""Is a clock that cannot be right found implausible, and plausible again once it is set right?"""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from app import clock, db
from app.clock import GAP, JUMP, Reading, Reference, rfc3339, why_implausible
from app.db import writer
from app.models import DETECTIONS, AuditEntry, ClockNote
from app.services import audit, retention
from app.services.audit import Caller
from app.services.clock_guard import ClockGuard, ClockImplausible
from app.services.retention import RowLimits
from tests.posting import detection, post_detections

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


class Box:
    """A box whose clock the test sets, and whose services it starts."""

    def __init__(self) -> None:
        self.reading = Reading(START, 1000.0, False)

    def set_clock(self, by: timedelta, is_synchronised: bool = False) -> None:
        now = self.reading.now + by
        self.reading = self.reading._replace(now=now, is_synchronised=is_synchronised)

    def wait(self, time: timedelta) -> None:
        now, uptime = self.reading.now + time, self.reading.uptime + time.total_seconds()
        self.reading = self.reading._replace(now=now, uptime=uptime)

    def write(self) -> None:
        """A change that has nothing to do with the clock."""
        writer.run(lambda: audit.record("x", Caller("cli"), "camera", {"id": "1"}, {}))

    def start(self) -> ClockGuard:
        """The guard of a service that has just started and leads on the database."""
        guard = ClockGuard()
        guard.follow()
        return guard


@pytest.fixture
def box(app, monkeypatch):
    box = Box()
    monkeypatch.setattr(clock, "read", lambda: box.reading)
    monkeypatch.setattr(clock, "now", lambda: box.reading.now)
    yield box
    writer.set_companion(lambda: None)


@pytest.fixture
def service_runs():
    """Another process, the service, leads on the database."""
    lock = db.acquire_leader_lock()
    yield
    db.files.os.close(lock)


# The kernel's reading, the stored times, and whether the clock is implausible.
@pytest.mark.parametrize(
    ("is_synchronised", "believed", "noted", "is_implausible"),
    [
        (False, None, None, False),
        (False, None, START - GAP + SECOND, False),
        (False, None, START - GAP, True),
        (True, None, START - GAP, False),
        (False, None, START + 900 * DAY, False),
        (False, START, START - 900 * DAY, False),
        (False, START - JUMP, None, False),
        (False, START - JUMP - SECOND, None, True),
        (False, START + JUMP, None, False),
        (False, START + JUMP + SECOND, None, True),
        (True, START + 900 * DAY, None, False),
    ],
)
def test_a_clock_that_nobody_synchronises_must_not_jump_or_be_far_ahead(
    is_synchronised, believed, noted, is_implausible
):
    reading = Reading(START + 3 * DAY, 1000.0 + 3 * 86400, is_synchronised)
    reason = why_implausible(reading, Reference(1000.0, believed, noted))
    assert (reason is not None) == is_implausible


def test_the_clock_of_a_box_that_was_suspended_has_not_jumped(box):
    guard = box.start()
    box.wait(30 * DAY)
    assert guard.why_implausible() is None


def test_at_a_start_far_ahead_of_the_stored_time_the_clock_is_implausible(box):
    box.start()
    box.write()
    box.set_clock(GAP + SECOND)
    guard = box.start()
    assert "7 days ahead of the last time that was noted" in guard.why_implausible()
    box.wait(DAY)
    assert guard.why_implausible()
    box.set_clock(-GAP)
    assert guard.why_implausible() is None
    guard.follow()
    assert not ClockNote.is_implausible()


def test_at_a_start_less_than_a_week_ahead_of_the_stored_time_the_clock_is_plausible(box):
    box.start()
    box.write()
    box.set_clock(GAP - SECOND)
    assert box.start().why_implausible() is None


@pytest.mark.parametrize("jump", [timedelta(hours=1, seconds=1), -timedelta(hours=1, seconds=1)])
def test_a_clock_that_has_jumped_is_implausible_until_it_is_set_back(box, jump):
    guard = box.start()
    box.set_clock(jump)
    assert guard.why_implausible() == "it jumped by 60 minutes"
    box.wait(30 * DAY)
    assert guard.why_implausible()
    box.set_clock(-jump)
    assert guard.why_implausible() is None


def test_a_clock_that_was_synchronised_once_stays_plausible(box):
    guard = box.start()
    box.set_clock(400 * DAY)
    guard.follow()
    assert guard.why_implausible()
    box.set_clock(timedelta(), is_synchronised=True)
    assert guard.why_implausible() is None
    guard.follow()
    box.set_clock(timedelta(), is_synchronised=False)
    assert guard.why_implausible() is None
    assert box.start().why_implausible() is None


@pytest.mark.parametrize("jumps", [True, False])
def test_a_clock_that_a_person_calls_right_is_plausible_to_every_process(box, service_runs, jumps):
    guard = box.start()
    box.write()
    box.set_clock(400 * DAY)
    if not jumps:
        guard = box.start()
    guard.follow()
    assert guard.why_implausible()
    command = ClockGuard()
    assert command.why_implausible()
    command.believe()
    assert command.why_implausible() is None
    guard.follow()
    assert guard.why_implausible() is None
    assert ClockGuard().why_implausible() is None
    assert box.start().why_implausible() is None


def test_a_command_that_starts_after_the_jump_learns_of_it_from_the_service(box, service_runs):
    guard = box.start()
    box.set_clock(2 * DAY)
    assert ClockGuard().why_implausible() is None
    guard.follow()
    assert "the running service has seen it jump" in ClockGuard().why_implausible()
    box.set_clock(timedelta(), is_synchronised=True)
    assert ClockGuard().why_implausible() is None


def test_what_a_service_that_has_ended_found_implausible_does_not_count(box):
    guard = box.start()
    box.set_clock(2 * DAY)
    guard.follow()
    assert ClockNote.is_implausible()
    assert ClockGuard().why_implausible() is None
    assert box.start().why_implausible() is None
    assert not ClockNote.is_implausible()


def test_without_a_stored_time_the_newest_audit_entry_counts(box):
    box.write()
    box.set_clock(GAP)
    assert box.start().why_implausible()
    box.set_clock(-SECOND)
    assert box.start().why_implausible() is None


def test_a_clock_stays_implausible_though_entries_are_written_meanwhile(box):
    box.write()
    box.set_clock(400 * DAY)
    for _ in range(3):
        guard = box.start()
        box.wait(SECOND)
        box.write()
        assert guard.why_implausible()
    assert ClockNote.latest(rfc3339(box.reading.now)) == rfc3339(START)


def test_a_clock_that_has_jumped_is_implausible_at_the_next_start_too(box):
    guard = box.start()
    box.set_clock(400 * DAY)
    guard.follow()
    box.write()
    assert box.start().why_implausible()


@pytest.mark.parametrize("noted", [True, False])
def test_times_in_the_future_do_not_make_a_clock_plausible(box, noted):
    box.set_clock(800 * DAY)
    if noted:
        box.start()
    box.write()
    box.set_clock(-800 * DAY)
    if noted:
        box.start()
    box.write()
    box.set_clock(400 * DAY)
    assert box.start().why_implausible()


def test_a_clock_that_was_behind_for_a_while_is_plausible_when_it_is_right_again(box):
    box.start()
    box.write()
    box.set_clock(-400 * DAY)
    box.start()
    box.write()
    box.set_clock(401 * DAY)
    assert box.start().why_implausible() is None


def test_the_time_is_noted_beside_other_writes_and_at_most_once_an_hour(box, monkeypatch):
    monkeypatch.setattr("app.services.clock_guard.time.monotonic", lambda: box.reading.uptime)
    box.start()
    assert ClockNote.row_count() == 0
    writer.run(lambda: None)
    assert ClockNote.row_count() == 0
    box.write()
    for time, noted in ((timedelta(), 0), (timedelta(minutes=59), 0), (timedelta(minutes=1), 60)):
        box.wait(time)
        box.write()
        expected = rfc3339(START + timedelta(minutes=noted))
        assert ClockNote.latest("9999") == expected
    assert ClockNote.row_count() == 1


def test_a_time_that_cannot_be_noted_undoes_no_change(box, monkeypatch):
    box.start()
    monkeypatch.setattr(ClockNote, "note", lambda _: 1 / 0)
    box.write()
    assert AuditEntry.row_count() == 1


def test_retention_stops_within_a_step_when_the_clock_jumps(box, client, camera, monkeypatch):
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)
    guard = box.start()
    post_detections(client, *[detection(camera)] * 3)
    with pytest.raises(ClockImplausible):
        retention.prune(RowLimits(0, 1, 0), START, guard, lambda _: box.set_clock(DAY))
    assert DETECTIONS.count({}) == 2
    (entry,) = (e for e in audit_entries() if e["action"] == "retention_pruned")
    assert entry["details"]["detections"] == 1
    with pytest.raises(ClockImplausible):
        retention.prune(RowLimits(0, 1, 0), START, guard)
    assert DETECTIONS.count({}) == 2


def audit_entries():
    return list(retention.AUDIT.iterate({}))


def test_prune_deletes_nothing_while_the_clock_is_implausible(box, app, client, camera):
    client.patch("/api/settings", json={"retention_days": 30})
    post_detections(client, detection(camera))
    box.set_clock(400 * DAY)
    app.extensions["clock_guard"] = ClockGuard()
    run = partial(app.test_cli_runner().invoke)
    for words in (("prune",), ("prune", "--dry-run")):
        result = run(args=words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "400 days ahead" in result.stderr
        assert "prune --believe-clock" in result.stderr
    result = run(args=("prune", "--json"))
    assert result.exit_code == 1
    assert '"suspended": "clock", "detections": 0' in result.stdout
    promised = run(args=("prune", "--believe-clock", "--dry-run"))
    assert promised.stdout.startswith("would delete 1 detections")
    assert run(args=("prune", "--dry-run")).exit_code == 1
    assert DETECTIONS.count({}) == 1
    assert run(args=("prune", "--believe-clock")).stdout.startswith("deleted 1 detections")
    assert run(args=("prune",)).exit_code == 0


def test_health_says_that_the_clock_is_implausible_and_writes_nothing(box, app, client, camera):
    assert client.get("/api/system/health").get_json()["checks"]["clock"]["status"] == "healthy"
    box.set_clock(400 * DAY)
    seen = client.get("/api/system/health").get_json()
    assert (seen["status"], seen["checks"]["clock"]["status"]) == ("degraded", "degraded")
    assert "it jumped by 400 days" in seen["checks"]["clock"]["message"]
    assert ClockNote.row_count() == 0


def test_the_doctor_says_that_the_clock_is_implausible(box, app, client, camera):
    box.set_clock(400 * DAY)
    app.extensions["clock_guard"] = ClockGuard()
    result = app.test_cli_runner().invoke(args=("doctor",))
    assert "warning clock: The clock is implausible: it is 400 days ahead" in result.stdout
