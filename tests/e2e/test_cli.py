"""Do shell commands work while the service runs, and does it show their changes at once?"""

import json
import subprocess
import sys

import pytest
import requests

from tests.e2e.server import PROJECT

DEADLINE_SECONDS = 60


@pytest.fixture
def flask(server):
    """Types ``flask --app wsgi …`` and returns what was printed."""

    def run(*words, typed=""):
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *words],
            cwd=PROJECT,
            env=server.environ(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_service_shows_each_change_at_once(server, flask):
    def names():
        return [c["name"] for c in requests.get(f"{server.url}/api/cameras").json()["cameras"]]

    roster = {"cameras": [{"name": "Front", "folder_path": "front"}]}
    flask("cameras", "import", "-", typed=json.dumps(roster))
    assert names() == ["Front"]
    identity = json.loads(flask("cameras", "add", "Garden", "garden", "--json"))["id"]
    assert names() == ["Front", "Garden"]
    flask("cameras", "rm", identity, "--yes")
    assert names() == ["Front"]
    entries = requests.get(f"{server.url}/api/audit").json()["entries"]
    assert [(entry["action"], entry["actor"]) for entry in entries] == [
        ("camera_deleted", "cli"),
        ("camera_created", "cli"),
        ("camera_created", "cli"),
    ]
