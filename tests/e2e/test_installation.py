"""Do commands find the settings of their service, and does ProtectHome= hide a base path visibly?

Each test has a checkout of its own, where nothing but what it writes names any setting.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from app.config import SETTINGS
from app.installation import RECORDED
from app.unit import hidden_by_home
from tests.e2e.server import PROJECT, NotStarted, Server
from tests.mounts import needs_mount

DEADLINE_SECONDS = 60
FLASK = (sys.executable, "-m", "flask", "--app", "wsgi")
MODULE = (sys.executable, "-m", "app")
TOKENS = ("tokens", "list")
# Mounts the folder $0 over /etc/systemd/system for the command that follows.
WITH_UNITS = ("unshare", "-m", "sh", "-ec", 'mount --bind "$0" /etc/systemd/system; exec "$@"')
# A folder over /home as ProtectHome=yes, and one as ProtectHome=tmpfs, has systemd mount it.
HIDING_HOME = {
    "yes": "mount -t tmpfs tmpfs /mnt; mkdir -m 0 /mnt/dir; mount --bind /mnt/dir /home",
    "tmpfs": "mount -t tmpfs -o ro tmpfs /home",
}


class Checkout:
    """A copy of the program in ``folder``, and what is typed in it without any NVR_* variable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("app", "migrations"):
            shutil.copytree(PROJECT / name, folder / name)
        shutil.copy(PROJECT / "wsgi.py", folder)

    def service(self, scratch: Path, **settings: str) -> Server:
        """The service of this checkout; an empty setting is not set at all."""
        server = Server(scratch, **settings)
        server.program = (sys.executable, self.folder / "wsgi.py")
        environ = {name: v for name, v in server.environ().items() if v}
        del environ["RUNTIME_DIRECTORY"], environ["FLASK_SKIP_DOTENV"]
        server.environ = lambda: environ
        return server

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """What became of a command, which leaves no compiled code behind."""
        inherited = {name: v for name, v in os.environ.items() if not name.startswith("NVR_")}
        inherited["PYTHONDONTWRITEBYTECODE"] = "1"
        inherited.pop("FLASK_SKIP_DOTENV", None)
        return subprocess.run(
            words,
            cwd=self.folder,
            env=inherited | environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )

    def env_file(self, **settings: str) -> None:
        """Write ``.env``."""
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (self.folder / ".env").write_text("".join(lines))


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "checkout")


@pytest.fixture
def units(checkout, tmp_path):
    """A folder of units that holds the shipped one, for this checkout and a scratch database."""
    folder = tmp_path / "units"
    folder.mkdir()
    text = (PROJECT / "deploy" / "nvr-cameras.service").read_text()
    text = text.replace("/opt/nvr-cameras/.venv/bin/python", sys.executable)
    text = text.replace("/opt/nvr-cameras", str(checkout.folder))
    text = text.replace("/etc/nvr-cameras.env", f"{tmp_path}/nvr-cameras.env")
    (folder / "nvr-cameras.service").write_text(text)
    return folder


def database_of(done):
    """The database that a command says it uses."""
    return done.stderr.partition("Using the database ")[2].partition(",")[0]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(FLASK, id="flask"),
        pytest.param(MODULE, id="python -m app", marks=pytest.mark.slow),
    ],
)
def test_without_a_database_a_command_refuses_to_make_one(checkout, program):
    before = sorted(os.listdir(checkout.folder))
    done = checkout.run(*program, "tokens", "create", "admin", "--role", "write")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no database at {checkout.folder}/instance/nvr.db. Start" in done.stderr
    missing = f"sqlite:///{checkout.folder}/other.db"
    assert checkout.run(*program, *TOKENS, NVR_DATABASE_URL=missing).returncode == 1
    assert sorted(os.listdir(checkout.folder)) == before


@pytest.mark.slow
def test_commands_use_the_database_in_the_record_of_the_running_service(checkout, tmp_path):
    with checkout.service(tmp_path, NVR_RETENTION_DAYS="7") as server:
        record = checkout.folder / "instance" / "service.json"
        assert record.stat().st_mode & 0o777 == 0o600
        checkout.env_file(NVR_DATABASE_URL=f"sqlite:///{tmp_path}/wrong.db")
        for program in (FLASK, MODULE):
            done = checkout.run(*program, "cameras", "add", "Garden", "garden")
            assert database_of(done) == str(server.database)
        assert "No limit is set" not in checkout.run(*FLASK, "prune", "--dry-run").stderr
        assert requests.get(f"{server.url}/api/cameras").json()["count"] == 2
    assert database_of(checkout.run(*FLASK, *TOKENS)) == f"{tmp_path}/wrong.db"
    (checkout.folder / ".env").unlink()
    done = checkout.run(*FLASK, "restore", "missing")
    assert f"Using the database {server.database}, which the service wrote down" in done.stderr


def test_the_record_of_the_service_holds_no_secret():
    assert set(RECORDED) < {setting.name for setting in SETTINGS}
    words = ("TOKEN", "SECRET", "KEY", "PASSWORD", "MQTT")
    assert [name for name in RECORDED if any(word in name for word in words)] == []


@pytest.mark.slow
def test_a_file_beside_the_program_sets_what_the_environment_does_not(checkout, tmp_path):
    checkout.env_file(
        NVR_DATABASE_URL=f"sqlite:///{tmp_path}/dotenv.db", NVR_RETENTION_DAYS="7", NVR_PORT="1"
    )
    with checkout.service(tmp_path, NVR_DATABASE_URL="") as server:
        settings = requests.get(f"{server.url}/api/settings").json()
        assert (settings["retention_days"], settings["fixed"]) == (7, ["retention_days"])
        assert (tmp_path / "dotenv.db").is_file()
    for program in (FLASK, MODULE):
        done = checkout.run(*program, *TOKENS)
        assert done.returncode == 0
        assert f"{tmp_path}/dotenv.db, which {checkout.folder}/.env names." in done.stderr


@pytest.mark.slow
def test_a_command_says_nothing_of_a_database_that_its_environment_names(checkout, tmp_path):
    with checkout.service(tmp_path) as server:
        done = checkout.run(*FLASK, *TOKENS, NVR_DATABASE_URL=f"sqlite:///{server.database}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@needs_mount
def test_commands_use_the_database_that_the_installed_unit_names(checkout, units, tmp_path):
    def used(**environ):
        done = checkout.run(*WITH_UNITS, units, *FLASK, *TOKENS, **environ)
        return database_of(done)

    assert used() == "/var/lib/nvr-cameras/nvr.db"
    (tmp_path / "nvr-cameras.env").write_text("NVR_DATABASE_URL=sqlite:////srv/a.db\n")
    assert used() == "/srv/a.db"
    checkout.env_file(NVR_DATABASE_URL="sqlite:////srv/b.db")
    assert used() == "/srv/a.db"
    override = units / "nvr-cameras.service.d" / "override.conf"
    override.parent.mkdir()
    override.write_text(f"[Service]\nEnvironmentFile={tmp_path}/more.env\n")
    (tmp_path / "more.env").write_text("# more\nNVR_DATABASE_URL='sqlite:////srv/c.db'\n")
    assert used() == "/srv/c.db"
    unit = units / "nvr-cameras.service"
    unit.write_text(unit.read_text().replace(f"{checkout.folder}/", "/opt/other/"))
    unit.write_text(unit.read_text().replace(f"{sys.prefix}/", "/opt/other/"))
    assert used() == "/srv/b.db"


@pytest.mark.slow
def test_the_help_of_wsgi_py_names_the_settings_and_starts_nothing(checkout):
    before = sorted(os.listdir(checkout.folder))
    done = checkout.run(sys.executable, "wsgi.py", "--help", NVR_PORT="wrong")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: wsgi.py" in done.stdout
    assert "docs/settings.md" in done.stdout
    assert [s.name for s in SETTINGS if f"  {s.name}={s.default}\n" not in done.stdout] == []
    wrong = checkout.run(sys.executable, "wsgi.py", "--port", "80")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Usage: wsgi.py" in wrong.stderr
    assert sorted(os.listdir(checkout.folder)) == before


@needs_mount
@pytest.mark.parametrize("how", ["yes", pytest.param("tmpfs", marks=pytest.mark.slow)])
def test_health_names_a_base_path_that_protect_home_hides(tmp_path, how):
    wrapper = ("unshare", "-m", "sh", "-ec", f'{HIDING_HOME[how]}; exec "$@"', "sh")
    with Server(tmp_path, wrapper, NVR_FOSCAM_BASE_PATH="/home/pi/cams") as server:
        health = requests.get(f"{server.url}/api/system/health").json()
        assert health["status"] == "unhealthy"
        message = health["checks"]["base_path"]["message"]
        assert "ProtectHome= of the service's unit hides /home" in message
        assert "BindReadOnlyPaths=/home/pi/cams" in message
        camera = {"name": "Garden", "folder_path": "garden"}
        made = requests.post(f"{server.url}/api/cameras", json=camera).json()
        found = requests.get(f"{server.url}/api/cameras/{made['id']}/diagnostics").json()
        assert "ProtectHome=" in found["problems"][0]["message"]


@pytest.mark.slow
@needs_mount
def test_a_database_that_the_unit_keeps_from_being_written_is_refused_with_the_remedy(tmp_path):
    wrapper = ("unshare", "-m", "sh", "-ec", 'mount -t tmpfs -o ro tmpfs /mnt; exec "$@"', "sh")
    url = "sqlite:////mnt/nvr/nvr.db"
    for notify, is_remedy_named in ((f"{tmp_path}/socket", True), ("", False)):
        server = Server(tmp_path, wrapper, NVR_DATABASE_URL=url)
        environ = server.environ() | ({"NOTIFY_SOCKET": notify} if notify else {})
        server.environ = lambda environ=environ: environ
        with pytest.raises(NotStarted) as refused, server:
            pass
        said = str(refused.value)
        assert "cannot start: the database /mnt/nvr/nvr.db cannot be used: [Errno 30]" in said
        assert ("ReadWritePaths=/mnt/nvr, then" in said) is is_remedy_named
        assert said.count("\n") == 1


@pytest.mark.parametrize("path", ["/home/nobody/cams", "/homely", "/export/foscam"])
def test_a_folder_that_is_only_missing_is_not_called_hidden(path):
    assert hidden_by_home(path) is None


@pytest.mark.slow
@needs_mount
def test_the_doctor_knows_outside_the_unit_what_the_unit_hides(checkout, units, tmp_path):
    base = Path("/root") / f"cams-{os.getpid()}"
    (tmp_path / "nvr-cameras.env").write_text(f"NVR_FOSCAM_BASE_PATH={base}\n")

    def first_line():
        done = checkout.run(*WITH_UNITS, units, *FLASK, "doctor")
        return done.stdout.splitlines()[0]

    base.mkdir()
    try:
        assert first_line().startswith(f"problem base path: {base}: ProtectHome= of the service's")
        override = units / "nvr-cameras.service.d" / "override.conf"
        override.parent.mkdir()
        override.write_text(f"[Service]\nProtectHome=tmpfs\nBindReadOnlyPaths={base}\n")
        assert first_line().startswith("ok      base path")
        override.write_text("[Service]\nProtectHome=read-only\n")
        assert first_line().startswith("ok      base path")
    finally:
        base.rmdir()
