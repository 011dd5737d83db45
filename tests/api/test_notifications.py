"""The rules of notifications over HTTP: the contract, then hostile input."""

import base64
import re
import threading
import time

import pytest
from standardwebhooks import Webhook

from app.notify import sending, signing, urls
from app.schemas import notifications as schemas
from tests.problems import assert_problem
from tests.receivers import receiving, status
from tests.rows import entries_of

URL = "/api/notifications"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HOOK = "https://joe:pa55word@hooks.example.org:8443/services/T0KEN?key=T0KEN#T0KEN"
SHOWN = "https://***:***@hooks.example.org:8443/***?***"
LEAST = {"name": "Telephone", "url": HOOK, "kinds": ["detection"]}
DEFAULTS = {
    "cameras": None,
    "object_types": None,
    "min_confidence": None,
    "min_risk_level": None,
    "quiet_hours": None,
    "cooldown_seconds": 0,
    "with_picture": False,
    "enabled": True,
}


@pytest.fixture
def rule(client):
    response = client.post(URL, json=LEAST | {"secret": SECRET})
    assert response.status_code == 201
    return response.json


def test_a_rule_needs_a_name_a_url_and_kinds(client):
    created = client.post(URL, json=LEAST)
    assert created.status_code == 201
    rule = created.json
    assert signing.is_secret(rule.pop("secret"))
    assert rule == {"id": rule["id"], **LEAST, **DEFAULTS, "url": SHOWN}
    assert created.headers["Location"] == f"{URL}/{rule['id']}"
    assert client.get(created.headers["Location"]).json == rule
    assert client.get(URL).json == {"notifications": [rule], "count": 1}
    problem = assert_problem(client.post(URL, json={}), 422, "validation_failed")
    assert problem["errors"]["json"].keys() == LEAST.keys()


def test_a_secret_that_is_given_is_never_shown(client, rule):
    assert "secret" not in rule
    texts = [client.get(path).text for path in (URL, f"{URL}/{rule['id']}", "/api/audit")]
    key = SECRET.removeprefix(signing.PREFIX)
    assert not [text for text in texts if key in text or "pa55word" in text or "T0KEN" in text]


def test_every_field_is_kept(client, camera):
    fields = LEAST | {
        "kinds": ["event", "storage_low"],
        "cameras": [camera["id"]],
        "object_types": ["person", "Hündchen 🐕"],
        "min_confidence": 0.5,
        "min_risk_level": "high",
        "quiet_hours": {"from": "22:00", "to": "06:30"},
        "cooldown_seconds": 300,
        "with_picture": True,
        "enabled": False,
    }
    created = client.post(URL, json=fields).json
    assert client.get(f"{URL}/{created['id']}").json == {
        "id": created["id"],
        **fields,
        "url": SHOWN,
    }


def test_a_patch_changes_only_the_given_fields_and_is_audited_without_secrets(client, rule):
    url = f"{URL}/{rule['id']}"
    changed = client.patch(url, json={"enabled": False, "secret": signing.make_secret()})
    assert changed.json == rule | {"enabled": False}
    moved = client.patch(url, json={"url": "http://10.0.0.7/T0KEN"})
    assert moved.json["url"] == "http://10.0.0.7/***"
    assert client.delete(url).status_code == 204
    assert_problem(client.get(url), 404, "notification_not_found")
    entries = entries_of(str(rule["id"]))
    assert [entry["action"] for entry in entries] == [
        "notification_created",
        *["notification_updated"] * 2,
        "notification_deleted",
    ]
    assert {entry["resource_type"] for entry in entries} == {"notification"}
    assert entries[1]["details"]["changes"] == {
        "enabled": {"old": True, "new": False},
        "secret": {"old": "***", "new": "***"},
    }
    assert entries[2]["details"]["changes"] == {
        "url": {"old": SHOWN, "new": "http://10.0.0.7/***"}
    }
    assert not re.search("T0KEN|pa55word|whsec_", client.get("/api/audit").text)


def test_a_url_as_it_was_shown_means_the_one_that_is_stored(client, rule):
    url = f"{URL}/{rule['id']}"
    assert client.patch(url, json=client.get(url).json["url"] and {"url": SHOWN}).json == rule
    assert len(entries_of(str(rule["id"]))) == 1
    for hidden in ("https://hooks.example.org/***", "https://***@hooks.example.org:8443/"):
        answer = client.patch(url, json={"url": hidden})
        assert assert_problem(answer, 422, "validation_failed")["errors"]["json"].keys() == {"url"}


def test_a_patch_without_a_change_is_not_audited(client, rule):
    for fields in ({}, {"name": rule["name"]}, {"kinds": rule["kinds"], "cameras": None}):
        assert client.patch(f"{URL}/{rule['id']}", json=fields).json == rule
    assert len(entries_of(str(rule["id"]))) == 1


def test_a_deleted_camera_is_removed_from_every_rule(client, camera):
    fields = LEAST | {"cameras": [camera["id"]]}
    rule = client.post(URL, json=fields).json
    client.delete(f"/api/cameras/{camera['id']}")
    assert client.get(f"{URL}/{rule['id']}").json["cameras"] == []


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", ["", "  ", None, 5, "a" * 101, "a\nb"]),
        ("url", ["", None, "example.org", "ftp:/x", "https://", "https:///path", "http://a:b/"]),
        ("url", ["http://a:99999/", "http://a:0/", "http://a b/", "https://x/\x00", "a" * 2001]),
        ("url", ["http://a\\b/", "http://[::1/", "http://" + "a" * 70 + "/"]),
        ("secret", [None, "", "whsec_", "secret", "whsec_" + "A" * 31, "whsec_ä", 5]),
        ("secret", ["whsec_" + base64.b64encode(bytes(n)).decode() for n in (23, 65)]),
        ("kinds", [None, [], ["test"], ["detection", None], "detection", {}]),
        ("cameras", ["", ["x"], [None], [5]]),
        ("object_types", [[], [""], ["a" * 51], [None], "person"]),
        ("min_confidence", [-0.1, 1.1, "0.5", True]),
        ("min_risk_level", ["severe", "", 5]),
        ("quiet_hours", [{}, {"from": "22:00"}, "22:00", {"from": "06:00", "to": "06:00"}]),
        ("quiet_hours", [{"from": hour, "to": "06:00"} for hour in ("24:00", "6:00", "06:00\n")]),
        ("cooldown_seconds", [None, -1, 1.5, "5", 10**9 + 1]),
        ("with_picture", [None, 0, "yes"]),
        ("enabled", [None, 1, "no"]),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(client, rule, field, values):
    for value in values:
        answers = [client.post(URL, json=LEAST | {field: value})]
        answers.append(client.patch(f"{URL}/{rule['id']}", json={field: value}))
        for answer in answers:
            problem = assert_problem(answer, 422, "validation_failed")
            fields = {name.partition(".")[0] for name in problem["errors"]["json"]}
            assert fields == {field}, value


def test_unknown_cameras_are_refused_by_their_place_in_the_list(client, camera):
    unknown = "123e4567-e89b-12d3-a456-426614174000"
    answer = client.post(URL, json=LEAST | {"cameras": [camera["id"], unknown]})
    assert assert_problem(answer, 422, "validation_failed")["errors"]["json"].keys() == {
        "cameras.1"
    }


def test_unknown_and_read_only_fields_are_refused(client, rule):
    for field in ("id", "token"):
        assert_problem(client.post(URL, json=LEAST | {field: 1}), 422, "validation_failed")
        answer = client.patch(f"{URL}/{rule['id']}", json={field: 1})
        assert_problem(answer, 422, "validation_failed")


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_an_unknown_rule_is_not_found(client, method):
    for rule_id in ("1", "0", "x", "9" * 18):
        answer = client.open(
            f"{URL}/{rule_id}", method=method, json={} if method == "patch" else None
        )
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (HOOK, SHOWN),
        ("http://box", "http://box"),
        ("HTTPS://box/", "https://box/"),
        ("http://[fd00::1]:80/a", "http://[fd00::1]:80/***"),
        ("http://box?token=a", "http://box?***"),
        ("http://box/#token", "http://box/***"),
        ("http://joe@box/a/b", "http://***@box/***"),
        ("https://box/@joe", "https://box/***"),
        ("mailto://joe:secret@example.org?to=a@b.c", "mailto://***:***@example.org?***"),
        ("mailtos://joe:secret@example.org:25/a@b.c", "mailtos://***:***@example.org:25/***"),
        ("mailto://joe:secret@example.org?to=joe", "mailto://***:***@example.org?***"),
        ("json://joe:sec/ret@box/a", "json://***"),
        ("json://joe:12/ret@box/a", "json://***"),
        ("json://a@joe:12#ret@box/a", "json://***"),
        ("json://a@joe:12\\ret@box/a", "json://***"),
        ("json://joe:12?ret@box/a", "json://***"),
        ("json://box/a", "json://box/***"),
        ("mailto://box:25?to=a@b.c", "mailto://box:25?***"),
        ("http://joe%3Apa55word%40box/a", "http://***"),
        ("http://[fe80::1%eth0]/a", "http://[fe80::1%eth0]/***"),
        ("http://bücher.example/a", "http://bücher.example/***"),
        ("tgram://123:token/chat", "tgram://***"),
        ("ntfy://topic", "ntfy://***"),
        ("discord://id/token?format=markdown", "discord://***"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert urls.redact(url) == shown


def test_the_examples_are_shaped_like_the_answers(client, rule):
    assert list(schemas.EXAMPLE_RULE) == list(rule)


def test_a_test_message_is_sent_whatever_the_rule_says(client):
    with receiving(lambda _: status(201)) as receiver:
        hours = {"from": "00:00", "to": "23:59"}
        fields = {"url": receiver.url, "enabled": False, "cameras": [], "quiet_hours": hours}
        rule = client.post(URL, json=LEAST | fields).json
        answer = client.post(f"{URL}/{rule['id']}/test")
        assert answer.json == {"ok": True, "status": 201, "error": None}
    (received,) = receiver.received
    message = Webhook(rule["secret"]).verify(received.body, received.headers)
    assert message == {"type": "test", "timestamp": message["timestamp"], "data": {}}
    assert client.get("/api/deliveries").json["count"] == 0


def test_a_test_message_that_fails_says_why(client):
    with receiving(lambda _: status(401)) as receiver:
        rule = client.post(URL, json=LEAST | {"url": receiver.url}).json
        answer = client.post(f"{URL}/{rule['id']}/test")
    assert answer.json == {"ok": False, "status": 401, "error": "the receiver answered 401"}
    assert_problem(client.post(f"{URL}/77/test"), 404, "notification_not_found")


def test_a_test_of_a_receiver_that_hangs_ends_in_time(app, client, monkeypatch):
    monkeypatch.setattr(sending, "TRIAL_SECONDS", 0.05)
    rule = client.post(URL, json=LEAST).json
    go_on, app.extensions["deliveries"].send = threading.Event(), lambda *_: go_on.wait(30)
    answers = [client.post(f"{URL}/{rule['id']}/test").json for _ in range(6)]
    go_on.set()
    assert {answer["ok"] for answer in answers} == {False}
    assert answers[0]["error"].startswith("no answer within")
    assert answers[5]["error"].startswith("other tests are running")
    while any("trial of" in thread.name for thread in threading.enumerate()):
        time.sleep(0.01)
