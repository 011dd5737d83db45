"""How does Home Assistant show a camera? The lines of configuration that it takes, as YAML.

Sources: home-assistant.io, integrations rest, template and generic. Its Generic Camera is set up
in the user interface only: configuration of ``platform: generic`` is refused since 2022.
"""

import re
from typing import NamedTuple
from urllib.parse import urlencode

from ..models import Row
from ..yaml_text import dumps

# Seconds between two looks at the status, and between two at the picture.
STATUS_SECONDS, PICTURE_SECONDS = 30, 10
# Anything will do: only the password, a token, is looked at.
USER = "homeassistant"
HEAD = """\
# {title} for Home Assistant: put this into configuration.yaml or a file of packages.
# It makes a connectivity sensor and an image that is fetched every {seconds} seconds.
"""
GENERIC = """
# For a camera instead of an image: Settings > Devices & services > Add integration >
# Generic Camera, with these values. Home Assistant takes them in no file.
"""
EXAMPLE_CAMERA = {"id": "123e4567-e89b-12d3-a456-426614174000", "name": "Front Door Camera"}
EXAMPLE_URL = f"http://nvr.local:8000/api/cameras/{EXAMPLE_CAMERA['id']}"
# What `configuration` makes of them, for the API's description: to make it takes PyYAML.
EXAMPLE = f"""\
# Front Door Camera for Home Assistant: put this into configuration.yaml or a file of packages.
# It makes a connectivity sensor and an image that is fetched every 10 seconds.
rest:
- resource: {EXAMPLE_URL}
  scan_interval: 30
  binary_sensor:
  - name: Front Door Camera
    unique_id: nvr_{EXAMPLE_CAMERA["id"]}_status
    device_class: connectivity
    value_template: '{{{{ value_json.status == ''online'' }}}}'
template:
- triggers:
  - trigger: time_pattern
    seconds: /10
  image:
  - name: Front Door Camera
    unique_id: nvr_{EXAMPLE_CAMERA["id"]}_image
    url: {EXAMPLE_URL}/snapshot?placeholder=1

# For a camera instead of an image: Settings > Devices & services > Add integration >
# Generic Camera, with these values. Home Assistant takes them in no file.
# camera:
# - platform: generic
#   name: Front Door Camera
#   still_image_url: {EXAMPLE_URL}/snapshot?placeholder=1
#   framerate: 0.1
#   verify_ssl: false
"""


class Urls(NamedTuple):
    """Where the asker reaches the camera and its picture."""

    camera: str
    snapshot: str


def configuration(camera: Row, urls: Urls, token: str | None) -> str:
    """The camera as YAML; with ``token``, what shows it to the service stands in it."""
    head = HEAD.format(title=_one_line(camera["name"]), seconds=PICTURE_SECONDS)
    entities = {"rest": [_status(camera, urls, token)], "template": [_image(camera, urls, token)]}
    generic = dumps(_generic(camera, urls, token)).removesuffix("\n").split("\n")
    return head + dumps(entities) + GENERIC + "".join(f"# {line}\n" for line in generic)


def _status(camera: Row, urls: Urls, token: str | None) -> Row:
    """On while the service says that the camera is online; unavailable while it says nothing."""
    shown = {"headers": {"Authorization": f"Bearer {token}"}} if token else {}
    sensor = {
        "name": _literal(camera["name"]),
        "unique_id": f"nvr_{camera['id']}_status",
        "device_class": "connectivity",
        "value_template": "{{ value_json.status == 'online' }}",
    }
    return {
        "resource": urls.camera,
        **shown,
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
    """The fields of its form, by the names that they had in files."""
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
    """Always a picture: where the camera has none, a card that says so."""
    return f"{urls.snapshot}?{urlencode({'placeholder': 1, **query})}"


def _literal(text: str) -> str:
    """A template of Home Assistant (Jinja) that comes out as just this ``text``."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)


def _one_line(text: str) -> str:
    """For a comment, which any kind of line break would end."""
    return "".join(c if c.isprintable() else " " for c in text)
