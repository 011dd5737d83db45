"""Does a wheel hold the whole service, and does it keep its data out of site-packages?"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import requests

from tests.e2e.broker import Mosquitto, Reader, needs_mosquitto
from tests.e2e.server import PROJECT, NotStarted, Server
from tests.pictures import picture, put
from tests.placeholders import ready_made
from tests.receivers import receiving, status

PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
# What a build needs of the repository.
SOURCES = ("app", "migrations", "setup.cfg", "pyproject.toml", "README.md")


class Installed(Server):
    """The command ``nvr-cameras run`` of a virtual environment, with only a home folder."""

    def __init__(self, folder: Path, environment: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        self.command = environment / "bin" / "nvr-cameras"
        self.program = (self.command, "run")
        self.database = folder / "state" / "nvr-cameras" / "nvr.db"

    def environ(self) -> dict[str, str]:
        """As the checkout's server has it, but for the database, which lies where it does."""
        environ = super().environ() | {"XDG_STATE_HOME": str(self.folder / "state")}
        del environ["NVR_DATABASE_URL"]
        return environ

    def flask(self, *words: str) -> str:
        """What a command of the installed program prints."""
        return run(self.command, *words, env=self.environ())


def run(*command: object, **options: object) -> str:
    """What the command prints; fails with what it says if it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> dict[Path, int]:
    """Every file below ``folder``, and when it was changed, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this repository, built in a copy of it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / name)
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder)
    [built] = folder.glob("nvr_cameras-*.whl")
    return built


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An empty virtual environment."""
    venv.create(tmp_path / "venv")
    return tmp_path / "venv"


def install(environment: Path, *what: object) -> None:
    """Have pip install ``what`` into the environment."""
    run(*PIP, "--python", environment / "bin" / "python", "install", *what)


def check_service(server: Installed) -> None:
    """Everything that a user of the installed service does first."""
    assert requests.get(f"{server.url}/health").json() == {"status": "alive"}
    camera = {"name": "Front Door", "folder_path": "front"}
    made = requests.post(f"{server.url}/api/cameras", json=camera).json()
    missing = requests.get(f"{server.url}/api/cameras/{made['id']}/snapshot?placeholder=1")
    assert (missing.status_code, missing.headers["Content-Type"]) == (200, "image/jpeg")
    (server.base / "front").mkdir()
    (server.base / "front" / "1.jpg").write_bytes(picture())
    snapshot = requests.get(f"{server.url}/api/cameras/{made['id']}/snapshot")
    assert (snapshot.status_code, snapshot.content) == (200, picture())
    page = requests.get(server.url, headers={"Accept": "text/html"}).text
    [version] = set(re.findall(r"/static/(\w+)/", page))
    for path in (PROJECT / "app" / "static").iterdir():
        served = requests.get(f"{server.url}/static/{version}/{path.name}")
        assert served.content == path.read_bytes()
    assert requests.get(f"{server.url}/openapi.json").json()["openapi"]
    assert requests.get(f"{server.url}/docs").status_code == 200
    listed = json.loads(server.flask("cameras", "list", "--json"))["cameras"]
    assert [camera["id"] for camera in listed] == [made["id"]]
    assert f"{camera['name']} ({camera['folder_path']})" in server.flask("cameras", "list")


@pytest.mark.slow
def test_a_wheel_serves_a_picture_and_keeps_its_data_in_the_state_folder(
    wheel, environment, tmp_path
):
    install(environment, "--no-deps", wheel)
    for file, _ in ready_made():
        [installed] = environment.rglob(f"nvr_cameras/images/placeholders/{file.name}")
        assert installed.read_bytes() == file.read_bytes()
    # The packages that it needs are those that the tests run with: nothing is downloaded.
    purelib = sysconfig.get_path("purelib", vars={"base": environment})
    Path(purelib, "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    before = files(environment)
    with Installed(tmp_path, environment) as server:
        check_service(server)
    assert files(environment) == before
    assert server.database.is_file()


@pytest.mark.slow
@needs_mosquitto
def test_pip_installs_all_that_mqtt_needs(wheel, environment, tmp_path):
    install(environment, f"{wheel}[mqtt]")
    with Mosquitto(tmp_path) as broker, Reader(broker.port) as reader:
        with Installed(tmp_path, environment, NVR_MQTT_URL=broker.url) as server:
            put(server.base / "front" / "a.png", picture(".png"))
            camera = {"name": "Front Door", "folder_path": "front"}
            made = requests.post(f"{server.url}/api/cameras", json=camera).json()
            shown = reader.wait(f"nvr/{made['id']}/picture")
        assert shown.payload.startswith(b"\xff\xd8\xff"), "Pillow makes a JPEG of the PNG"


@pytest.mark.slow
def test_pip_installs_all_that_notifications_need(wheel, environment, tmp_path):
    install(environment, f"{wheel}[notify]")
    run(environment / "bin" / "python", "-c", "import PIL.Image")
    with receiving(lambda _: status(200)) as phone, Installed(tmp_path, environment) as server:
        url = f"ntfy://127.0.0.1:{phone.server_port}/nvr"
        rule = {"name": "Phone", "url": url, "kinds": ["detection"]}
        made = requests.post(f"{server.url}/api/notifications", json=rule).json()
        told = requests.post(f"{server.url}/api/notifications/{made['id']}/test").json()
    assert told["ok"], told
    assert len(phone.received) == 1


@pytest.mark.slow
def test_pip_installs_the_wheel_with_all_that_it_needs(wheel, environment, tmp_path):
    install(environment, f"{wheel}[images]")
    with Installed(tmp_path, environment) as server:
        check_service(server)
        [camera] = json.loads(server.flask("cameras", "list", "--json"))["cameras"]
        url = f"{server.url}/api/cameras/{camera['id']}/snapshot?width=16"
        assert requests.get(url).headers["Content-Type"] == "image/jpeg"
    broker = {"NVR_MQTT_URL": "mqtt://127.0.0.1:1"}
    with pytest.raises(NotStarted) as refused:
        Installed(tmp_path, environment, **broker).__enter__()
    command = shlex.split(str(refused.value).partition("; type: ")[2])
    assert command[:4] == [str(environment / "bin" / "python"), "-m", "pip", "install"]
    install(environment, *command[4:])
    with Installed(tmp_path, environment, **broker) as server:
        assert requests.get(f"{server.url}/health").ok
