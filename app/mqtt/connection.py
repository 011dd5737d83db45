"""How is the broker reached? By one connection (MQTT 5.0), run by the thread that publishes.

A connection that is lost is not used again: paho-mqtt would send everything again that was not
acknowledged, however old it has become.
"""

import logging
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

log = logging.getLogger(__name__)

# If the broker receives nothing for 1.5 times as many seconds, it publishes the last will.
KEEPALIVE_SECONDS = 20
# How long the broker may take to accept a connection.
ACCEPT_SECONDS = 10.0
# What a packet holds beside topic and payload: header, their lengths, packet id, no properties.
OVERHEAD_BYTES = 12
ONLINE, OFFLINE = "online", "offline"
# The broker may send packets of at most this size. What the service reads has less than 100 bytes.
MOST_RECEIVED_BYTES = 1 << 16
# While the broker has not acknowledged so many messages or bytes, the next ones wait.
MOST_WAITING, MOST_WAITING_BYTES = 100, 1 << 20


class Broker(NamedTuple):
    """Where the broker is, who the service is there, and how its certificate is checked."""

    host: str
    port: int
    user: str
    password: str
    context: ssl.SSLContext | None


class Message(NamedTuple):
    """A message that the broker has not acknowledged; ``row_id``: of its `MqttMessage`, if any."""

    topic: str
    size: int
    row_id: int | None


class Connection:
    """A connection to the broker, whose last will is ``offline`` on the status topic.

    ``is_ready``: the broker has accepted it; ``loss``: why it has ended, empty while it has not.
    Raises `OSError` and `ValueError` where the broker cannot be reached.
    """

    def __init__(
        self, broker: Broker, client_id: str, status: str, receive: Callable[[MQTTMessage], None]
    ) -> None:
        self.is_ready, self.loss = False, ""
        self._status = status
        self._waiting: dict[int, Message] = {}
        self._most_bytes = 1 << 28
        self._refused: set[str] = set()
        self._began = time.monotonic()
        self._client = client = _client_of(broker, client_id)
        client.on_connect = self._note_connect
        client.on_disconnect = self._note_disconnect
        client.on_publish = self._note_publish
        client.on_message = lambda _client, _data, message: receive(message)
        client.will_set(status, OFFLINE, qos=1, retain=True)
        try:
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = MOST_RECEIVED_BYTES
            client.connect(broker.host, broker.port, KEEPALIVE_SECONDS, properties=limits)
        except BaseException:  # raised again: the unused client must not keep its socket
            self.abandon()
            raise

    @property
    def has_room(self) -> bool:
        """Whether the broker has acknowledged most of what was published."""
        sizes = [message.size for message in self._waiting.values()]
        return len(sizes) < MOST_WAITING and sum(sizes) < MOST_WAITING_BYTES

    @property
    def oldest_row(self) -> int | None:
        """The id of the oldest `MqttMessage` that the broker has not acknowledged."""
        ids = (message.row_id for message in self._waiting.values() if message.row_id)
        return next(ids, None)

    def run_loop(self, seconds: float) -> None:
        """Receive and send for up to ``seconds``."""
        code = self._client.loop(seconds)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.loss = self.loss or str(code)
        elif not self.is_ready and time.monotonic() - self._began > ACCEPT_SECONDS:
            self.loss = self.loss or "the broker does not answer"

    def subscribe(self, topic: str) -> None:
        """Receive what others publish on the topic."""
        self._client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))

    def most_payload(self, topic: str) -> int:
        """The bytes of the largest payload that the broker takes on this topic."""
        return self._most_bytes - len(topic) - OVERHEAD_BYTES

    def publish(
        self, topic: str, payload: bytes, *, retain: bool, row_id: int | None = None
    ) -> None:
        """Publish with QoS 1; what is too large for the broker is logged once and left out."""
        if len(payload) > self.most_payload(topic):
            self._refuse(topic, f"has {len(payload)} bytes, more than the broker takes")
            return
        info = self._client.publish(topic, payload, 1, retain)
        self._waiting[info.mid] = Message(topic, len(payload), row_id)

    def close(self, seconds: float) -> None:
        """Publish ``offline``, wait at most ``seconds`` for its acknowledgement, disconnect."""
        deadline = time.monotonic() + seconds
        if self.is_ready and not self.loss:
            self.publish(self._status, OFFLINE.encode(), retain=True)
            while self._waiting and not self.loss and time.monotonic() < deadline:
                self.run_loop(0.05)
        self.abandon()

    def abandon(self) -> None:
        """Close the socket, however much is not acknowledged.

        The client's other descriptors are closed when it is deleted, so it must refer to nothing.
        """
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = client.on_message = None
        client.disconnect()
        if (socket := client.socket()) is not None:  # it did not take the last packet
            socket.close()

    def _note_connect(
        self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        if code.is_failure:
            self.loss = f"the broker refuses the connection: {code}"
            return
        # A broker without QoS 1 or retained messages refuses the last will (MQTT 5.0, 3.2.2.3).
        self._most_bytes = getattr(properties, "MaximumPacketSize", self._most_bytes)
        self.is_ready = True

    def _note_disconnect(
        self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        self.loss = self.loss or f"the connection has ended: {code}"

    def _note_publish(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Any
    ) -> None:
        message = self._waiting.pop(mid, None)
        if message and code.is_failure:
            self._refuse(message.topic, f"is refused by the broker: {code}")

    def _refuse(self, topic: str, reason: str) -> None:
        if topic not in self._refused:
            self._refused.add(topic)
            log.warning("the message on %s %s", topic, reason)


def _client_of(broker: Broker, client_id: str) -> Client:
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    if broker.user or broker.password:
        client.username_pw_set(broker.user, broker.password)
    if broker.context:
        client.tls_set_context(broker.context)
    return client
