"""How is a real MQTT broker started, and how are the messages read that it gets?"""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.e2e import wire

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
# A busy machine takes many times as long as an idle one.
DEADLINE_SECONDS = 30
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="no mosquitto (apt-get install mosquitto)"
)


class Mosquitto:
    """mosquitto on a port of 127.0.0.1 that stays the same, with no memory between two starts.

    ``settings``: further lines of its configuration.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = wire.free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._configuration = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root", *settings]
        if not any(line.startswith("password_file") for line in settings):
            lines.append("allow_anonymous true")
        self._configuration.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> "Mosquitto":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(
            [str(MOSQUITTO), "-c", self._configuration], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("mosquitto does not listen")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Message(NamedTuple):
    """What the reader received; ``retained``: the broker had it before the reader subscribed."""

    topic: str
    payload: bytes
    qos: int
    retained: bool

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Reader:
    """Reads everything that is published."""

    def __init__(self, port: int, prepare: Callable[[Client], None] = lambda _: None) -> None:
        self.messages: list[Message] = []
        self._is_subscribed = threading.Event()
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5
        )
        prepare(client)
        client.on_message = self._note
        client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        client.on_subscribe = lambda *_: self._is_subscribed.set()
        client.connect("127.0.0.1", port)

    def __enter__(self) -> "Reader":
        self._client.loop_start()
        assert self._is_subscribed.wait(DEADLINE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        del self._client  # closes its descriptors

    def publish(self, topic: str, payload: bytes | str, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain)

    def on(self, topic: str) -> list[Message]:
        """Every message on this topic so far."""
        return [message for message in list(self.messages) if message.topic == topic]

    def wait(
        self, topic: str, is_expected: Callable[[Message], bool] = lambda _: True, count: int = 1
    ) -> Message:
        """The last of ``count`` messages on the topic that are as expected."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            found = [message for message in self.on(topic) if is_expected(message)]
            if len(found) >= count:
                return found[count - 1]
            time.sleep(0.02)
        raise AssertionError(f"not on {topic}: {self.on(topic)}")

    def _note(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        received = message.topic, bytes(message.payload), message.qos, bool(message.retain)
        self.messages.append(Message(*received))
