"""Which messages are written when something happens, and in which transaction?"""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app import clock, create_app
from app.db import writer
from app.models import DELIVERY_DAYS, Delivery, MqttMessage, Notification, NotificationCooldown
from app.notify import cleaning, matching, messages, outbox, rules
from app.services import occurrences
from app.services.audit import Caller
from app.services.clock_guard import ClockImplausible
from app.services.occurrences import Occurrence

NOW = clock.rfc3339(clock.now())
BY = Caller("anonymous")
NOON = datetime(2025, 12, 23, 12, tzinfo=UTC)
CAMERA = {"id": "1", "name": "Front Door"}


def add_rule(client, *kinds, **fields):
    """A rule's id."""
    body = {"name": "Hook", "url": "http://127.0.0.1:9/", "kinds": list(kinds), **fields}
    response = client.post("/api/notifications", json=body)
    assert response.status_code == 201, response.text
    return response.json["id"]


def detect(client, camera, *types, confidence=0.9, **fields):
    batch = [
        {
            "camera_id": camera["id"],
            "object_type": name,
            "confidence": confidence,
            "detected_at": NOW,
        }
        for name in types
    ]
    response = client.post("/api/detections", json={"detections": batch})
    assert response.status_code == 201, response.text
    return response.json["ids"]


def written(rule_id):
    """The bodies of the messages of a rule, oldest first."""
    rows = Delivery.select().where(Delivery.notification == rule_id).order_by(Delivery.id)
    return [json.loads(row.body) for row in rows]


def test_the_message_of_a_detection_has_its_camera_and_count(client, camera):
    rule = add_rule(client, "detection")
    (surest, _) = detect(client, camera, "person", "person")
    (body,) = written(rule)
    address = "http://127.0.0.1:8000"
    shown = client.get(f"/api/detections/{surest}").json
    assert body == {
        "type": "detection",
        "timestamp": body["timestamp"],
        "data": {
            "camera": {
                "id": camera["id"],
                "name": camera["name"],
                "snapshot_url": f"{address}/api/cameras/{camera['id']}/snapshot",
            },
            "detection": shown | {"count": 2},
        },
    }
    assert list(body["data"]["detection"]) == [*shown, "count"]


def test_the_message_of_a_new_status_has_the_one_before(client, camera):
    rule = add_rule(client, "camera_offline")
    client.patch(f"/api/cameras/{camera['id']}", json={"status": "offline"})
    client.patch(f"/api/cameras/{camera['id']}", json={"status": "online"})
    (body,) = written(rule)
    told = body["data"]["camera"]
    assert (body["type"], told["status"]) == ("camera_offline", "offline")
    assert told["previous_status"] == camera["status"]


def test_the_message_of_an_event_has_the_event_as_the_api_shows_it(client, camera):
    rule = add_rule(client, "event", "event_reviewed")
    event = {"camera_id": camera["id"], "started_at": NOW, "risk_score": 20}
    url = f"/api/events/{client.post('/api/events', json=event).json['id']}"
    shown = [client.get(url).json]
    for fields in ({"risk_score": 99}, {"reviewed": True}):
        shown.append(client.patch(url, json=fields).json)
    told = written(rule)
    assert [body["type"] for body in told] == ["event", "event", "event_reviewed"]
    assert [body["data"]["event"] for body in told] == shown


def test_filters_decide_which_messages_are_written(client, camera):
    assert detect(client, camera, "person")
    of_dogs = add_rule(client, "detection", object_types=["dog", "cat"])
    of_others = add_rule(client, "detection", cameras=[])
    sure = add_rule(client, "detection", min_confidence=0.9)
    surer = add_rule(client, "detection", min_confidence=0.91)
    disabled = add_rule(client, "detection", enabled=False)
    detect(client, camera, "person", "dog")
    assert [len(written(rule)) for rule in (of_dogs, of_others, sure, surer, disabled)] == [
        *(1, 0, 2, 0, 0)
    ]
    assert written(of_dogs)[0]["data"]["detection"]["object_type"] == "dog"


@pytest.mark.parametrize(
    ("least", "level", "passes"),
    [
        (None, None, True),
        ("low", None, False),
        ("high", "medium", False),
        ("high", "high", True),
        ("high", "critical", True),
    ],
)
def test_an_event_needs_the_least_risk_level(client, least, level, passes):
    rule = Notification.one(add_rule(client, "event", min_risk_level=least))
    event = Occurrence("event", NOW, CAMERA, {"event": {"risk_level": level}})
    assert matching.passes_filters(rule, event) is passes


def test_an_event_without_detections_has_no_object_type(client):
    rule = Notification.one(add_rule(client, "event", object_types=["person"]))
    event = Occurrence("event", NOW, CAMERA, {"event": {"risk_level": None}})
    assert not matching.passes_filters(rule, event)
    types = frozenset({"person", "dog"})
    assert matching.passes_filters(rule, event._replace(object_types=types))


@pytest.mark.parametrize(
    ("begin", "end", "quiet", "loud"),
    [
        ("22:00", "06:30", ["22:00", "23:59", "00:00", "06:29"], ["21:59", "06:30", "12:00"]),
        ("12:00", "13:00", ["12:00", "12:59"], ["11:59", "13:00", "00:00"]),
    ],
)
def test_quiet_hours_may_pass_midnight(begin, end, quiet, loud):
    hours = {"from": begin, "to": end}
    assert all(matching.is_quiet(hours, time) for time in quiet)
    assert not any(matching.is_quiet(hours, time) for time in loud)
    assert not matching.is_quiet(None, "12:00")


def test_quiet_hours_are_those_of_the_box(client):
    rule = Notification.one(
        add_rule(client, "event", quiet_hours={"from": "12:30", "to": "13:30"})
    )
    event = Occurrence("event", NOW, CAMERA, {"event": {"risk_level": None}})
    east = timezone(timedelta(hours=1))
    for zone, told in ((UTC, True), (east, False)):
        assert (
            writer.run(lambda zone=zone: matching.should_report(rule, event, NOON, zone)) is told
        )


@pytest.mark.parametrize(
    ("zone", "hours", "quiet", "loud"),
    [
        # The clock goes from 02:00 CET to 03:00 CEST at 01:00 UTC, and back at 01:00 UTC.
        (
            "Europe/Berlin",
            ("22:00", "02:30"),
            ["2026-03-28T21:00", "2026-03-29T00:59", "2026-10-25T00:29", "2026-10-25T01:29"],
            ["2026-03-28T20:59", "2026-03-29T01:00", "2026-10-25T00:30", "2026-10-25T01:30"],
        ),
        (
            "Europe/Berlin",
            ("02:15", "02:45"),
            ["2026-03-28T01:15", "2026-10-25T00:15", "2026-10-25T01:44"],
            ["2026-03-29T00:59", "2026-03-29T01:00", "2026-10-25T00:45", "2026-10-25T01:45"],
        ),
        # By half an hour: from 02:00 to 02:30 at 15:30 UTC, and back from 02:00 to 01:30 at 15:00.
        (
            "Australia/Lord_Howe",
            ("23:30", "01:45"),
            ["2026-10-03T13:00", "2026-10-03T15:14", "2026-04-04T14:44", "2026-04-04T15:14"],
            ["2026-10-03T12:59", "2026-10-03T15:15", "2026-04-04T14:45", "2026-04-04T15:15"],
        ),
    ],
)
def test_quiet_hours_are_local_times_also_where_clocks_change(client, zone, hours, quiet, loud):
    hours = dict(zip(("from", "to"), hours, strict=True))
    rule = Notification.one(add_rule(client, "event", quiet_hours=hours))
    event = Occurrence("event", NOW, CAMERA, {"event": {"risk_level": None}})

    def told(moment):
        now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        return writer.run(lambda: matching.should_report(rule, event, now, clock.zone(zone)))

    assert [moment for moment in quiet if told(moment)] == []
    assert [moment for moment in loud if not told(moment)] == []


def test_quiet_hours_move_with_the_time_zone_of_the_box(client, camera):
    hour = timedelta(hours=1)
    sides = (f"{clock.now() + away:%H:%M}" for away in (-hour, hour))
    rule = add_rule(client, "detection", quiet_hours=dict(zip(("from", "to"), sides, strict=True)))
    for zone, number in (("UTC", 0), ("Asia/Tokyo", 1), ("UTC", 1)):
        assert client.patch("/api/settings", json={"timezone": zone}).status_code == 200
        detect(client, camera, "person")
        assert len(written(rule)) == number


def take(rule, kind="event", level=None, types=(), camera=CAMERA, after=0.0):
    """Whether the rule reports an occurrence that happens this many seconds after noon."""
    data = {kind: {"risk_level": level, "confidence": 1.0}}
    occurrence = Occurrence(kind, NOW, camera, data, frozenset(types))
    now = NOON + timedelta(seconds=after)
    return writer.run(lambda: matching.should_report(rule, occurrence, now, UTC))


def test_a_cooldown_holds_for_a_camera_a_kind_and_an_object_type(client):
    rule = Notification.one(add_rule(client, "event", "detection", cooldown_seconds=60))
    assert take(rule, "detection", types=["person"])
    assert not take(rule, "detection", types=["person"], after=59.9)
    assert take(rule, "detection", types=["dog"])
    assert take(rule, "event", types=["person"])
    assert take(rule, "detection", types=["person"], camera={"id": "2", "name": "Yard"})
    assert take(rule, "detection", types=["person"], after=60)
    assert not take(rule, "detection", types=["person"], after=119)
    assert take(rule, "detection", types=["person"], after=30), "the clock was set back"


def test_what_a_filter_refuses_begins_no_cooldown(client):
    rule = Notification.one(
        add_rule(client, "event", cooldown_seconds=60, min_risk_level="medium")
    )
    assert not take(rule, level="low")
    assert take(rule, level="medium", after=1)


def test_an_event_of_a_higher_risk_level_passes_the_cooldown(client):
    rule = Notification.one(add_rule(client, "event", cooldown_seconds=60))
    told = [take(rule, level=level) for level in (None, None, "low", "high", "low", "high")]
    assert told == [True, False, True, True, False, False]
    assert take(rule, level="critical")


def test_an_event_is_reported_while_one_of_its_object_types_has_no_cooldown(client):
    rule = Notification.one(add_rule(client, "event", cooldown_seconds=60))
    assert take(rule, types=["person"])
    assert take(rule, types=["person", "dog"])
    assert not take(rule, types=["dog"])


def test_at_most_a_thousand_messages_wait_for_a_receiver(client, camera):
    rule = add_rule(client, "detection")
    other = add_rule(client, "detection", object_types=["type 0"])
    for start in (0, 500, 1000):
        detect(client, camera, *(f"type {start + n}" for n in range(500)))
    first, last = detect(client, camera, "type 1500", "type 1501")
    assert last == first + 1
    states = client.get(f"/api/deliveries?notification_id={rule}&limit=1000").json
    assert states["count"] == 1502
    given_up = client.get(f"/api/deliveries?notification_id={rule}&state=given_up&limit=1000")
    ids = [row["id"] for row in given_up.json["deliveries"]]
    assert len(ids) == given_up.json["count"] == 502
    assert {row["error"] for row in given_up.json["deliveries"]} == {outbox.TOO_MANY}
    waiting = Delivery.select().where(Delivery.notification == rule, Delivery.state == "waiting")
    assert min(row.id for row in waiting) > max(ids)
    assert len(written(other)) == 1


def test_a_change_that_is_undone_writes_no_message(client, camera):
    rule = add_rule(client, "camera_error")

    def fail():
        occurrences.report_status(camera, "online", "error")
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        writer.run(fail)
    assert written(rule) == []


def test_deleting_a_rule_deletes_its_messages(client, camera):
    rule = add_rule(client, "detection", cooldown_seconds=60)
    detect(client, camera, "person")
    assert client.get("/api/deliveries").json["count"] == 1
    rules.delete_rule(rule, BY)
    assert client.get("/api/deliveries").json["count"] == 0


def test_deliveries_are_paged(client, camera):
    rule = add_rule(client, "detection")
    detect(client, camera, *(f"type {n}" for n in range(5)))
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/deliveries?limit=2{cursor and '&cursor=' + cursor}").json
        seen += page["deliveries"]
        cursor = page["next_cursor"]
    assert [row["id"] for row in seen] == sorted((row["id"] for row in seen), reverse=True)
    assert seen[0] == {
        "id": seen[0]["id"],
        "notification_id": rule,
        "kind": "detection",
        "created_at": seen[0]["created_at"],
        "state": "waiting",
        "attempts": 0,
        "delivered_at": None,
        "error": None,
    }


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"NVR_HOST": "::1", "NVR_PORT": "80"}, "http://[::1]:80"),
        ({"NVR_HOST": "nvr.lan"}, "http://nvr.lan:8000"),
        ({"NVR_HOST": "0.0.0.0"}, "http://mybox:8000"),
        ({"NVR_HOST": "::"}, "http://mybox:8000"),
        ({"NVR_PUBLIC_URL": "https://nvr.example.org/cams/"}, "https://nvr.example.org/cams"),
    ],
)
def test_messages_point_to_the_public_address(environ, monkeypatch, settings, address):
    monkeypatch.setattr("socket.gethostname", lambda: "mybox")
    assert messages.public_address(create_app(environ | settings)) == address


def test_messages_are_deleted_after_seven_days(client, camera):
    rule = add_rule(client, "detection", cooldown_seconds=60)
    detect(client, camera, "person", "dog")
    ids = [row.id for row in Delivery.select().order_by(Delivery.id)]
    old = clock.rfc3339(clock.now() - timedelta(days=DELIVERY_DAYS, seconds=1))
    writer.run(lambda: Delivery.change(ids[0], {"created_at": old}))
    key = {"notification": rule, "camera": camera["id"], "kind": "detection"}
    writer.run(lambda: NotificationCooldown.note(key | {"object_type": "dog"}, old, None))
    assert writer.run(cleaning.delete_some) == 1
    assert [row.id for row in Delivery.select()] == ids[1:]
    assert [row.object_type for row in NotificationCooldown.select()] == ["person"]


def test_nothing_is_deleted_while_the_clock_is_implausible(client, caplog):
    class Guard:
        implausible = True

        def check(self):
            if self.implausible:
                raise ClockImplausible("it jumped")

    add_rule(client, "detection")
    guard, ran = Guard(), []
    job = cleaning.Cleaning(guard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "delete_some", lambda: ran.append(1) or 0)
        job.run_if_due()
        assert ran == []
        assert "it jumped" in caplog.text
        cleaning.Cleaning(Guard()).run_if_due()
        guard.implausible = False
        job.run_if_due()
        assert ran == [], "the next run is in an hour"
        cleaning.Cleaning(guard).run_if_due()
    assert ran == [1]


def test_health_and_metrics_report_messages_that_were_given_up(client, camera):
    rule = add_rule(client, "detection")
    detect(client, camera, "person", "dog", "cat")
    health = client.get("/api/system/health").json["checks"]["deliveries"]
    assert health["status"] == "healthy"
    first, second, _ = (row.id for row in Delivery.select().order_by(Delivery.id))
    now, old = clock.now(), clock.rfc3339(clock.now() - timedelta(hours=25))
    writer.run(lambda: Delivery.end(first, "given_up", "404", clock.rfc3339(now)))
    writer.run(lambda: Delivery.end(second, "given_up", "404", old))
    health = client.get("/api/system/health").json["checks"]["deliveries"]
    assert health["status"] == "degraded"
    assert "24 hours: 1." in health["message"]
    metrics = client.get("/metrics").text
    assert 'nvr_deliveries{state="waiting"} 1.0' in metrics
    assert 'nvr_deliveries{state="given_up"} 2.0' in metrics
    age = float(metrics.partition("\nnvr_deliveries_oldest_waiting_age_seconds ")[2].split()[0])
    assert 0 <= age < 600
    client.delete(f"/api/notifications/{rule}")
    assert "\nnvr_deliveries_oldest_waiting_age_seconds 0.0" in client.get("/metrics").text


def test_the_messages_for_mqtt_are_limited_and_written_only_where_a_broker_is_named(
    environ, client, camera, monkeypatch
):
    monkeypatch.setattr(outbox, "MOST_MQTT", 3)
    detect(client, camera, "cat")
    assert MqttMessage.after(0, 10) == []
    publishing = create_app(environ | {"NVR_MQTT_URL": "mqtt://127.0.0.1:1"}).test_client()
    ids = [detect(publishing, camera, "person")[0] for _ in range(5)]
    stored = [json.loads(row["body"]) for row in MqttMessage.after(0, 10)]
    assert [row["id"] for row in stored] == ids[2:]
