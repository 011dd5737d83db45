"""Do last_seen_at and status follow the folder, by the real service and its real database?"""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.e2e.server import Server
from tests.pictures import picture, put

DEADLINE_SECONDS = 30
# How soon a change in a folder shows through the API, in seconds.
SHOWN_SECONDS = 2
MOVED = "/api/audit?action=camera_status_changed"


def ask(server: Server, path: str) -> dict[str, Any]:
    """The JSON that is answered."""
    answer: dict[str, Any] = requests.get(server.url + path, timeout=DEADLINE_SECONDS).json()
    return answer


def register(server: Server, folder: str = "front") -> str:
    """Where a new camera is."""
    body = {"name": folder, "folder_path": folder}
    made = requests.post(server.url + "/api/cameras", json=body, timeout=DEADLINE_SECONDS)
    return made.headers["Location"]


def upload(server: Server, name: str, age: float = 0) -> None:
    """A picture in the folder of `register`."""
    put(server.base / "front" / name, picture(), age=age)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the service promises within ``seconds``."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def moves(server: Server) -> list[str]:
    """Every status that the monitor has set, oldest first."""
    entries = ask(server, MOVED)["entries"]
    assert {entry["actor"] for entry in entries} <= {"monitor"}
    return [entry["details"]["changes"]["status"]["new"] for entry in entries[::-1]]


def commits(server: Server) -> int:
    """How many transactions stand in the database's log (sqlite.org/fileformat2.html, 4.1).

    SQLite begins the log anew after a thousand pages, which these tests do not write.
    """
    log = Path(f"{server.database}-wal").read_bytes()
    frame_bytes, salt = 24 + int.from_bytes(log[8:12]), log[16:24]
    frames = [log[start : start + 24] for start in range(32, len(log), frame_bytes)]
    return sum(frame[8:16] == salt and frame[4:8] != bytes(4) for frame in frames)


def test_a_base_path_that_comes_after_the_start_is_used_at_once(tmp_path):
    base = tmp_path / "later"
    with ForkedServer(tmp_path / "box", NVR_FOSCAM_BASE_PATH=str(base)) as server:
        camera = register(server)
        health = requests.get(server.url + "/api/system/health", timeout=DEADLINE_SECONDS)
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        found = ask(server, camera + "/diagnostics")["problems"]
        assert [problem["code"] for problem in found] == ["base_path_missing"]
        requests.patch(server.url + camera, json={"status": "offline"}, timeout=DEADLINE_SECONDS)
        put(base / "front/a.jpg", picture())
        answer = requests.get(server.url + camera + "/snapshot", timeout=DEADLINE_SECONDS)
        assert (answer.status_code, answer.content) == (200, picture())
        until(lambda: ask(server, camera)["last_seen_at"] is not None)
        assert ask(server, camera)["status"] == "online"
        assert ask(server, "/api/system/health")["status"] == "healthy"
        assert ask(server, camera + "/diagnostics")["problems"] == []


def test_an_upload_while_the_service_was_down_is_seen_at_its_start(tmp_path):
    with ForkedServer(tmp_path) as server:
        camera = register(server)
    upload(server, "a.jpg", age=30)
    with server:
        until(lambda: ask(server, camera)["last_seen_at"] is not None)
        newest = ask(server, camera + "/diagnostics")["newest"]
        assert ask(server, camera)["last_seen_at"] == newest["modified_at"]
        assert 30 <= newest["age_seconds"] < 90


def test_uploads_of_all_cameras_are_written_together_and_seldom(server):
    cameras = [register(server, f"front/{number}") for number in range(3)]
    before = commits(server)
    upload(server, "0/first.jpg")
    until(lambda: ask(server, cameras[0])["last_seen_at"] is not None)
    until(lambda: commits(server) == before + 1)
    for turn in range(3):
        seen = ask(server, cameras[-1])["last_seen_at"] or ""
        for number in range(len(cameras)):
            upload(server, f"{number}/{turn}.jpg")
        until(lambda: (ask(server, cameras[-1])["last_seen_at"] or "") > seen)  # noqa: B023
    assert commits(server) == before + 1


@pytest.mark.slow
def test_there_is_at_most_one_transaction_per_interval(tmp_path):
    with ForkedServer(tmp_path, NVR_LAST_SEEN_FLUSH_SECONDS="3") as server:
        for number in range(5):
            register(server, f"front/{number}")
        began, before = time.monotonic(), commits(server)
        while time.monotonic() - began < 12:
            for number in range(5):
                upload(server, f"{number}/{time.monotonic_ns()}.jpg")
            time.sleep(0.1)
        written = commits(server) - before
        assert 3 <= written <= (time.monotonic() - began) / 3 + 1


@pytest.mark.slow
def test_each_observation_changes_a_status_once(tmp_path):
    with ForkedServer(tmp_path, NVR_OFFLINE_AFTER_SECONDS="3") as server:
        camera = register(server)

        def becomes(status: str) -> None:
            until(lambda: ask(server, camera)["status"] == status)
            time.sleep(SHOWN_SECONDS)  # nothing moves it again
            assert ask(server, camera)["status"] == status

        time.sleep(5)  # never seen: longer than the silence, and it stays
        becomes("online")
        upload(server, "a.jpg")
        becomes("offline")
        requests.patch(server.url + camera, json={"status": "online"}, timeout=DEADLINE_SECONDS)
        becomes("online")
        requests.patch(server.url + camera, json={"status": "error"}, timeout=DEADLINE_SECONDS)
        upload(server, "b.jpg")
        until(lambda: ask(server, camera)["status"] == "online")
        shutil.rmtree(server.base / "front")
        becomes("error")
        upload(server, "c.jpg")
        until(lambda: ask(server, camera)["status"] == "online")
    with server:  # what waited was written
        assert moves(server)[:4] == ["offline", "online", "error", "online"]


@pytest.mark.slow
@pytest.mark.parametrize("watch", ["auto", "off"])
def test_a_camera_whose_folder_never_existed_is_an_error_after_a_minute(tmp_path, watch):
    with ForkedServer(tmp_path, NVR_WATCH=watch) as server:
        cameras = [register(server, folder) for folder in ("front", "../outside")]
        requests.patch(
            server.url + cameras[0], json={"status": "offline"}, timeout=DEADLINE_SECONDS
        )
        time.sleep(50)
        assert [ask(server, camera)["status"] for camera in cameras] == ["offline", "online"]
        until(lambda: {ask(server, camera)["status"] for camera in cameras} == {"error"})
    (server.base / "front").mkdir()
    with server:
        until(lambda: ask(server, cameras[0])["status"] == "offline")
        upload(server, "a.jpg")
        until(lambda: ask(server, cameras[0])["status"] == "online")
        assert ask(server, cameras[1])["status"] == "error"
    with server:
        assert sorted(moves(server)) == ["error", "error", "offline", "online"]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_of_two_processes_both_serve_one_monitors_and_the_other_takes_over(tmp_path, how):
    shared = {
        "NVR_DATABASE_URL": f"sqlite:///{tmp_path}/nvr.db",
        "NVR_FOSCAM_BASE_PATH": str(tmp_path / "one/uploads"),
    }
    one = ForkedServer(tmp_path / "one", NVR_LAST_SEEN_FLUSH_SECONDS="1", **shared)
    two = ForkedServer(tmp_path / "two", NVR_LAST_SEEN_FLUSH_SECONDS="1", **shared)

    def watcher(server: Server) -> str:
        check = ask(server, "/api/system/health")["checks"]["watcher"]
        assert check["status"] == "healthy"
        return str(check["message"])

    with one:
        until(lambda: "The monitor checks the uploads" in watcher(one))
        with two:
            camera = register(two)
            until(lambda: "Another process" in watcher(two))
            upload(one, "a.jpg")
            for server in (one, two):
                until(lambda: ask(server, camera)["last_seen_at"])  # noqa: B023
                snapshot = requests.get(
                    server.url + camera + "/snapshot", timeout=DEADLINE_SECONDS
                )
                assert snapshot.content == picture()
            one.stop(how)
            until(lambda: "The monitor checks the uploads" in watcher(two))
            seen = ask(two, camera)["last_seen_at"]
            upload(one, "b.jpg")
            until(lambda: ask(two, camera)["last_seen_at"] > seen)
            assert moves(two) == []
            assert "Traceback" not in two.log()
