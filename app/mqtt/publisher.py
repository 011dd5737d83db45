"""How are messages published? By a job that stays connected while this process leads."""

import contextlib
import json
import logging
import secrets
import socket
import ssl
import time
from datetime import timedelta
from functools import partial
from typing import Any

from flask import Flask
from paho.mqtt.client import MQTTMessage
from peewee import PeeweeException

from .. import clock
from ..clock import pause
from ..config import public_url
from ..db import DatabaseBusy, writer
from ..images import resize
from ..models import MqttMessage, Row
from .connection import ONLINE, Broker, Connection
from .devices import Devices
from .discovery import Origin, Topics
from .pictures import Pictures

log = logging.getLogger(__name__)

# How long one call of `tick` waits for the broker, or before it tries again to connect.
TURN_SECONDS = 0.15
# The pauses between two attempts to connect: the first, and the longest.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0
# After a connection that has lasted so long, the first pause is short again. It is longer than the
# longest pause: a service with the same prefix ends each connection after that.
STABLE_SECONDS = 15.0
# Detections and events that have waited longer for the broker are not published.
MOST_AGE = timedelta(seconds=60)
ROWS_AT_ONCE = 100
# Published messages are deleted no more often than this, as each deletion writes to the disk.
DELETE_SECONDS, DELETE_PATIENCE_SECONDS = 5.0, 0.5
# Birth messages are answered no more often than this, because anybody may publish one.
BIRTH_SECONDS = 5.0
CLOSE_SECONDS = 0.4


class Publisher:
    """Publishes in the process that leads; a job calls `tick` again and again."""

    def __init__(self, broker: Broker, topics: Topics, devices: Devices, monitor: Any) -> None:
        self._broker, self._topics, self._monitor = broker, topics, monitor
        self.devices = devices
        self._connection: Connection | None = None
        # When the broker accepted the connection, by the monotonic clock; None before.
        self._accepted_at: float | None = None
        self._retry_at, self._pause = 0.0, FIRST_PAUSE_SECONDS
        self._is_clash_logged = False
        # Whether a birth message waits, by which Home Assistant says that it has started, and when
        # the last one was answered.
        self._has_birth, self._birth_answered_at = False, float("-inf")
        # The ids of the messages that were published and that were deleted last.
        self._published_id, self._deleted_id, self._deleted_at = 0, 0, 0.0

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_ready

    def tick(self) -> None:
        """Connect, or receive for a moment and publish what is due."""
        if self._connection is None and self._monitor.leads and time.monotonic() >= self._retry_at:
            self._connect()
        connection = self._connection
        if connection is None:
            pause(TURN_SECONDS)
            return
        connection.run_loop(TURN_SECONDS)
        if connection.loss:
            self._abandon(connection)
        elif connection.is_ready:
            self._publish(connection)
            if time.monotonic() - self._deleted_at >= DELETE_SECONDS:
                self._delete_published(connection)

    def close(self) -> None:
        """Publish that the service is offline, and disconnect."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close(CLOSE_SECONDS)
            self._delete_published(connection)

    def _connect(self) -> None:
        self._accepted_at = None
        client_id = f"nvr-cameras-{self._topics.prefix}"
        try:
            self._connection = Connection(
                self._broker, client_id, self._topics.status, self._receive
            )
        except (OSError, ValueError) as error:
            self._retry_later(str(error))

    def _abandon(self, connection: Connection) -> None:
        connection.abandon()
        # What was not acknowledged is published again.
        if connection.oldest_row:
            self._published_id = connection.oldest_row - 1
        self._connection = None
        if self._accepted_at and time.monotonic() - self._accepted_at >= STABLE_SECONDS:
            self._pause, self._is_clash_logged = FIRST_PAUSE_SECONDS, False
        elif self._accepted_at and self._pause == LONGEST_PAUSE_SECONDS:
            self._log_clash()
        self._retry_later(connection.loss)

    def _log_clash(self) -> None:
        if not self._is_clash_logged:
            self._is_clash_logged = True
            text = "each connection to the MQTT broker ends soon: does another service use %s=%s?"
            log.warning(text, "NVR_MQTT_PREFIX", self._topics.prefix)

    def _retry_later(self, reason: str) -> None:
        place = f"{self._broker.host}:{self._broker.port}"
        if self._pause == FIRST_PAUSE_SECONDS:
            log.warning("the MQTT broker %s is lost: %s; it is tried again", place, reason)
        # Jitter, so that not all clients of a broker that restarts return at once.
        jitter = secrets.SystemRandom().uniform(0.5, 1)
        self._retry_at = time.monotonic() + self._pause * jitter
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def _publish(self, connection: Connection) -> None:
        now = time.monotonic()
        if self._accepted_at is None:
            log.info("connected to the MQTT broker %s:%s", self._broker.host, self._broker.port)
            for topic in self._topics.births:
                connection.subscribe(topic)
            connection.subscribe(self._topics.of("+", "state"))
            self.devices.forget()
            self._accepted_at = now
        if self._has_birth and now - self._birth_answered_at >= BIRTH_SECONDS:
            self._has_birth, self._birth_answered_at = False, now
            self.devices.forget()
        # Read before the cameras, so that a message's camera is known unless it was deleted.
        rows = MqttMessage.after(self._published_id, ROWS_AT_ONCE)
        if self.devices.publish(connection):
            self._publish_messages(rows, connection)

    def _publish_messages(self, rows: list[Row], connection: Connection) -> None:
        oldest = clock.rfc3339(clock.now() - MOST_AGE)
        # All are announced before the first one is published, so that they wait together.
        announced = {
            row["id"]
            for row in rows
            if row["created_at"] >= oldest and self._announce(row, connection)
        }
        for row in rows:
            if not connection.has_room or not self.devices.is_subscribed(row["camera_id"]):
                return
            if row["id"] in announced:
                topic = self._topics.of(row["camera_id"], row["kind"])
                connection.publish(topic, row["body"].encode(), retain=False, row_id=row["id"])
            self._published_id = row["id"]

    def _announce(self, row: Row, connection: Connection) -> bool:
        """Whether the message is published; an object type that is new is announced first."""
        is_detection = row["kind"] == "detection"
        object_type = json.loads(row["body"])["event_type"] if is_detection else None
        return self.devices.announce(row["camera_id"], object_type, connection)

    def _delete_published(self, connection: Connection) -> None:
        """Delete the messages that the broker has acknowledged, or that were left out."""
        waiting = connection.oldest_row
        done = waiting - 1 if waiting else self._published_id
        if done > self._deleted_id:
            self._deleted_at = time.monotonic()
            with contextlib.suppress(PeeweeException, DatabaseBusy):  # it is tried again
                change = partial(MqttMessage.delete_up_to, done)
                writer.run(change, patience=DELETE_PATIENCE_SECONDS)
                self._deleted_id = done

    def _receive(self, message: MQTTMessage) -> None:
        if message.topic in self._topics.births:
            self._has_birth |= message.payload == ONLINE.encode() and not message.retain
        elif message.retain and message.payload:
            self.devices.note_retained(message.topic)


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
    app.extensions["mqtt"] = Publisher(broker, topics, devices, app.extensions["monitor"])
