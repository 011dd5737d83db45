"""Do the files in deploy/ work with the tools that read them?"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ftplib import FTP
from pathlib import Path

import pytest

from app.config import SETTINGS, BadSetting
from app.environment import read_settings
from app.server.tasks import WRITERS
from app.storage.mount_threads import MOUNT_THREADS
from app.unit import DELETION, how_to_show
from tests.e2e import wire
from tests.e2e.ftp import DEADLINE_SECONDS, PASSWORD, ftp_client, store
from tests.pictures import picture

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
INSTALLED = "/opt/nvr-cameras/.venv/bin/python"
GREATEST_EXPOSURE = 2.0
NOBODY = 65534
# A recorder of 32 channels opens a session for each of them.
RECORDER_SESSIONS = 32

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)
needs_vsftpd = pytest.mark.skipif(
    not shutil.which("vsftpd") or os.geteuid() != 0,
    reason="vsftpd is not installed, or this is not root",
)
needs_pure_ftpd = pytest.mark.skipif(
    not (shutil.which("pure-ftpd") and shutil.which("pure-pw") and os.geteuid() == 0),
    reason="pure-ftpd is not installed, or this is not root",
)


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze says."""
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


@needs_systemd
@pytest.mark.parametrize("override", ["", how_to_show("/home/pi/cams", "/home"), DELETION])
def test_systemd_finds_no_fault_in_the_unit(tmp_path, override):
    """Neither as it is shipped, nor with what the doctor's advice says to write."""
    unit = tmp_path / "nvr-cameras.service"
    text = (DEPLOY / unit.name).read_text()
    assert text.count(INSTALLED) == 1
    lines = re.findall(
        r"\[Service\]|\w+=[\w/]*", override.format(path="/home/pi/cams").partition("write")[2]
    )
    unit.write_text(text.replace(INSTALLED, sys.executable) + "\n".join(lines))
    assert len(lines) in (0, 3)
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_systemd_finds_the_unit_well_sandboxed():
    done = analyze("security", "--offline=true", DEPLOY / "nvr-cameras.service")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(exposure[1]) <= GREATEST_EXPOSURE, done.stdout


def test_the_unit_has_its_own_user_and_limits():
    lines = (DEPLOY / "nvr-cameras.service").read_text().splitlines()
    for line in (
        "User=nvr",
        "ExecStart=/opt/nvr-cameras/.venv/bin/python /opt/nvr-cameras/wsgi.py",
        "EnvironmentFile=-/etc/nvr-cameras.env",
        "StateDirectory=nvr-cameras",
        "ReadOnlyPaths=-/export/foscam",
        "Restart=on-failure",
        "Type=notify",
        "WatchdogSec=60",
    ):
        assert line in lines
    assert "MemoryMax" in {line.partition("=")[0] for line in lines}


def test_the_unit_lets_the_service_use_one_processor_and_ask_whether_the_clock_is_right():
    text = (DEPLOY / "nvr-cameras.service").read_text()
    assert "ProtectClock=yes" not in text  # which forbids adjtimex(2) altogether
    filters = re.findall("^SystemCallFilter=(.*)$", text, re.MULTILINE)
    assert filters[0] == "@system-service"  # the first makes it a list of what is allowed
    needed = {"sched_setaffinity", "adjtimex", "clock_adjtime", "clock_adjtime64"}
    assert needed <= set(filters[-1].split())
    assert "CapabilityBoundingSet=\n" in text  # nothing may set the clock


def test_the_unit_allows_all_threads_that_the_service_may_start():
    text = (DEPLOY / "nvr-cameras.service").read_text()
    readers, shares, others = 64, 64, 10
    assert read_settings({"NVR_THREADS": str(readers)})["NVR_THREADS"] == readers
    with pytest.raises(BadSetting):
        read_settings({"NVR_THREADS": str(readers + 1)})
    threads = readers + WRITERS + others + shares * MOUNT_THREADS
    assert int(re.search("^TasksMax=(.*)$", text, re.MULTILINE)[1]) >= threads


def test_the_environment_file_names_every_setting_with_a_value_that_works():
    text = (DEPLOY / "nvr-cameras.env").read_text()
    given = dict(re.findall(r"^#?(NVR_\w+)=(.*)$", text, re.MULTILINE))
    assert list(given) == [setting.name for setting in SETTINGS]
    shown = dict(re.findall(r"^#(NVR_\w+)=(.*)$", text, re.MULTILINE))
    assert shown == {s.name: s.default for s in SETTINGS if s.name in shown}
    assert read_settings(given)["NVR_DATABASE_URL"] == "/var/lib/nvr-cameras/nvr.db"


@pytest.mark.parametrize("name", ["nvr-cameras.env", "vsftpd.conf"])
def test_values_stand_alone_on_their_lines(name):
    """Neither systemd nor vsftpd accepts a comment or a blank after a value."""
    for line in (DEPLOY / name).read_text().splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"\w+=\S+", line), line


@pytest.mark.parametrize("name", ["vsftpd.conf", "pure-ftpd.conf"])
def test_no_option_is_given_twice(name):
    lines = (DEPLOY / name).read_text().splitlines()
    options = [re.split(r"[=\s]", line)[0] for line in lines if line and line[0] != "#"]
    assert len(options) == len(set(options)) > 10


@needs_vsftpd
def test_vsftpd_takes_its_file_and_32_sessions_of_a_recorder(tmp_path):
    (tmp_path / "cameras").write_text("front_door\n")
    shutil.copy(DEPLOY / "vsftpd.conf", tmp_path)
    port = wire.free_port()
    changed = {
        "listen_address": "127.0.0.1",
        "listen_port": port,
        "background": "NO",
        "userlist_file": tmp_path / "cameras",
        "secure_chroot_dir": tmp_path,
    }
    options = [f"-o{name}={value}" for name, value in changed.items()]
    with subprocess.Popen(
        ["vsftpd", tmp_path / "vsftpd.conf", *options], stderr=subprocess.PIPE
    ) as server:
        try:
            wait_for(port, server)
            with sessions(port, RECORDER_SESSIONS):
                pass
        finally:
            server.terminate()


@pytest.fixture
def pure_ftpd(tmp_path: Path) -> Iterator[int]:
    """The port of a pure-ftpd that is set up by our file but for paths and port."""
    home, passwords, pdb = tmp_path / "front_door", tmp_path / "passwd", tmp_path / "pdb"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    subprocess.run(
        f"pure-pw useradd front_door -f {passwords} -F {pdb} -m -u {NOBODY} -g {NOBODY} -d {home}",
        shell=True,
        input=f"{PASSWORD}\n{PASSWORD}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    port = wire.free_port()
    text = (DEPLOY / "pure-ftpd.conf").read_text()
    text = text.replace("/etc/pure-ftpd/pureftpd.pdb", str(pdb))
    text = re.sub(r"Daemonize +yes", f"Daemonize no\nBind 127.0.0.1,{port}", text)
    (tmp_path / "conf").write_text(f"{text}PIDFile {tmp_path}/pid\n")
    with subprocess.Popen(["pure-ftpd", tmp_path / "conf"], stderr=subprocess.PIPE) as server:
        try:
            wait_for(port, server)
            yield port
        finally:
            server.terminate()


@pytest.fixture
def camera(pure_ftpd: int) -> Iterator[FTP]:
    """A camera that has logged in to pure-ftpd."""
    with ftp_client(pure_ftpd, "front_door") as client:
        yield client


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until a process listens on ``port``."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        assert server.poll() is None, server.stderr.read()
        assert time.monotonic() < deadline
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)


@pytest.mark.slow  # pure-pw takes its time to hash a password
@needs_pure_ftpd
def test_pure_ftpd_uploads_under_a_dot_name_into_the_cameras_own_folder(camera, tmp_path):
    assert camera.pwd() == "/"
    store(camera, "front.jpg", picture())
    path = tmp_path / "front_door" / "front.jpg"
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (picture(), 0o640)
    with camera.transfercmd("STOR front.jpg") as data:
        data.sendall(picture(shade=9)[:100])
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(names := os.listdir(path.parent)) < 2:
            assert time.monotonic() < deadline
        assert sorted(name[0] for name in names) == [".", "f"]
        assert path.read_bytes() == picture()
        data.sendall(picture(shade=9)[100:])
    camera.voidresp()
    assert os.listdir(path.parent) == ["front.jpg"]
    assert path.read_bytes() == picture(shade=9)


@contextmanager
def sessions(port: int, count: int) -> Iterator[None]:
    """Open this many sessions from one address, none of them logged in."""
    with ExitStack() as stack:
        for _ in range(count):
            session = stack.enter_context(FTP(timeout=DEADLINE_SECONDS))
            assert session.connect("127.0.0.1", port).startswith("220")
        yield


@pytest.mark.slow  # pure-pw takes its time to hash a password
@needs_pure_ftpd
def test_pure_ftpd_takes_an_upload_in_the_32nd_session_of_a_recorder(pure_ftpd, tmp_path):
    with sessions(pure_ftpd, RECORDER_SESSIONS - 1), ftp_client(pure_ftpd, "front_door") as last:
        store(last, "1.jpg", picture())
    assert os.listdir(tmp_path / "front_door") == ["1.jpg"]


@pytest.mark.parametrize(
    ("name", "per_address", "all_clients", "ports"),
    [
        ("pure-ftpd.conf", "MaxClientsPerIP", "MaxClientsNumber", r"PassivePortRange (\d+) (\d+)"),
        ("vsftpd.conf", "max_per_ip", "max_clients", r"pasv_min_port (\d+) pasv_max_port (\d+)"),
    ],
)
def test_each_ftp_server_lets_several_recorders_in(name, per_address, all_clients, ports):
    text = " ".join(re.sub(r"#.*|=", " ", (DEPLOY / name).read_text()).split())
    most_per_address = int(re.search(rf"\b{per_address} (\d+)", text)[1])
    most_clients = int(re.search(rf"\b{all_clients} (\d+)", text)[1])
    first, last = map(int, re.search(ports, text).groups())
    assert most_per_address >= RECORDER_SESSIONS
    assert most_clients >= 4 * most_per_address
    assert last - first + 1 >= most_clients
