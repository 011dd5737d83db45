"""How does Home Assistant show a camera? Makes the YAML for its configuration.

Sources: home-assistant.io, integrations rest, template and generic. Since 2022 a Generic Camera
can be created in the user interface only; Home Assistant refuses ``platform: generic`` in files.
"""

import re
from typing import NamedTuple
from urllib.parse import urlencode

from ..models import Row
from ..serialization import dump_yaml

# How often Home Assistant asks for the status and for the picture, in seconds.
STATUS_SECONDS, PICTURE_SECONDS = 30, 10
# Any name is accepted: the service checks only the password, which is a token.
USER = "homeassistant"
HEAD = """\
# {title} for Home Assistant: put this into configuration.yaml or into a file of packages.
# It adds a connectivity sensor, and an image that is fetched every {seconds} seconds.
"""
GENERIC = """
# For a camera instead of an image, enter these values under Settings > Devices & services >
# Add integration > Generic Camera. Home Assistant does not accept them in a file.
"""


class Urls(NamedTuple):
    """The URLs of the camera and of its snapshot, as Home Assistant reaches them."""

    camera: str
    snapshot: str


def configuration(camera: Row, urls: Urls, token: str | None) -> str:
    """The YAML for ``camera``; with a ``token``, its entities send that token to the service."""
    head = HEAD.format(title=_one_line(camera["name"]), seconds=PICTURE_SECONDS)
    entities = {"rest": [_status(camera, urls, token)], "template": [_image(camera, urls, token)]}
    generic = dump_yaml(_generic(camera, urls, token)).removesuffix("\n").split("\n")
    return head + dump_yaml(entities) + GENERIC + "".join(f"# {line}\n" for line in generic)


def _status(camera: Row, urls: Urls, token: str | None) -> Row:
    """A sensor that is on while the camera is online, unavailable while no service answers."""
    headers = {"headers": {"Authorization": f"Bearer {token}"}} if token else {}
    sensor = {
        "name": _literal(camera["name"]),
        "unique_id": f"nvr_{camera['id']}_status",
        "device_class": "connectivity",
        "value_template": "{{ value_json.status == 'online' }}",
    }
    return {
        "resource": urls.camera,
        **headers,
        "scan_interval": STATUS_SECONDS,
        "binary_sensor": [sensor],
    }


def _image(camera: Row, urls: Urls, token: str | None) -> Row:
    image = {
        "name": _literal(camera["name"]),
        "unique_id": f"nvr_{camera['id']}_image",
        "url": _still(urls, {"token": token} if token else {}),
    }
    trigger = {"trigger": "time_pattern", "seconds": f"/{PICTURE_SECONDS}"}
    return {"triggers": [trigger], "image": [image]}


def _generic(camera: Row, urls: Urls, token: str | None) -> Row:
    """The values for the form of a Generic Camera, under the names that they had in files."""
    login = {"authentication": "basic", "username": USER, "password": token} if token else {}
    camera_of = {
        "platform": "generic",
        "name": camera["name"],
        "still_image_url": _still(urls, {}),
        **login,
        "framerate": 1 / PICTURE_SECONDS,
        "verify_ssl": urls.snapshot.startswith("https:"),
    }
    return {"camera": [camera_of]}


def _still(urls: Urls, query: dict[str, str]) -> str:
    """The URL of the snapshot, or of a placeholder if there is none."""
    return f"{urls.snapshot}?{urlencode({'placeholder': 1, **query})}"


def _literal(text: str) -> str:
    """A template of Home Assistant (Jinja) that renders as exactly this ``text``."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)


def _one_line(text: str) -> str:
    """``text`` for a comment, which a line break of any kind would end."""
    return "".join(c if c.isprintable() else " " for c in text)


EXAMPLE_CAMERA = {"id": "123e4567-e89b-12d3-a456-426614174000", "name": "Front Door Camera"}
EXAMPLE_URL = f"http://nvr.local:8000/api/cameras/{EXAMPLE_CAMERA['id']}"
# For the API's description.
EXAMPLE = configuration(EXAMPLE_CAMERA, Urls(EXAMPLE_URL, f"{EXAMPLE_URL}/snapshot"), None)
