"""Does a fresh clone show a picture after the commands of the README and docs/installing.md?"""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
import requests

from tests.e2e.server import PROJECT, START_LINE
from tests.pictures import picture

INSTALL_SECONDS = 300
STOP_SECONDS = 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PROJECT / ".git").exists(), reason="this is no clone"),
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "nvr-cameras"
    subprocess.run(["git", "clone", "--quiet", PROJECT, folder], check=True)
    return folder


def listening(process, log):
    """The URL at which the process listens once it does."""
    deadline = time.monotonic() + INSTALL_SECONDS
    while not (found := START_LINE.search(log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    return found[1]


def play_the_camera(clone, url):
    """Type what docs/installing.md says, from "Play the camera" on."""
    page = (PROJECT / "docs" / "installing.md").read_text()
    commands = re.search(r"Play the camera.*?```sh\n(.*?)```", page, re.DOTALL)[1]
    (clone / "ANY_PICTURE.jpg").write_bytes(picture())
    commands = commands.replace("http://127.0.0.1:8000", url)
    subprocess.run(["bash", "-ec", commands], cwd=clone.parent, check=True, capture_output=True)
    (clone / "ANY_PICTURE.jpg").unlink()


def test_make_run_serves_with_its_data_under_instance(clone, tmp_path):
    log = tmp_path / "log"
    environ = {name: v for name, v in os.environ.items() if not name.startswith("NVR_")}
    with log.open("w") as stderr:
        process = subprocess.Popen(
            ["make", "run"],
            cwd=clone,
            env=environ | {"NVR_PORT": "0"},
            stderr=stderr,
            start_new_session=True,
        )
    try:
        url = listening(process, log)
        play_the_camera(clone, url)
        [camera] = requests.get(f"{url}/api/cameras").json()["cameras"]
        shown = requests.get(f"{url}/api/cameras/{camera['id']}/snapshot")
        assert (shown.status_code, shown.content) == (200, picture())
        assert requests.get(f"{url}/api/system/health").json()["status"] == "healthy"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(STOP_SECONDS)
    assert (clone / "instance" / "nvr.db").is_file()
    assert (clone / "instance" / "uploads").is_dir()
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert changed.stdout == ""
