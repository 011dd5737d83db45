"""Can no name spoil Home Assistant's entities, and does nothing of MQTT run without a broker?"""

import json
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from jinja2 import Environment

from app import clock
from app.config import BadSetting, public_url
from app.environment import read_settings
from app.mqtt import connection
from app.mqtt.connection import Broker, Connection
from app.mqtt.discovery import Origin, Topics, camera_config, components, slug
from app.mqtt.object_types import MOST_TYPES, ObjectTypes
from tests.e2e.server import PROJECT

TOPICS = Topics("nvr", "homeassistant")
CAMERA = {"id": "123e4567-e89b-12d3-a456-426614174000", "name": "Front Door"}
HOSTILE = [
    *("status", "camera", "picture", "event", "detection", "last_upload", "type_person", ""),
    *("'", '"', "\\", "'}} {{ 1 }}", "{% raw %}", "{# x #}", "{{{", "人", "犬", "\u2028"),
    *("Person", "person", "PERSON", "per son", "per_son", "x" * 50, "{{ 'person' }}"),
]
NO_BROKERS = [
    *("broker", "http://broker", "mqtt://", "mqtt:broker", "mqtt://:1883", "mqtt://user@"),
    *("mqtt://broker:0x1", "mqtt://broker:70000", "mqtt://broker/path", "mqtt://broker?x=1"),
    *("mqtt://broker#x", "mqtt://[::1", "ws://broker"),
]


def test_no_object_type_replaces_a_component_or_acts_as_a_template(subtests):
    own = components(TOPICS, CAMERA["id"], [])
    found = components(TOPICS, CAMERA["id"], HOSTILE)
    assert own.items() <= found.items()
    assert len(found) == len(own) + 1 + 2 * len(HOSTILE)
    for object_type in HOSTILE:
        with subtests.test(object_type):
            seen = Environment().from_string(found[f"type_{slug(object_type)}"]["value_template"])
            for other in HOSTILE:
                shown = seen.render(value_json={"event_type": other})
                assert shown == ("ON" if other == object_type else "None")
            payload = found[f"trigger_{slug(object_type)}"]["payload"]
            assert Environment().from_string(payload).render() == object_type


def test_the_device_of_a_camera_has_what_home_assistant_expects_of_a_type():
    origin = Origin("1.0", "http://nvr.local:8000", "box")
    gone = {"type_cat": "binary_sensor"}
    config = json.loads(camera_config(TOPICS, origin, CAMERA, ["person"], gone))
    device, topic = f"nvr_{CAMERA['id']}", f"nvr/{CAMERA['id']}/detection"
    assert config["components"]["type_cat"] == {"platform": "binary_sensor"}
    assert config["components"]["detection"] == {
        "platform": "event",
        "unique_id": f"{device}_detection",
        "name": "Detection",
        "event_types": ["person"],
        "state_topic": topic,
    }
    assert config["components"]["type_person"] == {
        "platform": "binary_sensor",
        "unique_id": f"{device}_type_person",
        "name": "Person",
        "device_class": "occupancy",
        "state_topic": topic,
        "value_template": "{{ 'ON' if value_json.event_type == 'person' else None }}",
        "off_delay": 10,
    }
    assert config["components"]["trigger_person"] == {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": "detected",
        "subtype": "person",
        "topic": topic,
        "value_template": "{{ value_json.event_type }}",
        "payload": "person",
    }


def test_the_types_of_a_camera_are_the_most_frequent_of_30_days_and_stay_as_long_as_they_are(
    client, camera
):
    def post(*names, days=0):
        moment = clock.rfc3339(clock.now() - timedelta(days=days))
        rows = [
            {
                "camera_id": camera["id"],
                "object_type": name,
                "confidence": 1,
                "detected_at": moment,
            }
            for name in names
        ]
        assert client.post("/api/detections", json={"detections": rows}).status_code == 201

    types = ObjectTypes(TOPICS, camera["id"])
    post(*["ancient"] * 9, days=31)
    post(*(f"old {number:02}" for number in range(MOST_TYPES)))
    types.count()
    first = types.names
    assert first == [f"old {number:02}" for number in range(MOST_TYPES)]
    assert types.is_count_due()
    types.note_published()
    post("another", "frequent", "frequent")
    types.count()
    assert not types.is_count_due()
    assert types.names == sorted(["frequent", *first[:-1]])
    gone = slug(first[-1])
    assert types.removed() == {
        f"type_{gone}": "binary_sensor",
        f"trigger_{gone}": "device_automation",
    }
    types.note_published()
    assert f"type_{gone}" in types.removed()
    post(*[first[-1]] * 3)
    types.count()
    assert f"type_{gone}" not in types.removed()
    assert types.shrink()
    assert types.names == sorted([first[-1], "frequent", *first[: MOST_TYPES // 2 - 2]])


def test_types_that_do_not_fit_into_a_packet_are_left_out_until_none_is_left(client, camera):
    types = ObjectTypes(TOPICS, camera["id"])
    rows = [
        {"camera_id": camera["id"], "object_type": name, "confidence": 1}
        for name in ("cat", "dog")
    ]
    client.post("/api/detections", json={"detections": rows})
    types.count()
    types.note_published()
    left = []
    while types.shrink():
        left.append(types.names)
        assert types.removed() == {}
    assert left == [["cat"], []]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("mqtt://broker", ("mqtt", "broker", "1883", "", "")),
        ("mqtts://broker.lan", ("mqtts", "broker.lan", "8883", "", "")),
        ("mqtt://nvr:p%40ss%2F@[::1]:1884/", ("mqtt", "::1", "1884", "nvr", "p@ss/")),
    ],
)
def test_the_url_of_a_broker_is_read(environ, text, parts):
    assert read_settings(environ | {"NVR_MQTT_URL": text})["NVR_MQTT_URL"] == parts


@pytest.mark.parametrize("text", NO_BROKERS)
def test_a_bad_url_of_a_broker_is_refused(environ, text):
    with pytest.raises(BadSetting, match=r"^NVR_MQTT_URL=.* cannot be used: give mqtt\[s\]://"):
        read_settings(environ | {"NVR_MQTT_URL": text})


@pytest.mark.parametrize(
    "text",
    [
        "mqtt://nvr:s3cret@broker/path",
        "mqtt:nvr:s3cret@broker",
        "nvr:s3cret@broker",
        "mqtt://nvr:s3cret",
        "mqtt//nvr:s3cret@broker",
    ],
)
def test_a_refused_url_of_a_broker_shows_no_password(environ, text):
    with pytest.raises(BadSetting) as error:
        read_settings(environ | {"NVR_MQTT_URL": text})
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"NVR_HOST": "::1", "NVR_PORT": "81"}, "http://[::1]:81"),
        ({"NVR_HOST": "nvr.lan"}, "http://nvr.lan:8000"),
        ({"NVR_HOST": "0.0.0.0"}, "http://box:8000"),
        ({"NVR_HOST": "::"}, "http://box:8000"),
        ({"NVR_PUBLIC_URL": "https://nvr.example/cameras/"}, "https://nvr.example/cameras"),
    ],
)
def test_the_public_url_is_the_setting_or_where_the_service_listens(
    environ, monkeypatch, given, url
):
    monkeypatch.setattr("app.config.socket.gethostname", lambda: "box")
    assert public_url(read_settings(environ | given)) == url


@pytest.mark.parametrize(
    "text", ["nvr.local", "ftp://nvr", "http://", "http://nvr?x", "http://a b"]
)
def test_a_bad_public_url_is_refused(environ, text):
    with pytest.raises(BadSetting, match="NVR_PUBLIC_URL"):
        read_settings(environ | {"NVR_PUBLIC_URL": text})


def test_a_broker_that_accepts_and_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(connection, "ACCEPT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = Broker("127.0.0.1", silent.getsockname()[1], "", "", None)
        made = Connection(broker, "nvr", "nvr/status", lambda message: None)
        deadline = time.monotonic() + 30
        while not made.loss and time.monotonic() < deadline:
            made.run_loop(0.02)
        assert made.loss == "the broker does not answer"
        assert not made.is_ready
        made.close(0.01)


def test_without_a_broker_and_a_rule_nothing_is_imported_and_no_thread_is_begun(environ):
    program = (
        "import sys, threading, app.server.main as server, app\n"
        "made = app.create_app()\n"
        "jobs = server.start_jobs(made)\n"
        "client = made.test_client()\n"
        "camera = client.post('/api/cameras', json={'name': 'a', 'folder_path': 'a'}).json\n"
        "seen = {'camera_id': camera['id'], 'object_type': 'person', 'confidence': 0.9}\n"
        "assert client.post('/api/detections', json=seen).status_code == 201\n"
        "threads = {each.name for each in threading.enumerate()} - {job.name for job in jobs}\n"
        "print(threads - {'MainThread', 'writer'}, 'mqtt' in {job.name for job in jobs})\n"
        "wanted = 'mqtt', 'paho', 'apprise'\n"
        "print([name for name in sys.modules if name.startswith(wanted) or '.mqtt' in name])\n"
    )
    command = [sys.executable, "-c", program]
    shown = subprocess.run(command, env=environ, cwd=PROJECT, capture_output=True, text=True)
    assert shown.stdout == "set() False\n[]\n", shown.stdout + shown.stderr
