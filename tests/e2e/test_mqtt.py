"""Which messages does a real MQTT broker get?"""

import io
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import uuid
from contextlib import closing
from datetime import timedelta

import pytest
import requests
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from peewee import OperationalError
from PIL import Image

from app import clock, create_app
from app.models import MqttMessage
from app.mqtt import devices, publisher
from app.mqtt.connection import Broker, Connection
from app.mqtt.pictures import Pictures
from tests.clips import H264, make_clip, needs_ffmpeg
from tests.e2e.broker import DEADLINE_SECONDS, Mosquitto, Reader, needs_mosquitto
from tests.e2e.process import written_bytes
from tests.e2e.server import PROJECT, NotStarted, Server
from tests.pictures import picture, put

pytestmark = [pytest.mark.slow, needs_mosquitto]
DOCUMENT = (PROJECT / "docs" / "mqtt.md").read_text()


class PublishingServer(Server):
    """A service that publishes on a broker, and its API."""

    def api(self, method, path, **body):
        answer = requests.request(
            method, f"{self.url}/api{path}", **({"json": body} if body else {})
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def register(self, name, folder_path=None):
        return self.api("POST", "/cameras", name=name, folder_path=folder_path or name)["id"]

    def detect(self, camera_id, object_type, confidence=0.5, **more):
        seen = {"camera_id": camera_id, "object_type": object_type, "confidence": confidence}
        return self.api("POST", "/detections", **seen, **more)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def box(broker, tmp_path_factory):
    settings = {"NVR_MQTT_URL": broker.url, "NVR_MQTT_PICTURE_SECONDS": "1"}
    settings |= {"NVR_MQTT_PICTURE_WIDTH": "64", "NVR_PUBLIC_URL": "http://nvr.local:8000"}
    with PublishingServer(tmp_path_factory.mktemp("box"), **settings) as box:
        with Reader(broker.port) as reader:
            reader.wait("nvr/status")
        yield box


@pytest.fixture
def reader(broker, box):
    with Reader(broker.port) as reader:
        yield reader


def config_topic(camera_id):
    return f"homeassistant/device/nvr_{camera_id}/config"


def saved(form, size):
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, form)
    return out.getvalue()


def eventually(condition):
    """Wait until the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_box_is_a_device_with_a_sensor_of_its_connection(box, reader):
    status = reader.wait("nvr/status")
    assert (status.payload, status.qos, status.retained) == (b"online", 1, True)
    config = reader.wait("homeassistant/device/nvr_box/config")
    assert (config.qos, config.retained) == (1, True)
    assert config.json["device"]["identifiers"] == ["nvr_box"]
    assert config.json["device"]["configuration_url"] == "http://nvr.local:8000"
    assert config.json["components"]["status"] == {
        "platform": "binary_sensor",
        "unique_id": "nvr_box_status",
        "name": "Connection",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": "nvr/status",
        "payload_on": "online",
        "payload_off": "offline",
    }
    metrics = requests.get(f"{box.url}/metrics").text
    assert "\nnvr_mqtt_connected 1.0\n" in metrics


def test_a_camera_is_announced_renamed_and_removed(broker, box, reader):
    camera = box.register("Front Door")
    first = reader.wait(config_topic(camera)).json
    assert first["device"] == {
        "identifiers": [f"nvr_{camera}"],
        "name": "Front Door",
        "manufacturer": "NVR cameras",
        "model": "Upload folder",
        "configuration_url": "http://nvr.local:8000",
        "via_device": "nvr_box",
    }
    assert first["origin"]["name"] == "nvr-cameras"
    assert first["availability"] == [{"topic": "nvr/status"}]
    assert first["qos"] == 1
    components = first["components"]
    assert {key: row["platform"] for key, row in components.items()} == {
        "camera": "camera",
        "picture": "image",
        "status": "binary_sensor",
        "last_upload": "sensor",
        "event": "event",
    }
    assert components["camera"]["name"] is None
    assert components["camera"]["topic"] == f"nvr/{camera}/picture"
    assert components["picture"]["image_topic"] == f"nvr/{camera}/picture"
    assert components["event"]["event_types"] == ["low", "medium", "high", "critical", "event"]
    for key, row in components.items():
        assert row["unique_id"] == f"nvr_{camera}_{key}"
    state = reader.wait(f"nvr/{camera}/state")
    assert state.json == {"status": "online", "last_seen_at": None}
    box.api("PATCH", f"/cameras/{camera}", name="Back Door")
    renamed = reader.wait(config_topic(camera), lambda m: m.json["device"]["name"] == "Back Door")
    assert renamed.json["components"] == components
    with Reader(broker.port) as later:
        assert later.wait(config_topic(camera)).retained
        assert later.wait(f"nvr/{camera}/state").retained
    box.api("DELETE", f"/cameras/{camera}")
    for topic in (config_topic(camera), f"nvr/{camera}/state", f"nvr/{camera}/picture"):
        reader.wait(topic, lambda message: message.payload == b"")
    with Reader(broker.port) as later:
        later.wait("nvr/status")
        assert not [message for message in later.messages if camera in message.topic]


def test_a_status_is_published_at_once_and_uploads_once_a_minute(box, reader):
    camera = box.register("States", "states")
    reader.wait(f"nvr/{camera}/state")
    seen = [None]
    for number in range(4):
        put(box.base / "states" / f"{number}.jpg", picture())

        def has_new_upload():
            seen.append(box.api("GET", f"/cameras/{camera}")["last_seen_at"])
            return seen[-1] != seen[-2]

        eventually(has_new_upload)
    box.api("PATCH", f"/cameras/{camera}", status="error")
    last = reader.wait(f"nvr/{camera}/state", lambda message: message.json["status"] == "error")
    assert last.json["last_seen_at"]
    assert len(reader.on(f"nvr/{camera}/state")) == 3


def test_a_picture_is_a_jpeg_of_limited_width_whatever_the_camera_uploads(box, reader):
    camera = box.register("Pictures", "pictures")
    topic = f"nvr/{camera}/picture"
    sent = (("a.jpg", "JPEG", (48, 27)), ("b.png", "PNG", (640, 360)), ("c.gif", "GIF", (32, 18)))
    for number, (name, form, size) in enumerate(sent, 1):
        data = saved(form, size)
        put(box.base / "pictures" / name, data)
        shown = reader.wait(topic, count=number)
        image = Image.open(io.BytesIO(shown.payload))
        assert (image.format, image.width) == ("JPEG", min(64, size[0]))
        if form == "JPEG":
            assert shown.payload == data
    assert reader.on(topic)[0].qos == 1


def test_a_camera_that_is_given_another_folder_shows_its_picture(box, reader):
    old, new = saved("JPEG", (16, 9)), saved("JPEG", (17, 9))
    put(box.base / "old folder" / "a.jpg", old, 100)
    put(box.base / "new folder" / "a.jpg", new, 300)
    camera = box.register("Moved", "old folder")
    topic = f"nvr/{camera}/picture"
    reader.wait(topic, lambda message: message.payload == old)
    box.api("PATCH", f"/cameras/{camera}", folder_path="new folder")
    reader.wait(topic, lambda message: message.payload == new)
    box.api("PATCH", f"/cameras/{camera}", folder_path="nothing")
    reader.wait(topic, lambda message: message.payload == b"")


@needs_ffmpeg
def test_of_a_camera_that_uploads_only_clips_a_frame_is_published(box, reader):
    camera = box.register("Clips", "clips")
    (box.base / "clips").mkdir()
    make_clip(box.base / "clips" / "a.mp4", clock.now(), *H264)
    shown = reader.wait(f"nvr/{camera}/picture")
    assert Image.open(io.BytesIO(shown.payload)).format == "JPEG"


def test_the_detections_of_a_post_are_one_message_per_type_with_the_surest(broker, box, reader):
    camera = box.register("Detections")
    rows = [
        {"camera_id": camera, "object_type": kind, "confidence": sure}
        for kind, sure in (("person", 0.4), ("person", 0.9), ("dog", 0.7), ("person", 0.8))
    ]
    ids = box.api("POST", "/detections", detections=rows)["ids"]
    topic = f"nvr/{camera}/detection"
    reader.wait(topic, count=2)
    stored = box.api("GET", f"/detections/{ids[1]}")
    person, dog = sorted(reader.on(topic), key=lambda message: -message.json["confidence"])
    assert person.json == {
        "event_type": "person",
        "confidence": 0.9,
        "detected_at": stored["detected_at"],
        "id": ids[1],
    }
    assert dog.json["id"] == ids[2]
    assert person.qos == 1
    # Home Assistant drops an event of a type that was not announced before.
    order = [message.topic for message in reader.messages if camera in message.topic]
    announced = [
        number
        for number, message in enumerate(reader.messages)
        if message.topic == config_topic(camera)
        and message.json["components"].get("detection", {}).get("event_types") == ["dog", "person"]
    ]
    first = next(n for n, message in enumerate(reader.messages) if message.topic == topic)
    assert announced[0] < first, order
    with Reader(broker.port) as later:
        later.wait(config_topic(camera))
        assert not later.on(topic)


def test_what_happened_more_than_an_hour_ago_is_not_published(box, reader):
    camera = box.register("Late")
    late = clock.rfc3339(clock.now() - timedelta(hours=2))
    box.detect(camera, "person", detected_at=late)
    box.api("POST", "/events", camera_id=camera, started_at=late)
    box.detect(camera, "person", 0.75)
    assert reader.wait(f"nvr/{camera}/detection").json["confidence"] == 0.75
    assert not reader.on(f"nvr/{camera}/event")


def test_an_event_is_published_when_it_is_posted_and_when_its_risk_rises(box, reader):
    camera = box.register("Events")
    started = clock.rfc3339(clock.now())
    event = box.api("POST", "/events", camera_id=camera, started_at=started, summary="Somebody")
    for score in (40, 20, 90):
        box.api("PATCH", f"/events/{event['id']}", risk_score=score)
    reader.wait(f"nvr/{camera}/event", lambda message: message.json["risk_score"] == 90)
    shown = [message.json for message in reader.on(f"nvr/{camera}/event")]
    assert shown[0] == {
        "event_type": "event",
        "id": event["id"],
        "started_at": event["started_at"],
        "risk_score": None,
        "summary": "Somebody",
    }
    assert [row["event_type"] for row in shown] == ["event", "medium", "critical"]


def test_at_most_32_types_are_published_and_none_replaces_a_component(box, reader):
    camera = box.register("Types")
    hostile = ["status", "camera", "'}} {{ x }}", '"', "人", "Person", "per son"]
    for kind in (*hostile, *hostile, *(f"type {number}" for number in range(40))):
        box.detect(camera, kind)
    box.detect(camera, "status", 0.99)
    reader.wait(f"nvr/{camera}/detection", lambda message: message.json["confidence"] == 0.99)
    components = reader.on(config_topic(camera))[-1].json["components"]
    assert components["status"]["device_class"] == "connectivity"
    assert components["camera"]["platform"] == "camera"
    types = components["detection"]["event_types"]
    assert len(types) == 32
    assert set(hostile) <= set(types)
    assert len([key for key in components if key.startswith("type_")]) == 32
    assert len([key for key in components if key.startswith("trigger_")]) == 32
    assert {message.json["event_type"] for message in reader.on(f"nvr/{camera}/detection")} == {
        *types
    }


def test_everything_is_published_again_when_home_assistant_starts(box, reader):
    camera = box.register("Again", "again")
    put(box.base / "again" / "a.jpg", picture())
    topics = (config_topic(camera), f"nvr/{camera}/state", f"nvr/{camera}/picture")
    for topic in topics:
        reader.wait(topic)
    before = {topic: len(reader.on(topic)) for topic in topics}
    reader.publish("homeassistant/status", "online")
    for topic in topics:
        reader.wait(topic, count=before[topic] + 1)
    reader.wait("homeassistant/device/nvr_box/config", lambda message: not message.retained)


def test_a_broker_that_restarts_gets_everything_again_and_what_happened_meanwhile(tmp_path):
    with Mosquitto(tmp_path) as broker, PublishingServer(tmp_path, NVR_MQTT_URL=broker.url) as box:
        camera, other = box.register("Front Door", "front"), box.register("Deleted")
        put(box.base / "front" / "a.jpg", picture())
        with Reader(broker.port) as reader:
            reader.wait(f"nvr/{camera}/picture")
            reader.wait(config_topic(other))
        broker.stop()
        eventually(lambda: "nvr_mqtt_connected 0.0" in requests.get(f"{box.url}/metrics").text)
        box.detect(camera, "person")
        box.api("DELETE", f"/cameras/{other}")
        broker.start()
        with Reader(broker.port) as reader:
            for topic in ("status", f"{camera}/state", f"{camera}/picture", f"{camera}/detection"):
                reader.wait(f"nvr/{topic}")
            assert reader.wait(config_topic(camera)).json["device"]["name"] == "Front Door"
            assert all(not message.payload for message in reader.on(config_topic(other)))


def test_what_is_posted_to_another_process_is_published(broker, box, reader, tmp_path):
    shared = {"NVR_DATABASE_URL": f"sqlite:///{box.database}", "NVR_MQTT_URL": broker.url}
    with PublishingServer(tmp_path, NVR_FOSCAM_BASE_PATH=str(box.base), **shared) as other:
        camera = other.register("Shared")
        found = other.detect(camera, "person", 0.5)
        started = clock.rfc3339(clock.now())
        event = other.api("POST", "/events", camera_id=camera, started_at=started)
        assert reader.wait(f"nvr/{camera}/detection").json["id"] == found["id"]
        assert reader.wait(f"nvr/{camera}/event").json["id"] == event["id"]
        assert reader.wait(config_topic(camera)).json["device"]["name"] == "Shared"
        assert "nvr_mqtt_connected 0.0" in requests.get(f"{other.url}/metrics").text
        put(box.base / "Shared" / "a.jpg", picture())
        other.api("PATCH", f"/cameras/{camera}", name="Renamed")
        reader.wait(config_topic(camera), lambda m: m.json["device"]["name"] == "Renamed")
        assert reader.wait(f"nvr/{camera}/picture").payload


def test_another_process_goes_on_when_the_one_that_publishes_is_killed(tmp_path):
    with Mosquitto(tmp_path) as broker, Reader(broker.port) as reader:
        settings = {
            "NVR_MQTT_URL": broker.url,
            "NVR_DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}",
        }
        first = PublishingServer(tmp_path / "first", **settings)
        second = PublishingServer(tmp_path / "second", **settings)
        with first:
            reader.wait("nvr/status")
            with second:
                camera = second.register("Front Door")
                reader.wait(config_topic(camera))
                first.stop(signal.SIGKILL)
                reader.wait("nvr/status", lambda message: message.payload == b"offline")
                reader.wait("nvr/status", lambda message: message.payload == b"online", count=2)
                found = second.detect(camera, "person")
                assert reader.wait(f"nvr/{camera}/detection").json["id"] == found["id"]


def test_a_camera_that_is_deleted_while_the_service_is_off_disappears_at_its_start(tmp_path):
    with Mosquitto(tmp_path) as broker:
        with (
            PublishingServer(tmp_path, NVR_MQTT_URL=broker.url) as box,
            Reader(broker.port) as reader,
        ):
            camera = box.register("Front Door")
            reader.wait(f"nvr/{camera}/state")
        with PublishingServer(tmp_path) as box:
            box.api("DELETE", f"/cameras/{camera}")
        with Reader(broker.port) as reader, PublishingServer(tmp_path, NVR_MQTT_URL=broker.url):
            for topic in (config_topic(camera), f"nvr/{camera}/state"):
                reader.wait(topic, lambda message: message.payload == b"")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_ends_is_offline(tmp_path, signal_number):
    with Mosquitto(tmp_path) as broker, Reader(broker.port) as reader:
        with PublishingServer(tmp_path, NVR_MQTT_URL=broker.url) as box:
            reader.wait("nvr/status", lambda message: message.payload == b"online")
            box.process.send_signal(signal_number)
            box.process.wait(DEADLINE_SECONDS)
            reader.wait("nvr/status", lambda message: message.payload == b"offline")
        with Reader(broker.port) as later:
            assert later.wait("nvr/status").payload == b"offline"


def test_the_largest_packet_of_the_broker_is_obeyed(tmp_path):
    noise = io.BytesIO()
    Image.effect_noise((1280, 720), 90).save(noise, "JPEG")
    with (
        Mosquitto(tmp_path, "max_packet_size 20000") as broker,
        PublishingServer(tmp_path, NVR_MQTT_URL=broker.url) as box,
        Reader(broker.port) as reader,
    ):
        camera = box.register("Front Door", "front")
        put(box.base / "front" / "a.jpg", noise.getvalue())
        shown = reader.wait(f"nvr/{camera}/picture")
        assert len(shown.payload) < 20000 < len(noise.getvalue())
        assert Image.open(io.BytesIO(shown.payload)).width < 1280
        for number in range(32):
            box.detect(camera, f"{number:050}")
        box.detect(camera, "cat")
        box.detect(camera, "cat", 0.99)
        eventually(lambda: box.api("GET", "/detections?object_type=cat")["count"] == 2)
        with Reader(broker.port) as later:
            config = later.wait(config_topic(camera))
        assert len(config.payload) < 20000
        assert 4 <= len(config.json["components"]["detection"]["event_types"]) < 32
        assert [message.payload for message in reader.on("nvr/status")] == [b"online"]


@pytest.mark.parametrize(
    ("setting", "reason"),
    [("retain_available false", "Retain not supported"), ("max_qos 0", "QoS not supported")],
)
def test_a_broker_that_cannot_do_what_is_needed_says_so(tmp_path, setting, reason):
    with Mosquitto(tmp_path, setting) as broker:
        place = Broker("127.0.0.1", broker.port, "", "", None)
        made = Connection(place, "nvr", "nvr/status", lambda message: None)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not made.loss and time.monotonic() < deadline:
            made.run_loop(0.1)
        made.abandon()
    assert made.loss == f"the broker refuses the connection: {reason}"


def test_a_prefix_of_its_own_lets_two_boxes_share_a_broker(tmp_path):
    settings = {"NVR_MQTT_PREFIX": "barn", "NVR_MQTT_DISCOVERY_PREFIX": "ha/here"}
    with (
        Mosquitto(tmp_path) as broker,
        Reader(broker.port) as reader,
        PublishingServer(tmp_path, NVR_MQTT_URL=broker.url, **settings) as box,
    ):
        camera = box.register("Stable")
        config = reader.wait(f"ha/here/device/barn_{camera}/config").json
        assert config["device"]["identifiers"] == [f"barn_{camera}"]
        assert config["device"]["via_device"] == "barn_box"
        reader.wait("ha/here/device/barn_box/config")
        box.detect(camera, "person")
        reader.wait(f"barn/{camera}/detection")
        for count, topic in enumerate(("homeassistant/status", "ha/here/status"), 2):
            reader.publish(topic, "online")
            reader.wait("ha/here/device/barn_box/config", count=count)
    assert not [one for one in reader.messages if "nvr" in one.topic]


@pytest.mark.skipif(not shutil.which("mosquitto_sub"), reason="no mosquitto_sub")
def test_the_documented_commands_remove_what_an_old_prefix_left_behind(tmp_path):
    [commands] = re.findall(r"```sh\n(BROKER=.*?)```", DOCUMENT, re.DOTALL)
    with Mosquitto(tmp_path) as broker:
        with PublishingServer(tmp_path, NVR_MQTT_URL=broker.url) as box:
            camera = box.register("Front Door", "front")
            put(box.base / "front" / "a.jpg", picture())
            with Reader(broker.port) as reader:
                reader.wait(f"nvr/{camera}/picture")
                reader.publish("homeassistant/device/other/config", "kept", retain=True)
                reader.wait("homeassistant/device/other/config")
        place = f"BROKER='-h 127.0.0.1 -p {broker.port}'"
        typed = re.sub(r"^BROKER=.*", place, commands)
        subprocess.run(["bash", "-c", typed], check=True, capture_output=True)
        with Reader(broker.port) as later:
            later.wait("homeassistant/device/other/config")
            assert [message.topic for message in later.messages] == [
                "homeassistant/device/other/config"
            ]


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")
def test_a_broker_with_a_password_and_tls(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    command = [*words.split(), "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "nvr", "p@ss/word"], check=True)
    tls = f"certfile {certificate}", f"keyfile {key}"
    with Mosquitto(tmp_path, *tls, f"password_file {passwords}") as broker:
        login = f"mqtts://nvr:p%40ss%2Fword@127.0.0.1:{broker.port}"
        wrong = f"mqtts://nvr:wr0ng@127.0.0.1:{broker.port}"
        settings = {"NVR_MQTT_CA_FILE": str(certificate)}

        def prepare(client):
            client.username_pw_set("nvr", "p@ss/word")
            client.tls_set(str(certificate))

        with (
            PublishingServer(tmp_path, NVR_MQTT_URL=login, **settings),
            Reader(broker.port, prepare) as reader,
        ):
            assert reader.wait("nvr/status").payload == b"online"
        for url, trust in ((wrong, settings), (login, {})):
            with PublishingServer(tmp_path, NVR_MQTT_URL=url, **trust) as box:
                eventually(lambda: "is lost: " in box.log_file.read_text())
                assert "nvr_mqtt_connected 0.0" in requests.get(f"{box.url}/metrics").text
            log = box.log_file.read_text()
            assert "wr0ng" not in log
            assert "p@ss" not in log
            assert "p%40ss" not in log


def test_the_documented_rights_on_the_broker_are_enough(tmp_path):
    passwords, rights = tmp_path / "passwords", tmp_path / "rights"
    passwords.touch(mode=0o600)
    for user in ("nvr", "reader"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, user, user], check=True)
    [documented] = re.findall(r"^user nvr\n(?:topic .+\n)+", DOCUMENT, re.MULTILINE)
    rights.write_text(f"{documented}user reader\ntopic readwrite #\n")
    rights.chmod(0o600)
    settings = f"password_file {passwords}", f"acl_file {rights}"
    with (
        Mosquitto(tmp_path, *settings) as broker,
        Reader(broker.port, lambda client: client.username_pw_set("reader", "reader")) as reader,
        PublishingServer(tmp_path, NVR_MQTT_URL=f"mqtt://nvr:nvr@127.0.0.1:{broker.port}") as box,
    ):
        camera = box.register("Front Door", "front")
        put(box.base / "front" / "a.jpg", picture())
        box.detect(camera, "person")
        for topic in ("picture", "state", "detection"):
            reader.wait(f"nvr/{camera}/{topic}")
        reader.publish("homeassistant/status", "online")
        reader.wait(f"nvr/{camera}/picture", count=2)
        box.api("DELETE", f"/cameras/{camera}")
        reader.wait(config_topic(camera), lambda message: message.payload == b"")
        assert "is refused by the broker" not in box.log()


@pytest.mark.parametrize("package", ["paho", "PIL"])
def test_without_the_extra_the_start_stops_with_the_command_that_installs_it(tmp_path, package):
    (tmp_path / "hidden" / package).mkdir(parents=True)
    hidden = tmp_path / "hidden" / package / "__init__.py"
    hidden.write_text(f"raise ModuleNotFoundError('No module named {package}')")
    box = PublishingServer(
        tmp_path, NVR_MQTT_URL="mqtt://127.0.0.1:1", PYTHONPATH=str(tmp_path / "hidden")
    )
    with pytest.raises(NotStarted, match=r"pip install -e .*\[mqtt\]"):
        box.__enter__()


def test_a_ca_file_that_cannot_be_read_stops_the_start(tmp_path):
    settings = {"NVR_MQTT_URL": "mqtts://127.0.0.1:1", "NVR_MQTT_CA_FILE": "/nothing.pem"}
    with pytest.raises(NotStarted, match=r"NVR_MQTT_CA_FILE=/nothing\.pem cannot be used"):
        PublishingServer(tmp_path, **settings).__enter__()


@pytest.fixture
def own(tmp_path, environ, empty_database, monkeypatch):
    """A broker that is not started yet, and an app of this process, which leads and publishes."""
    broker = Mosquitto(tmp_path)
    shutil.copy(empty_database, environ["NVR_DATABASE_URL"].removeprefix("sqlite:///"))
    app = create_app(environ | {"NVR_MQTT_URL": broker.url, "NVR_MQTT_PICTURE_SECONDS": "3600"})
    app.extensions["monitor"].lead()
    publisher.init_app(app)
    monkeypatch.setattr(publisher, "LONGEST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(devices, "SUBSCRIBE_SECONDS", 0)
    yield broker, app
    app.extensions["mqtt"].close()
    app.extensions["monitor"].close()
    app.extensions["folders"].retain(())


def seen_by(camera_id, object_type="person"):
    return {"camera_id": camera_id, "object_type": object_type, "confidence": 0.5}


def turn_until(app, condition):
    """Let the publisher work until the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        app.extensions["mqtt"].tick()


def test_what_has_waited_too_long_for_the_broker_is_not_published(own, base, monkeypatch):
    broker, app = own
    client, mqtt = app.test_client(), app.extensions["mqtt"]
    made = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"}).json
    seen = {"camera_id": made["id"], "object_type": "person"}
    mqtt.tick()
    client.post("/api/detections", json=seen | {"confidence": 0.1})
    monkeypatch.setattr(publisher, "MOST_AGE", timedelta())
    with broker, Reader(broker.port) as reader:
        turn_until(app, lambda: reader.on(f"nvr/{made['id']}/state"))
        mqtt.tick()
        monkeypatch.setattr(publisher, "MOST_AGE", timedelta(seconds=60))
        client.post("/api/detections", json=seen | {"confidence": 0.9})
        turn_until(app, lambda: reader.on(f"nvr/{made['id']}/detection"))
        shown = [
            message.json["confidence"] for message in reader.on(f"nvr/{made['id']}/detection")
        ]
    assert shown == [0.9]


def test_a_message_is_stored_until_the_broker_has_acknowledged_it(own, base, monkeypatch):
    broker, app = own
    monkeypatch.setattr(publisher, "DELETE_SECONDS", 0.1)
    client = app.test_client()
    made = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"}).json
    client.post("/api/detections", json=seen_by(made["id"]))
    app.extensions["mqtt"].tick()
    assert len(MqttMessage.after(0, 10)) == 1
    with broker, Reader(broker.port) as reader:
        turn_until(app, lambda: not MqttMessage.after(0, 10))
        reader.wait(f"nvr/{made['id']}/detection")


def test_a_full_disk_stops_no_message_and_its_deletion_is_tried_again(own, base, monkeypatch):
    broker, app = own
    monkeypatch.setattr(publisher, "DELETE_SECONDS", 0.1)
    client, attempts = app.test_client(), []

    def fail(row_id):
        attempts.append(row_id)
        raise OperationalError("database or disk is full")

    made = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"}).json
    topic = f"nvr/{made['id']}/detection"
    with broker, Reader(broker.port) as reader:
        for count in (1, 2):
            client.post("/api/detections", json=seen_by(made["id"]))
            with monkeypatch.context() as full:
                full.setattr(MqttMessage, "delete_up_to", fail)
                turn_until(app, lambda: len(attempts) >= 2)
                turn_until(app, lambda count=count: len(reader.on(topic)) == count)
            attempts.clear()
        turn_until(app, lambda: not MqttMessage.after(0, 10))


def test_messages_that_wait_for_the_broker_survive_a_restart(own, base, monkeypatch):
    broker, app = own
    monkeypatch.setattr(publisher, "MOST_AGE", timedelta(hours=1))
    client = app.test_client()
    made = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"}).json
    ids = [client.post("/api/detections", json=seen_by(made["id"])).json["id"] for _ in range(3)]
    app.extensions["mqtt"].tick()
    publisher.init_app(app)
    topic = f"nvr/{made['id']}/detection"
    with broker, Reader(broker.port) as reader:
        turn_until(app, lambda: len(reader.on(topic)) == 3)
        assert [message.json["id"] for message in reader.on(topic)] == ids


def test_a_picture_that_cannot_be_read_for_long_delays_no_detection(own, base, monkeypatch):
    broker, app = own
    ended = threading.Event()
    monkeypatch.setattr(Pictures, "newest", lambda *_: ended.wait(DEADLINE_SECONDS) and ("", None))
    client = app.test_client()
    made = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"}).json
    put(base / "front" / "a.jpg", picture())
    with broker, Reader(broker.port) as reader:
        turn_until(app, lambda: reader.on(config_topic(made["id"])))
        app.extensions["monitor"].tick()
        app.extensions["mqtt"].tick()
        client.post("/api/detections", json=seen_by(made["id"]))
        turn_until(app, lambda: reader.on(f"nvr/{made['id']}/detection"))
        ended.set()


def test_pictures_come_no_more_often_than_the_setting_says(own, base):
    broker, app = own
    client = app.test_client()
    made = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"}).json
    pictures, detections = f"nvr/{made['id']}/picture", f"nvr/{made['id']}/detection"
    with broker, Reader(broker.port) as reader:
        for number in range(1, 4):
            put(base / "front" / f"{number}.jpg", saved("JPEG", (16 + number, 9)))
            app.extensions["monitor"].tick()
            turn_until(app, lambda: reader.on(pictures))
            client.post("/api/detections", json=seen_by(made["id"]))
            turn_until(app, lambda number=number: len(reader.on(detections)) == number)
        assert len(reader.on(pictures)) == 1


def test_a_detection_of_a_camera_that_has_just_been_registered_is_published(own, base):
    broker, app = own
    client, devices = app.test_client(), app.extensions["mqtt"].devices
    publish, ids = devices.publish, []

    def publish_and_register(connection):
        is_announced = publish(connection)
        if is_announced and not ids:
            body = {"name": "Front Door", "folder_path": "front"}
            ids.append(client.post("/api/cameras", json=body).json["id"])
            client.post("/api/detections", json=seen_by(ids[0]))
        return is_announced

    devices.publish = publish_and_register
    with broker, Reader(broker.port) as reader:
        turn_until(app, lambda: ids and reader.on(f"nvr/{ids[0]}/detection"))


def test_a_new_type_waits_longer_than_home_assistant_does_before_it_subscribes():
    """Its mqtt client collects subscriptions for 0.1 s (SUBSCRIBE_COOLDOWN in its source)."""
    assert devices.SUBSCRIBE_SECONDS >= 2 * 0.1


def test_a_detection_of_a_new_type_waits_until_home_assistant_has_subscribed(
    own, base, monkeypatch
):
    broker, app = own
    client = app.test_client()
    made = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"}).json
    topic = f"nvr/{made['id']}/detection"
    with broker, Reader(broker.port) as reader:
        for count, object_type in enumerate(("person", "dog"), 1):
            monkeypatch.setattr(devices, "SUBSCRIBE_SECONDS", 3600)
            client.post("/api/detections", json=seen_by(made["id"], object_type))
            turn_until(
                app,
                lambda name=object_type: any(
                    f"type_{name}" in message.json["components"]
                    for message in reader.on(config_topic(made["id"]))
                ),
            )
            for _ in range(3):
                app.extensions["mqtt"].tick()
            assert len(reader.on(topic)) == count - 1
            monkeypatch.setattr(devices, "SUBSCRIBE_SECONDS", 0)
            turn_until(app, lambda count=count: len(reader.on(topic)) == count)


def test_retained_messages_of_unknown_cameras_are_removed_and_others_stay(own):
    broker, app = own
    unknown = {f"nvr/{uuid.uuid4()}/state" for _ in range(150)}
    others = {"nvr/garage/state", f"nvr/{uuid.uuid4()}/other", f"barn/{uuid.uuid4()}/state"}
    # The broker does not send this one, because the service takes no packet of this size.
    huge = f"nvr/{uuid.uuid4()}/state"
    with broker, Reader(broker.port) as reader:
        for topic in unknown | others:
            reader.publish(topic, "garbage", retain=True)
        reader.publish(huge, "x" * 100_000, retain=True)
        for topic in (*unknown, *others, huge):
            reader.wait(topic)
        turn_until(app, lambda: all(reader.on(topic)[-1].payload == b"" for topic in unknown))
        with Reader(broker.port) as later:
            for topic in (*others, huge):
                later.wait(topic)


def test_another_service_with_the_same_prefix_is_named_as_the_reason(own, caplog):
    broker, app = own
    other = Client(
        CallbackAPIVersion.VERSION2, "nvr-cameras-nvr", protocol=MQTTProtocolVersion.MQTTv5
    )
    other.reconnect_delay_set(1, 1)
    with broker:
        other.connect("127.0.0.1", broker.port)
        other.loop_start()
        turn_until(app, lambda: "does another service use NVR_MQTT_PREFIX=nvr?" in caplog.text)
        other.disconnect()
        other.loop_stop()
    assert caplog.text.count("is lost: ") == 1


def test_a_process_that_does_not_lead_publishes_nothing(own):
    broker, app = own
    app.extensions["monitor"].close()
    with broker:
        app.extensions["mqtt"].tick()
        assert not app.extensions["mqtt"].is_connected
        with Reader(broker.port) as reader:
            app.extensions["mqtt"].tick()
            assert reader.messages == []


def test_while_nothing_happens_nothing_is_written(broker, tmp_path):
    """Neither MQTT nor a rule writes anything in ten seconds in a row."""
    settings = {"NVR_MQTT_URL": broker.url, "NVR_MQTT_PREFIX": "calm"}
    settings |= {"NVR_LAST_SEEN_FLUSH_SECONDS": "1"}
    with PublishingServer(tmp_path, **settings) as box, Reader(broker.port) as reader:
        for number in range(16):
            (box.base / f"calm_{number}").mkdir()
            reader.wait(f"calm/{box.register(f'calm_{number}')}/state")
        kinds = ["detection", "event", "camera_offline", "camera_error", "moment_started"]
        box.api("POST", "/notifications", name="A", url="http://127.0.0.1:9/", kinds=kinds)
        with closing(sqlite3.connect(box.database)) as database:

            def written():
                version = database.execute("PRAGMA data_version").fetchone()
                return version, written_bytes(box.process.pid)

            known, since = written(), time.monotonic()
            deadline = since + 2 * DEADLINE_SECONDS
            while time.monotonic() < since + 10:
                assert time.monotonic() < deadline, "something is written again and again"
                time.sleep(0.2)
                if (now := written()) != known:
                    known, since = now, time.monotonic()
