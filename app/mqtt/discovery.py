"""Which entities does Home Assistant make of the box and its cameras? MQTT device discovery.

Source: home-assistant.io, integration mqtt, "MQTT discovery", and the platforms camera, image,
binary_sensor, sensor, event and device_automation.
"""

import hashlib
import re
from typing import Any, NamedTuple

from ..models import NO_LEVEL, RISK_LEVELS, Row
from ..serialization import dump_json
from ..services.homeassistant import jinja_text, literal

# A detected object is shown as present for so many seconds.
PRESENT_SECONDS = 10
DIGEST_CHARACTERS = 6
# Home Assistant's default.
HOME_ASSISTANT_STATUS = "homeassistant/status"
DIAGNOSTIC = {"entity_category": "diagnostic"}


class Topics(NamedTuple):
    """The names of topics; ``discovery`` is where Home Assistant looks for devices."""

    prefix: str
    discovery: str

    @property
    def status(self) -> str:
        return f"{self.prefix}/status"

    @property
    def births(self) -> set[str]:
        """Where Home Assistant may say that it has started: its default, whatever its prefix for
        discovery, and the topic below that prefix.
        """
        return {HOME_ASSISTANT_STATUS, f"{self.discovery}/status"}

    def config(self, device: str) -> str:
        return f"{self.discovery}/device/{self.prefix}_{device}/config"

    def of(self, camera_id: str, name: str) -> str:
        """A topic of a camera: ``state``, ``picture``, ``detection`` or ``event``."""
        return f"{self.prefix}/{camera_id}/{name}"


class Origin(NamedTuple):
    """What publishes: the service's version, its URL for people, and the box's host name."""

    version: str
    url: str
    host: str

    def row(self) -> Row:
        return {"name": "nvr-cameras", "sw_version": self.version, "support_url": self.url}


def box_config(topics: Topics, origin: Origin) -> bytes:
    """The device of the box, with one sensor that is on while the service is connected."""
    return dump_json(
        {
            "device": {
                "identifiers": [f"{topics.prefix}_box"],
                "name": f"NVR {origin.host}",
                "manufacturer": "NVR cameras",
                "model": "Camera service",
                "sw_version": origin.version,
                "configuration_url": origin.url,
            },
            "origin": origin.row(),
            "qos": 1,
            "components": {
                "status": {
                    "platform": "binary_sensor",
                    "unique_id": f"{topics.prefix}_box_status",
                    "name": "Connection",
                    "device_class": "connectivity",
                    **DIAGNOSTIC,
                    "state_topic": topics.status,
                    "payload_on": "online",
                    "payload_off": "offline",
                }
            },
        }
    )


def camera_config(
    topics: Topics, origin: Origin, camera: Row, types: list[str], removed: dict[str, str]
) -> bytes:
    """The device of a camera; ``types``: the object types that are published.

    ``removed``: the keys and platforms of components that the device no longer has.
    """
    device = f"{topics.prefix}_{camera['id']}"
    return dump_json(
        {
            "device": {
                "identifiers": [device],
                "name": camera["name"],
                "manufacturer": "NVR cameras",
                "model": "Upload folder",
                "configuration_url": origin.url,
                "via_device": f"{topics.prefix}_box",
            },
            "origin": origin.row(),
            "availability": [{"topic": topics.status}],
            "qos": 1,
            "components": {key: {"platform": platform} for key, platform in removed.items()}
            | {
                key: component | _identity(device, key, component)
                for key, component in components(topics, camera["id"], types).items()
            },
        }
    )


def components(topics: Topics, camera_id: str, types: list[str]) -> dict[str, Row]:
    """The camera's components by their keys, without their unique ids."""
    picture, state = topics.of(camera_id, "picture"), topics.of(camera_id, "state")
    detected = topics.of(camera_id, "detection")
    found: dict[str, Row] = {
        "camera": {"platform": "camera", "name": None, "topic": picture},
        "picture": {
            "platform": "image",
            "name": "Picture",
            "image_topic": picture,
            "content_type": "image/jpeg",
        },
        "status": {
            "platform": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            **DIAGNOSTIC,
            "state_topic": state,
            "value_template": "{{ 'ON' if value_json.status == 'online' else 'OFF' }}",
        },
        "last_upload": {
            "platform": "sensor",
            "name": "Last upload",
            "device_class": "timestamp",
            **DIAGNOSTIC,
            "state_topic": state,
            "value_template": "{{ value_json.last_seen_at }}",
        },
        "event": {
            "platform": "event",
            "name": "Event",
            "event_types": [*RISK_LEVELS, NO_LEVEL],
            "state_topic": topics.of(camera_id, "event"),
        },
    }
    if types:
        found["detection"] = {
            "platform": "event",
            "name": "Detection",
            "event_types": types,
            "state_topic": detected,
        }
    for object_type in types:
        found[f"type_{slug(object_type)}"] = _presence(object_type, detected)
        found[f"trigger_{slug(object_type)}"] = _trigger(object_type, detected)
    return found


def slug(object_type: str) -> str:
    """The type in lower-case letters, digits and ``_``; where that is not the type itself, with a
    digest, so that no two types have the same.
    """
    plain = "_".join(re.findall("[a-z0-9]+", object_type.lower()))
    if plain == object_type:
        return plain
    digest = hashlib.sha256(object_type.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{plain}_{digest}" if plain else digest


def _presence(object_type: str, topic: str) -> Row:
    seen = f"value_json.event_type == {jinja_text(object_type)}"
    return {
        "platform": "binary_sensor",
        "name": object_type[:1].upper() + object_type[1:],
        "device_class": "occupancy",
        "state_topic": topic,
        "value_template": f"{{{{ 'ON' if {seen} else None }}}}",
        "off_delay": PRESENT_SECONDS,
    }


def _trigger(object_type: str, topic: str) -> Row:
    """A trigger for automations; Home Assistant renders its ``payload`` as a template."""
    return {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": "detected",
        "subtype": object_type,
        "topic": topic,
        "value_template": "{{ value_json.event_type }}",
        "payload": literal(object_type),
    }


def _identity(device: str, key: str, component: Row) -> dict[str, Any]:
    is_trigger = component["platform"] == "device_automation"
    return {} if is_trigger else {"unique_id": f"{device}_{key}"}
