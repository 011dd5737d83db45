"""Does Home Assistant itself accept the configuration, and what does it show?

Its package is installed from PyPI into an environment of its own, which is kept for later runs
below the user's cache folder.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.e2e.broker import Mosquitto, needs_mosquitto
from tests.e2e.server import Server
from tests.pictures import picture, put

pytestmark = pytest.mark.slow
# The newest release that runs on Python 3.13.0, and what its integrations rest and mqtt need.
RELEASE = "2025.4.4"
PACKAGES = (
    *(f"homeassistant=={RELEASE}", "jsonpath==0.82.2", "xmltodict==0.13.0"),
    "paho-mqtt==2.1.0",
)
UV = Path(sys.executable).with_name("uv")
PROGRAM = Path(__file__).with_name("homeassistant_states.py")
INSTALL_SECONDS, RUN_SECONDS = 400, 240
# Home Assistant's own server is not what is tested: a loopback address that nothing else uses.
CONFIGURATION = """\
homeassistant: {{packages: !include_dir_named packages}}
http: {{server_host: 127.81.23.7, server_port: {port}}}
"""


def find_python() -> str | None:
    """The path of a Python 3.13, from PATH or pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in ("python3.13", *map(str, pyenv.glob("3.13.*/bin/python3"))):
        code = "import sys; sys.exit(sys.version_info[:2] != (3, 13))"
        if (
            shutil.which(candidate)
            and not subprocess.run([candidate, "-c", code], stderr=subprocess.DEVNULL).returncode
        ):
            return candidate
    return None


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python that has Home Assistant."""
    found = find_python()
    if not found:
        pytest.skip(f"Home Assistant {RELEASE} needs Python 3.13, which is not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "nvr-cameras" / f"homeassistant-{RELEASE}"
    complete = folder / "complete"
    if not complete.exists() or complete.read_text() != " ".join(PACKAGES):
        for command in (
            (UV, "venv", "--clear", "--python", found, folder),
            (UV, "pip", "install", "--python", folder / "bin" / "python", *PACKAGES),
        ):
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
            except subprocess.SubprocessError as error:
                said = (getattr(error, "stderr", None) or b"").decode()[-500:]
                pytest.skip(f"Home Assistant {RELEASE} cannot be installed: {error} {said}")
        complete.write_text(" ".join(PACKAGES))
    return folder / "bin" / "python"


class Shown(NamedTuple):
    """What Home Assistant has: states and images by entity, and subtypes of device triggers."""

    states: dict[str, str]
    images: dict[str, bytes]
    triggers: list[str]


def show(python: Path, folder: Path, text: str, *awaited: str, broker: int = 0) -> Shown:
    """What Home Assistant has with this YAML as a package, and a broker on this port if any."""
    (folder / "packages").mkdir(parents=True)
    (folder / "packages" / "nvr.yaml").write_text(text)
    with socket.create_server(("127.81.23.7", 0)) as free:
        port = free.getsockname()[1]
    (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))
    command = [python, PROGRAM, folder, str(broker), *awaited]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    images = {name: base64.b64decode(data) for name, data in found["images"].items()}
    states = {name: state["state"] for name, state in found["states"].items()}
    return Shown(states, images, found["triggers"])


def test_home_assistant_shows_the_cameras_of_a_box(python, tmp_path):
    with Server(tmp_path, NVR_ANONYMOUS="none") as server:
        secret = server.flask("tokens", "create", "homeassistant", "--role", "write").strip()
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {secret}"
        put(server.base / "front" / "a.jpg", picture(), 60)
        ids = {}
        for name, status in (
            ("Front Door", "online"),
            ("front-door", "offline"),
            ("{{x}} 前門", "offline"),
        ):
            fields = {"name": name, "folder_path": "front" if status == "online" else "no"}
            made = session.post(f"{server.url}/api/cameras", json=fields | {"status": status})
            ids[name] = made.json()["id"][:8]
        text = session.get(f"{server.url}/api/homeassistant").text
        front, second = f"front_door_{ids['Front Door']}", f"front_door_{ids['front-door']}"
        awaited = (f"sensor.{front}_last_upload", f"image.{front}_picture")
        states, images, _ = show(python, tmp_path / "homeassistant", text, *awaited)
    assert states[f"binary_sensor.{front}_connection"] == "on"
    assert states[f"binary_sensor.{second}_connection"] == "off"
    assert states["binary_sensor.x_qian_men_connection"] == "off"
    assert states[f"sensor.{second}_last_upload"] == "unavailable"
    assert images[f"image.{front}_picture"] == picture()
    assert images["image.x_qian_men_picture"].startswith(b"\xff\xd8\xff")
    assert states["image.x_qian_men_picture"] != "unavailable"


@needs_mosquitto
def test_home_assistant_makes_entities_of_what_is_published_by_mqtt(python, tmp_path):
    hostile = ["person", "status", "'}} {{ x }}", '"', "人", "{{ 1/0 }}"]
    with Mosquitto(tmp_path) as broker, Server(tmp_path, NVR_MQTT_URL=broker.url) as server:
        put(server.base / "front" / "a.jpg", picture())
        fields = {"name": "Front Door", "folder_path": "front"}
        made = requests.post(f"{server.url}/api/cameras", json=fields).json()
        for object_type in hostile:
            seen = {"camera_id": made["id"], "object_type": object_type, "confidence": 0.5}
            requests.post(f"{server.url}/api/detections", json=seen)
        awaited = ("sensor.front_door_last_upload", "image.front_door_picture")
        folder = tmp_path / "homeassistant"
        states, images, triggers = show(python, folder, "{}", *awaited, broker=broker.port)
    assert states["binary_sensor.front_door_connection"] == "on"
    assert states["camera.front_door"] == "idle"
    assert {"event.front_door_detection", "event.front_door_event"} <= states.keys()
    assert "binary_sensor.front_door_person" in states
    assert sorted(triggers) == sorted(hostile)
    assert images["image.front_door_picture"] == picture()
