"""How does Home Assistant show the cameras without a broker? Makes YAML for its configuration.

Sources: home-assistant.io, integrations rest, template and generic. Since 2024.1 an entity of rest
can have ``availability``. A Generic Camera can be created in the user interface only; its form is
that of 2026.11.
"""

import re
from collections import Counter
from typing import NamedTuple
from unicodedata import combining, normalize
from urllib.parse import urlencode

from ..layout import COMMAND
from ..models import Row
from ..serialization import dump_yaml

# How often Home Assistant asks for the status, and a Generic Camera for the picture, in seconds.
STATUS_SECONDS, PICTURE_SECONDS = 30, 10
# The service accepts any user name; it checks only the password, which is a token.
USER = "homeassistant"
# What follows the camera's name in the names of its entities.
CONNECTION, LAST_UPLOAD, PICTURE = "connection", "last upload", "picture"
# Where two cameras have the same name, so many characters of the id are added to it.
ID_CHARACTERS = 8
HEAD = """\
# {title}, for Home Assistant 2024.1 or newer.
#
# Save this as a file in the folder of packages (home-assistant.io/docs/configuration/packages), or
# put it into configuration.yaml if that has neither `rest:` nor `template:` yet. Each camera gets
# a connectivity sensor, a sensor with the time of its last upload, and an image, which changes
# when there is a new upload.
#
# If the service asks for a token, create one for Home Assistant alone, which may only read, with
#   {command} tokens create homeassistant --role read
# and fetch this file with it, which then contains the token:
#   curl --header "Authorization: Bearer TOKEN" {url}
# If Home Assistant cannot fetch an image, it writes the image's URL into its log, with the token.
# It does not log the password of a Generic Camera.
#
# The images find both sensors by their entity ids. If you change those, change them here too.
"""
GENERIC = """
# For a camera instead of an image, enter these values under Settings > Devices & services >
# Add integration > Generic Camera; the other fields stay empty. Home Assistant does not accept
# them in a file. The form asks for no name: every camera gets that of the box, so rename it.
"""


class Source(NamedTuple):
    """Where Home Assistant asks: ``url`` is that of the YAML, ``root`` that of the list of
    cameras, and ``token`` is what it is to send, if anything.
    """

    url: str
    root: str
    token: str | None


def box_configuration(cameras: list[Row], source: Source) -> str:
    """The YAML for all ``cameras``; one request for their list gives the state of each."""
    rows = {
        camera["id"]: "((value_json | default({})).cameras | default([])"
        f" | selectattr('id', 'eq', '{camera['id']}') | list | first | default({{}}))"
        for camera in cameras
    }
    names = tell_apart(cameras)
    return _configuration("All cameras", names, source, source.root, rows)


def camera_configuration(camera: Row, cameras: list[Row], source: Source) -> str:
    """The YAML for one ``camera``, under the name that it has among all ``cameras``."""
    names = {camera["id"]: tell_apart(cameras)[camera["id"]]}
    rows = {camera["id"]: "(value_json | default({}))"}
    resource = f"{source.root}/{camera['id']}"
    return _configuration(_one_line(camera["name"]), names, source, resource, rows)


def tell_apart(cameras: list[Row]) -> dict[str, str]:
    """The name of each camera by its id; where names are alike, with the beginning of the id.

    Home Assistant makes ids of entities from the letters and digits of their names.
    """
    longer = {
        camera["id"]: f"{camera['name']} ({camera['id'][:ID_CHARACTERS]})" for camera in cameras
    }
    alike = Counter(_letters(camera["name"]) for camera in cameras)
    # A camera may be called like another one with the beginning of its id.
    alike.update(map(_letters, longer.values()))
    return {
        camera["id"]: camera["name"]
        if alike[_letters(camera["name"])] == 1
        else longer[camera["id"]]
        for camera in cameras
    }


def _configuration(
    title: str, names: dict[str, str], source: Source, resource: str, rows: dict[str, str]
) -> str:
    """``names``: the name of each camera by its id; ``rows``: a Jinja expression for its row in
    the answer of ``resource``, empty if that is an error, because an error has a ``status`` too.
    """
    token = source.token
    rest = {
        "resource": resource,
        **({"headers": {"Authorization": f"Bearer {token}"}} if token else {}),
        "scan_interval": STATUS_SECONDS,
        "binary_sensor": [_connection(key, name, rows[key]) for key, name in names.items()],
        "sensor": [_last_upload(key, name, rows[key]) for key, name in names.items()],
    }
    images = [_image(key, name, source) for key, name in names.items()]
    entities = {"rest": [rest], "template": [{"image": images}]}
    forms = dump_yaml([_generic(key, name, source) for key, name in names.items()])
    comments = "".join(f"# {line}\n" for line in forms.removesuffix("\n").split("\n"))
    return (
        HEAD.format(title=title, command=COMMAND, url=source.url)
        + dump_yaml(entities)
        + GENERIC
        + comments
    )


def _connection(camera_id: str, name: str, row: str) -> Row:
    """A sensor that is on while the camera is online, unavailable while no service answers."""
    return {
        "name": literal(f"{name} {CONNECTION}"),
        "unique_id": f"nvr_{camera_id}_status",
        "device_class": "connectivity",
        "value_template": f"{{{{ {row}.status == 'online' }}}}",
        "availability": f"{{{{ {row}.id is defined }}}}",
    }


def _last_upload(camera_id: str, name: str, row: str) -> Row:
    """A sensor with the time of the last upload, unavailable where there was none."""
    return {
        "name": literal(f"{name} {LAST_UPLOAD}"),
        "unique_id": f"nvr_{camera_id}_last_upload",
        "device_class": "timestamp",
        "value_template": f"{{{{ {row}.last_seen_at }}}}",
        "availability": f"{{{{ {row}.last_seen_at is string }}}}",
    }


def _image(camera_id: str, name: str, source: Source) -> Row:
    """An image whose URL, and so its time, changes with the time of the last upload."""
    uploaded = _state("sensor", f"{name} {LAST_UPLOAD}")
    connection = _state("binary_sensor", f"{name} {CONNECTION}")
    login = {"token": source.token} if source.token else {}
    return {
        "name": literal(f"{name} {PICTURE}"),
        "unique_id": f"nvr_{camera_id}_image",
        "url": f"{_still(camera_id, source, login)}&t={{{{ {uploaded} }}}}",
        "availability": f"{{{{ {connection} in ('on', 'off') }}}}",
    }


def _generic(camera_id: str, name: str, source: Source) -> Row:
    """The name to give to a Generic Camera, and the values for its form by their fields."""
    login = {"username": USER, "password": source.token} if source.token else {}
    return {
        "name": name,
        "still_image_url": _still(camera_id, source, {}),
        **login,
        "advanced": {
            "framerate": 1 / PICTURE_SECONDS,
            "verify_ssl": source.root.startswith("https:"),
            **({"authentication": "basic"} if login else {}),
        },
    }


def _still(camera_id: str, source: Source, query: dict[str, str]) -> str:
    """The URL of the snapshot, or of a placeholder if there is none."""
    return f"{source.root}/{camera_id}/snapshot?{urlencode({'placeholder': 1, **query})}"


def _state(domain: str, name: str) -> str:
    """A Jinja expression for the state of the entity that Home Assistant names after ``name``.

    Home Assistant replaces letters such as 門 by a table of its own; there the expression calls
    its function ``slugify``.
    """
    plain = "".join(c for c in normalize("NFKD", name) if not combining(c))
    if re.fullmatch(r"[A-Za-z0-9 ()._-]*", plain):
        return f"states('{domain}.{'_'.join(re.findall('[a-z0-9]+', plain.lower()))}')"
    return f"states('{domain}.' ~ slugify({jinja_text(name)}))"


def _letters(name: str) -> str:
    """The letters and digits of a name, without accents and case, with ``_`` between its words."""
    plain = "".join(c for c in normalize("NFKD", name.casefold()) if not combining(c))
    return "_".join(re.findall(r"[^\W_]+", plain))


def literal(text: str) -> str:
    """A template of Home Assistant (Jinja) that renders as exactly this ``text``."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text)


def jinja_text(text: str) -> str:
    """An expression of Jinja for this ``text``, with the escapes of a Python text."""
    escaped = re.sub("[^A-Za-z0-9 _-]", lambda found: f"\\U{ord(found[0]):08x}", text)
    return f"'{escaped}'"


def _one_line(text: str) -> str:
    """``text`` for a comment, which a line break of any kind would end."""
    return "".join(c if c.isprintable() else " " for c in text)


EXAMPLE_CAMERAS = [{"id": "123e4567-e89b-12d3-a456-426614174000", "name": "Front Door Camera"}]
EXAMPLE_ROOT = "http://nvr.local:8000/api/cameras"
# For the API's description.
EXAMPLE_BOX = box_configuration(
    EXAMPLE_CAMERAS, Source("http://nvr.local:8000/api/homeassistant", EXAMPLE_ROOT, None)
)
EXAMPLE_CAMERA = camera_configuration(
    EXAMPLE_CAMERAS[0],
    EXAMPLE_CAMERAS,
    Source(f"{EXAMPLE_ROOT}/{EXAMPLE_CAMERAS[0]['id']}/homeassistant", EXAMPLE_ROOT, None),
)
