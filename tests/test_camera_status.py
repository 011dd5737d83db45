"""Which evidence moves which status? The whole rule as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from app.clock import rfc3339
from app.services.camera_status import Decision, Observation, decide

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = 86400


def ago(seconds: float) -> str:
    return rfc3339(NOW - timedelta(seconds=seconds))


JUST, HOUR, LONG = ago(1), ago(3600), ago(DAY)
LOST = {"readable": False}

TABLE = [
    # status, last_seen_at, evidence, offline_after, decision
    ("offline", None, {}, DAY, ("offline", None, None)),
    ("error", None, LOST, DAY, ("error", None, None)),
    ("online", None, {"uploaded_at": JUST}, DAY, ("online", JUST, None)),
    ("offline", HOUR, {"uploaded_at": JUST}, DAY, ("online", JUST, "upload")),
    ("error", HOUR, {"uploaded_at": JUST}, DAY, ("online", JUST, "upload")),
    ("offline", JUST, {"uploaded_at": JUST}, DAY, ("offline", JUST, None)),
    ("offline", JUST, {"uploaded_at": HOUR}, DAY, ("offline", JUST, None)),
    ("online", HOUR, {}, DAY, ("online", HOUR, None)),
    ("online", LONG, {}, DAY, ("offline", LONG, "silence")),
    ("error", LONG, {}, DAY, ("offline", LONG, "silence")),
    ("online", ago(DAY - 1), {}, DAY, ("online", ago(DAY - 1), None)),
    ("online", LONG, {}, 0, ("online", LONG, None)),
    ("online", LONG, {"offline_already_reported": True}, DAY, ("online", LONG, None)),
    ("online", ago(2 * DAY), {"uploaded_at": LONG}, DAY, ("offline", LONG, "silence")),
    ("online", None, {"uploaded_at": LONG}, DAY, ("offline", LONG, "silence")),
    ("online", None, {"uploaded_at": LONG}, 0, ("online", LONG, None)),
    ("online", HOUR, LOST, DAY, ("error", HOUR, "folder")),
    ("offline", HOUR, LOST, DAY, ("error", HOUR, "folder")),
    ("online", HOUR, {**LOST, "was_readable": False}, DAY, ("online", HOUR, None)),
    ("error", HOUR, LOST, DAY, ("error", HOUR, None)),
    ("error", LONG, LOST, DAY, ("error", LONG, None)),
    ("error", HOUR, {}, DAY, ("error", HOUR, None)),
]


@pytest.mark.parametrize(("status", "last_seen_at", "seen", "offline_after", "decision"), TABLE)
def test_the_rule(status, last_seen_at, seen, offline_after, decision):
    camera = {"status": status, "last_seen_at": last_seen_at}
    assert decide(camera, Observation(**seen), NOW, offline_after) == Decision(*decision)


@pytest.mark.parametrize(("status", "last_seen_at", "seen", "offline_after", "decision"), TABLE)
def test_the_same_evidence_never_moves_a_status_twice(
    status, last_seen_at, seen, offline_after, decision
):
    camera = {"status": status, "last_seen_at": last_seen_at}
    first = decide(camera, Observation(**seen), NOW, offline_after)
    reported = first.reason == "silence" or seen.get("offline_already_reported", False)
    again = Observation(
        **{
            **seen,
            "was_readable": seen.get("readable", True),
            "offline_already_reported": reported,
        }
    )
    person = {"status": "online", "last_seen_at": first.last_seen_at}
    if first.reason:
        assert decide(person, again, NOW, offline_after).reason is None
