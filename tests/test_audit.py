"""Does the audit log say who changed what, when and from where?"""

from datetime import UTC, datetime

import pytest

from app import clock
from app.services import audit
from app.services.audit import Caller
from tests.rows import entries_of

NOW = datetime(2025, 12, 23, 10, 0, 0, 5, UTC)


def test_an_entry_holds_no_token(app):
    secret = "nvr_" + "x" * 43
    changes = {"name": {"old": secret, "new": f"my {secret}"}}
    audit.record("x", Caller("cli"), "camera", {"id": "1", "name": secret}, {"changes": changes})
    (entry,) = entries_of("1")
    assert entry["resource_name"] == "nvr_(hidden)"
    assert entry["details"]["changes"]["name"] == {"old": "nvr_(hidden)", "new": "my nvr_(hidden)"}


def test_an_entry_says_who_changed_what_when_and_from_where(app, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    camera = {"id": "1", "name": "Tür ✓", "status": "online"}
    by = Caller("anonymous", "192.0.2.1", "curl/8")
    audit.record("camera_created", by, "camera", camera, {"name": "Tür ✓"})
    (entry,) = entries_of("1")
    assert list(entry.items()) == [
        ("id", 1),
        ("timestamp", "2025-12-23T10:00:00.000005Z"),
        ("action", "camera_created"),
        ("resource_type", "camera"),
        ("resource_id", "1"),
        ("resource_name", "Tür ✓"),
        ("actor", "anonymous"),
        ("ip_address", "192.0.2.1"),
        ("user_agent", "curl/8"),
        ("details", {"name": "Tür ✓"}),
    ]


def test_unknown_facts_of_an_entry_are_null(app):
    audit.record("event_updated", Caller("monitor"), "event", {"id": 7}, {})
    (entry,) = entries_of("7")
    assert (entry["resource_id"], entry["resource_name"]) == ("7", None)
    assert (entry["actor"], entry["ip_address"], entry["user_agent"]) == ("monitor", None, None)


def test_entries_of_one_resource_come_oldest_first(app):
    for action, resource in (("b", "1"), ("x", "2"), ("a", "1")):
        audit.record(action, Caller("anonymous"), "camera", {"id": resource}, {})
    assert [entry["action"] for entry in entries_of("1")] == ["b", "a"]
    assert entries_of("3") == []


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        ({}, {}),
        ({"name": "a", "seen": None}, {}),
        ({"name": "b"}, {"name": {"old": "a", "new": "b"}}),
        ({"name": "a", "seen": "now"}, {"seen": {"old": None, "new": "now"}}),
    ],
)
def test_differences_are_the_fields_that_change(new, changes):
    assert audit.differences({"id": "1", "name": "a", "seen": None}, new) == changes


def test_over_http_the_caller_is_the_peer_whatever_headers_claim(client, camera):
    client.patch(
        f"/api/cameras/{camera['id']}",
        json={"name": "Side"},
        headers={"User-Agent": "curl/8", "X-Forwarded-For": "192.0.2.9", "Forwarded": "for=x"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )
    entry = entries_of(camera["id"])[-1]
    assert (entry["actor"], entry["ip_address"]) == ("anonymous", "192.0.2.1")
    assert entry["user_agent"] == "curl/8"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("a" * 501, "a" * 500), ("a\x1b[2Jb\tc", "a\ufffd[2Jb\ufffdc"), ("", None)],
    ids=["long", "control characters", "none"],
)
def test_a_user_agent_is_short_and_harmless(client, camera, sent, kept):
    client.delete(f"/api/cameras/{camera['id']}", headers={"User-Agent": sent})
    assert entries_of(camera["id"])[-1]["user_agent"] == kept
