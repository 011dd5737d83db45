"""How long does a message about a change take to a webhook, and to a subscriber of MQTT?"""

import json
import queue
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client as MqttClient
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from app import clock
from benchmarks import tree
from benchmarks.service import Client, Service, request
from tests.e2e.broker import DEADLINE_SECONDS, Mosquitto
from tests.receivers import OK, Received, receiving

CHANGES = 210
# Between two changes, in seconds: at random, so that they come at any point of a turn of MQTT.
LEAST_PAUSE, MOST_PAUSE = 0.05, 0.25
CONNECT_SECONDS = 3
WEBHOOK, MQTT = "webhook", "MQTT"
KINDS = ["detection", "event", "camera_offline", "camera_error"]
TOPICS = "nvr/+/detection", "nvr/+/event", "nvr/+/state"
# Where the broker publishes how many messages it has received, and how soon, in seconds, it does.
RECEIVED, COUNTED_SECONDS = "$SYS/broker/publish/messages/received", 3
BROKER_SETTINGS = ("sys_interval 1",)


def delays(service: Service, broker: Mosquitto) -> dict[str, list[float]]:
    """The seconds from the answer to a change until its message arrives, by channel."""
    cameras = tree.register_all(service, service.base)
    found: dict[str, list[float]] = {WEBHOOK: [], MQTT: []}
    with service.client() as client:
        # The first message of a type waits 0.3 seconds until Home Assistant has subscribed.
        for camera in cameras:
            detect(client, camera)
        with arriving(client, broker) as arrivals:
            for number in range(CHANGES):
                time.sleep(random.uniform(LEAST_PAUSE, MOST_PAUSE))
                change(client, cameras[number % len(cameras)], number)
                answered = time.perf_counter()
                for channel, moment in arrivals.next().items():
                    found[channel].append(moment - answered)
    return found


def change(client: Client, camera: str, number: int) -> None:
    """Make a change: a detection, an event or another status, in turn."""
    if number % 3 == 0:
        detect(client, camera)
    elif number % 3 == 1:
        now = clock.rfc3339(clock.now())
        ask(client, "POST", "/api/events", camera_id=camera.rpartition("/")[2], started_at=now)
    else:
        status = ask(client, "GET", camera)["status"]
        ask(client, "PATCH", camera, status="error" if status == "offline" else "offline")


def detect(client: Client, camera: str) -> None:
    """Post a detection."""
    seen = {"camera_id": camera.rpartition("/")[2], "object_type": "person", "confidence": 0.9}
    ask(client, "POST", "/api/detections", **seen)


class Arrivals:
    """When each channel received a message, by `time.perf_counter`, in the order of arrival."""

    def __init__(self) -> None:
        self._moments = {channel: queue.SimpleQueue[float]() for channel in (WEBHOOK, MQTT)}

    def note_webhook(self, _: Received) -> bytes:
        """Note a POST; return the answer to it."""
        self._moments[WEBHOOK].put(time.perf_counter())
        return OK

    def note_mqtt(self, *_: object) -> None:
        """Note a message; a callback as paho-mqtt's ``on_message``."""
        self._moments[MQTT].put(time.perf_counter())

    def next(self) -> dict[str, float]:
        """When each channel received the next message."""
        return {
            channel: moments.get(timeout=DEADLINE_SECONDS)
            for channel, moments in self._moments.items()
        }

    def forget(self) -> None:
        """Forget what MQTT has received so far, such as the states that the broker retains."""
        while not self._moments[MQTT].empty():
            self._moments[MQTT].get()


@contextmanager
def arriving(client: Client, broker: Mosquitto) -> Iterator[Arrivals]:
    """Arrivals at a webhook, for which a rule is created, and at a subscriber of the broker."""
    arrivals = Arrivals()
    with receiving(arrivals.note_webhook) as webhook:
        rule = {"name": "Webhook", "url": webhook.url, "kinds": KINDS}
        ask(client, "POST", "/api/notifications", **rule)
        with subscribed(broker, TOPICS, arrivals.note_mqtt):
            time.sleep(CONNECT_SECONDS)
            arrivals.forget()
            yield arrivals


@contextmanager
def subscribed(broker: Mosquitto, topics: tuple[str, ...], note: Any) -> Iterator[None]:
    """Call ``note`` with every message on the topics."""
    client = MqttClient(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = note
    client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def published(broker: Mosquitto) -> int:
    """How many messages the broker has received so far."""
    counts: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    time.sleep(COUNTED_SECONDS)
    with subscribed(broker, (RECEIVED,), lambda _, __, message: counts.put(message.payload)):
        return int(counts.get(timeout=DEADLINE_SECONDS))


def ask(client: Client, method: str, path: str, **fields: object) -> Any:
    """The body of the answer to a request that succeeds."""
    body = json.dumps(fields).encode() if fields else b""
    status, _, body = client.ask(request(method, path, body))
    assert status < 300, body
    return json.loads(body)
