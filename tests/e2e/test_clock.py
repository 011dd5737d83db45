"""Does a wrong clock delete anything? On the real service, whose clock libfaketime sets.

What the kernel says of the clock itself cannot be set for one process, so these tests need a
machine whose clock nothing synchronises, or skip.
"""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from app import clock
from tests.e2e.server import PROJECT, Server
from tests.e2e.test_liveness import ask, register, until

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
RETENTION = {"NVR_RETENTION_DAYS": "30", "NVR_AUDIT_RETENTION_DAYS": "30"}

pytestmark = [
    pytest.mark.skipif(not LIBRARIES, reason="libfaketime (package faketime) is not installed"),
    pytest.mark.skipif(
        clock.read().is_synchronised, reason="the kernel calls this clock synchronised"
    ),
]


class Clock:
    """The clock of a service: days and hours ahead of the real one."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "faketime"
        self.set(0)

    def set(self, seconds: float) -> None:
        self.file.write_text(f"{seconds:+}s\n")

    @property
    def settings(self) -> dict[str, str]:
        """CLOCK_REALTIME is shifted; the times since the boot and those of files are not."""
        return {
            "LD_PRELOAD": str(LIBRARIES[-1]),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


@pytest.fixture
def box_clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def server(tmp_path, box_clock):
    return Server(tmp_path / "box", **RETENTION, **box_clock.settings)


def store(server):
    """A camera with two detections and an event."""
    camera = requests.get(server.url + register(server)).json()["id"]
    seen = {"camera_id": camera, "object_type": "cat", "confidence": 0.9}
    requests.post(f"{server.url}/api/detections", json={"detections": [seen, seen]})
    event = {"camera_id": camera, "started_at": "2026-01-01T00:00:00Z", "summary": "a cat"}
    requests.post(
        f"{server.url}/api/events", json=event | {"started_at": clock.rfc3339(clock.now())}
    )


def rows(server):
    return ask(server, "/api/system/storage")["rows"]


def clock_check(server):
    return ask(server, "/api/system/health")["checks"]["clock"]


def prune(server, *words):
    command = [sys.executable, "-m", "flask", "--app", f"{PROJECT}/wsgi.py", "prune", *words]
    return subprocess.run(command, env=server.environ(), capture_output=True, text=True)


def days(number):
    return timedelta(days=number).total_seconds()


@pytest.fixture
def stored(server):
    """The rows of a service that has ended, by table."""
    with server:
        store(server)
        until(lambda: rows(server)["detection"] == 2)
        return rows(server)


@pytest.mark.slow
def test_a_start_400_days_ahead_deletes_nothing(server, box_clock, stored):
    box_clock.set(days(400))
    for _ in range(2):
        with server:
            until(lambda: clock_check(server)["status"] == "degraded")
            assert "400 days ahead" in clock_check(server)["message"]
            assert ask(server, "/api/system/health")["status"] == "degraded"
            refused = prune(server, "--json")
            assert refused.returncode == 1
            assert json.loads(refused.stdout)["suspended"] == "clock"
            assert "prune --believe-clock" in refused.stderr
            assert rows(server) == stored
            assert "Nothing is deleted by its age" in server.log()
    box_clock.set(0)
    with server:
        assert clock_check(server)["status"] == "healthy"
        assert prune(server).returncode == 0
        assert rows(server) == stored


@pytest.mark.slow
def test_a_person_can_say_that_the_clock_is_right(server, box_clock, stored):
    box_clock.set(days(400))
    with server:
        until(lambda: clock_check(server)["status"] == "degraded")
        done = prune(server, "--believe-clock")
        assert done.returncode == 0, done.stderr
        assert rows(server)["detection"] == rows(server)["event"] == 0
        until(lambda: clock_check(server)["status"] == "healthy")


@pytest.mark.slow
def test_a_clock_that_jumps_is_implausible_until_it_is_set_back(server, box_clock):
    with server:
        store(server)
        before = rows(server)
        for seconds in (days(40), -days(40), 3700):
            box_clock.set(seconds)
            until(lambda: clock_check(server)["status"] == "degraded")
            assert "it jumped by" in clock_check(server)["message"]
            until(lambda: prune(server).returncode == 1)
            assert rows(server) == before
            box_clock.set(0)
            until(lambda: clock_check(server)["status"] == "healthy")
            until(lambda: prune(server).returncode == 0)
        assert rows(server) == before


@pytest.mark.slow
@pytest.mark.parametrize(("ahead", "status"), [(6.9, "healthy"), (7.1, "degraded")])
def test_at_a_start_7_days_ahead_of_the_stored_time_the_clock_is_implausible(
    server, box_clock, stored, ahead, status
):
    box_clock.set(days(ahead))
    with server:
        assert clock_check(server)["status"] == status
