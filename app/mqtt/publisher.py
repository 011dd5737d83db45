"""How are occurrences published? By a job that stays connected while this process leads."""

import logging
import secrets
import socket
import ssl
import time
from collections import deque
from typing import Any, NamedTuple

from flask import Flask
from paho.mqtt.client import MQTTMessage

from ..config import public_url
from ..images import resize
from ..serialization import dump_json
from ..services.occurrences import Observer, Occurrence, add_observer
from .connection import ONLINE, Broker, Connection, Message
from .devices import Devices
from .discovery import NO_LEVEL, Origin, Topics
from .pictures import Pictures

log = logging.getLogger(__name__)

# How long one call of `tick` waits for the broker, or before it tries again to connect.
TURN_SECONDS = 0.15
# The pauses between two attempts to connect: the first, and the longest.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0
# A detection or event that has waited longer for the broker is not published any more.
MOST_AGE_SECONDS = 60.0
# If more wait, the oldest are dropped. It is enough for 200 detections a second for a minute.
MOST_WAITING = 12_000
CLOSE_SECONDS = 0.4


class Waiting(NamedTuple):
    """A detection or an event that is to be published; ``at``: since when, by the monotonic
    clock; ``object_type``: of a detection.
    """

    at: float
    camera_id: str
    name: str
    object_type: str | None
    payload: bytes


class Publisher(Observer):
    """Publishes occurrences in the process that leads; a job calls `tick` again and again."""

    def __init__(self, broker: Broker, topics: Topics, devices: Devices, monitor: Any) -> None:
        self._broker, self._topics, self._monitor = broker, topics, monitor
        self._devices = devices
        self._connection: Connection | None = None
        self._is_announced = False
        self._retry_at, self._pause = 0.0, FIRST_PAUSE_SECONDS
        self._waiting: deque[Waiting] = deque(maxlen=MOST_WAITING)
        self._unacknowledged: list[Message] = []

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_ready

    def wants(self, kind: str) -> bool:
        return kind in ("detection", "event") and bool(self._monitor.leads)

    def committed(self, occurrences: list[Occurrence]) -> None:
        """Let the next `tick` publish them."""
        self._waiting.extend(map(_waiting, occurrences))

    def tick(self) -> None:
        """Connect, or receive for a moment and publish what is due."""
        if self._connection is None and self._monitor.leads and time.monotonic() >= self._retry_at:
            self._connect()
        connection = self._connection
        if connection is None:
            time.sleep(TURN_SECONDS)
            return
        connection.run_loop(TURN_SECONDS)
        if connection.loss:
            self._unacknowledged += connection.abandon()
            self._connection = None
            self._retry_later(connection.loss)
        elif connection.is_ready:
            self._publish(connection)

    def close(self) -> None:
        """Publish that the service is offline, and disconnect."""
        if self._connection:
            self._connection.close(CLOSE_SECONDS)
            self._connection = None

    def _connect(self) -> None:
        self._is_announced = False
        client_id = f"nvr-cameras-{self._topics.prefix}"
        try:
            self._connection = Connection(
                self._broker, client_id, self._topics.status, self._receive
            )
        except (OSError, ValueError) as error:
            self._retry_later(str(error))

    def _retry_later(self, reason: str) -> None:
        place = f"{self._broker.host}:{self._broker.port}"
        if self._pause == FIRST_PAUSE_SECONDS:
            log.warning("the MQTT broker %s is lost: %s; it is tried again", place, reason)
        # Jitter, so that not all clients of a broker that restarts return at once.
        jitter = secrets.SystemRandom().uniform(0.5, 1)
        self._retry_at = time.monotonic() + self._pause * jitter
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def _publish(self, connection: Connection) -> None:
        if not self._is_announced:
            log.info("connected to the MQTT broker %s:%s", self._broker.host, self._broker.port)
            connection.subscribe(self._topics.birth)
            connection.subscribe(self._topics.of("+", "state"))
            self._devices.forget()
            self._is_announced, self._pause = True, FIRST_PAUSE_SECONDS
        if not self._devices.publish(connection):
            return
        for message in self._unacknowledged:
            self._publish_if_recent(message.at, message.topic, message.payload, connection)
        self._unacknowledged = []
        while self._waiting and connection.has_room:
            at, camera_id, name, object_type, payload = self._waiting.popleft()
            if object_type is None or self._devices.announce_type(
                camera_id, object_type, connection
            ):
                self._publish_if_recent(at, self._topics.of(camera_id, name), payload, connection)

    def _publish_if_recent(
        self, at: float, topic: str, payload: bytes, connection: Connection
    ) -> None:
        if time.monotonic() - at <= MOST_AGE_SECONDS:
            connection.publish(topic, payload, retain=False, at=at)

    def _receive(self, message: MQTTMessage) -> None:
        if message.topic == self._topics.birth:
            if message.payload == ONLINE.encode() and not message.retain:
                self._devices.forget()
        elif message.retain and message.payload:
            self._devices.note_retained(message.topic)


def init_app(app: Flask) -> None:
    """Make the publisher; the server starts its job. Raises `OSError` for a bad CA file."""
    if not resize.is_installed():
        raise ModuleNotFoundError("Pillow is not installed")
    config = app.config
    scheme, host, port, user, password = config["NVR_MQTT_URL"]
    context = None
    if scheme == "mqtts":
        context = ssl.create_default_context(cafile=config["NVR_MQTT_CA_FILE"] or None)
    topics = Topics(config["NVR_MQTT_PREFIX"], config["NVR_MQTT_DISCOVERY_PREFIX"])
    pictures = Pictures(
        config["NVR_FOSCAM_BASE_PATH"],
        app.extensions["folders"],
        app.extensions["clip_frames"],
        config["NVR_MQTT_PICTURE_WIDTH"],
    )
    origin = Origin(config["API_VERSION"], public_url(config), socket.gethostname())
    devices = Devices(topics, origin, pictures, config["NVR_MQTT_PICTURE_SECONDS"])
    broker = Broker(host, int(port), user, password, context)
    publisher = Publisher(broker, topics, devices, app.extensions["monitor"])
    app.extensions["mqtt"] = publisher
    add_observer(publisher)


def _waiting(occurrence: Occurrence) -> Waiting:
    camera_id = (occurrence.camera or {})["id"]
    row, object_type = occurrence.data[occurrence.kind], None
    if occurrence.kind == "detection":
        object_type = row["object_type"]
        shown = {"event_type": object_type}
        shown |= {name: row[name] for name in ("confidence", "detected_at", "id")}
    else:
        shown = {"event_type": row["risk_level"] or NO_LEVEL}
        shown |= {name: row[name] for name in ("id", "started_at", "risk_score", "summary")}
    return Waiting(time.monotonic(), camera_id, occurrence.kind, object_type, dump_json(shown))
