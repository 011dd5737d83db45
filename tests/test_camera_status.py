"""Which observation changes which status? The whole rule as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from app.clock import rfc3339
from app.services.camera_status import Decision, Evidence, Observation, decide

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = 86400


def ago(seconds: float) -> str:
    return rfc3339(NOW - timedelta(seconds=seconds))


JUST, HOUR, LONG = ago(1), ago(3600), ago(DAY)
LOST, LOST_LONG = Observation(None, False, 59), Observation(None, False, 60)
NOTHING, NEW, OLD = Observation(), Observation(JUST), Observation(LONG)
NONE, GONE, SILENT = Evidence(), Evidence(folder_lost=True), Evidence(silent_since=LONG)
WAS_ONLINE = Evidence(folder_lost=True, status_before="online")

TABLE = [
    # status, last_seen_at, observation, evidence before, offline_after,
    # status, last_seen_at, why it moved, evidence after
    ("offline", None, NOTHING, NONE, DAY, "offline", None, None, NONE),
    ("online", None, NEW, NONE, DAY, "online", JUST, None, NONE),
    ("offline", HOUR, NEW, NONE, DAY, "online", JUST, "upload", NONE),
    ("error", HOUR, NEW, NONE, DAY, "online", JUST, "upload", NONE),
    ("error", None, NEW, WAS_ONLINE, DAY, "online", JUST, "upload", NONE),
    ("offline", JUST, NEW, NONE, DAY, "offline", JUST, None, NONE),
    ("offline", JUST, Observation(HOUR), NONE, DAY, "offline", JUST, None, NONE),
    # Silence.
    ("online", HOUR, NOTHING, NONE, DAY, "online", HOUR, None, NONE),
    ("online", LONG, NOTHING, NONE, DAY, "offline", LONG, "silence", SILENT),
    ("online", ago(DAY - 1), NOTHING, NONE, DAY, "online", ago(DAY - 1), None, NONE),
    ("online", LONG, NOTHING, NONE, 0, "online", LONG, None, NONE),
    ("online", LONG, NOTHING, SILENT, DAY, "online", LONG, None, SILENT),
    ("online", ago(2 * DAY), OLD, NONE, DAY, "offline", LONG, "silence", SILENT),
    ("online", None, OLD, NONE, DAY, "offline", LONG, "silence", SILENT),
    ("online", None, OLD, NONE, 0, "online", LONG, None, NONE),
    ("error", ago(2 * DAY), OLD, NONE, DAY, "offline", LONG, "silence", SILENT),
    # A camera that was seen before, and the loss of its folder.
    ("online", HOUR, LOST, NONE, DAY, "error", HOUR, "folder", GONE),
    ("offline", HOUR, LOST, NONE, DAY, "error", HOUR, "folder", GONE),
    ("online", HOUR, LOST_LONG, GONE, DAY, "online", HOUR, None, GONE),
    ("online", LONG, LOST_LONG, GONE, DAY, "online", LONG, None, GONE),
    ("error", HOUR, LOST, GONE, DAY, "error", HOUR, None, GONE),
    ("error", HOUR, NOTHING, GONE, DAY, "error", HOUR, None, NONE),
    ("error", LONG, NOTHING, NONE, DAY, "error", LONG, None, NONE),
    # A camera that was never seen, and the loss of its folder.
    ("online", None, LOST, NONE, DAY, "online", None, None, NONE),
    ("online", None, LOST_LONG, NONE, DAY, "error", None, "folder", WAS_ONLINE),
    ("error", None, LOST_LONG, NONE, DAY, "error", None, None, GONE),
    ("error", None, LOST_LONG, WAS_ONLINE, DAY, "error", None, None, WAS_ONLINE),
    ("offline", None, LOST_LONG, GONE, DAY, "offline", None, None, GONE),
    ("error", None, NOTHING, WAS_ONLINE, DAY, "online", None, "folder", NONE),
    ("error", None, NOTHING, GONE, DAY, "error", None, None, NONE),
    ("offline", None, NOTHING, WAS_ONLINE, DAY, "offline", None, None, NONE),
]


@pytest.mark.parametrize("row", TABLE)
def test_the_rule(row):
    status, last_seen_at, seen, evidence, offline_after, *decision = row
    camera = {"status": status, "last_seen_at": last_seen_at}
    assert decide(camera, seen, evidence, NOW, offline_after) == Decision(*decision)


@pytest.mark.parametrize("row", TABLE)
def test_the_same_observation_never_changes_a_status_twice(row):
    status, last_seen_at, seen, evidence, offline_after, *_ = row
    camera = {"status": status, "last_seen_at": last_seen_at}
    first = decide(camera, seen, evidence, NOW, offline_after)
    person = {"status": "online", "last_seen_at": first.last_seen_at}
    if first.reason:
        assert decide(person, seen, first.evidence, NOW, offline_after).reason is None
