"""Does `make demo` show what the README says, and leave no files behind?"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests import demo
from tests.e2e.server import PROJECT

DEADLINE_SECONDS = 60

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def run(tmp_path, **environ):
    """Run the demo as make does, with its temporary files below ``tmp_path``."""
    return subprocess.run(
        [sys.executable, "-m", "tests.demo"],
        cwd=PROJECT,
        env=os.environ | {"TMPDIR": str(tmp_path)} | environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


@needs_curl
def test_it_shows_two_cameras_a_night_and_who_is_told_of_an_event(tmp_path):
    done = run(tmp_path, NVR_FOSCAM_BASE_PATH="/nowhere", NVR_LOG_LEVEL="nonsense")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) <= 80
    assert str(tmp_path) not in done.stdout
    assert len([line for line in lines if line.startswith("$ curl ")]) == 16
    assert len([line for line in lines if line.startswith("ftp> STOR ")]) == 4
    assert lines.count("200 image/jpeg") == 3
    assert len(re.findall(r": [\d,]+ bytes, the last upload", done.stdout)) == 2
    assert lines.count("webhook> POST /hook") == 1
    assert len([line for line in lines if line.startswith("mqtt> ")]) == 1
    assert '"code":"camera_not_found"' in lines[-1]
    assert list(tmp_path.iterdir()) == []


def test_make_runs_it():
    listed = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/dev", "demo"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.split()[1:] == ["-m", "tests.demo"]


@needs_curl
def test_a_difference_is_one_clear_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(demo.tempfile, "tempdir", None)
    monkeypatch.setattr(demo, "upload_flat", lambda camera: b"another picture")
    failure = demo.main()
    assert failure.startswith("the demo failed: the answer is '404 ")
    assert "\n" not in failure
    assert list(tmp_path.iterdir()) == []


def test_without_curl_it_says_so(monkeypatch):
    monkeypatch.setattr(demo.shutil, "which", lambda _: None)
    assert "install curl" in demo.main()


def test_without_mosquitto_it_says_so(capsys):
    demo.show_mqtt(None, "nvr/1/event")
    assert "mosquitto is not installed" in capsys.readouterr().out
