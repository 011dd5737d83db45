"""Does a file system that stops answering affect only the cameras that lie on it?"""

import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e.server import PROJECT, Server
from tests.e2e.test_mounts import register, shown
from tests.mounts import Bindfs, needs_bindfs, unmount
from tests.pictures import picture, put
from tests.problems import assert_problem

pytestmark = needs_bindfs

FIRST, LATER = picture(shade=1), picture(shade=2)
# Longest time of a response, in seconds, on a busy machine: at first, when the service waits for
# 4 seconds, and once the mount is known to hang.
FIRST_SECONDS, KNOWN_SECONDS = 8, 3
DEADLINE_SECONDS = 30


@pytest.fixture
def share(server, tmp_path):
    """The folder ``hung`` on a FUSE file system, with a picture in it."""
    put(tmp_path / "elsewhere" / "a.jpg", FIRST, age=60)
    with Bindfs(tmp_path / "elsewhere", server.base / "hung") as share:
        yield share


@pytest.fixture
def hung(server, share):
    """A camera that shows the folder's picture; the file system has stopped answering since."""
    camera = register(server, "hung")
    assert shown(camera) == FIRST
    share.hang()
    return camera


def assert_not_answering(url, seconds):
    began = time.monotonic()
    answer = requests.get(url, timeout=20)
    assert time.monotonic() - began < seconds
    assert_problem(answer, 503, "storage_not_answering")
    assert answer.headers["Retry-After"] == "5"


def until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_its_camera_is_refused_in_time_then_at_once_and_shows_again_by_itself(hung, share):
    assert_not_answering(f"{hung}/snapshot", FIRST_SECONDS)
    for _ in range(20):
        assert_not_answering(f"{hung}/snapshot", KNOWN_SECONDS)
    put(share.source / "b.jpg", LATER)
    share.recover()
    until(lambda: shown(hung) == LATER)


@pytest.mark.parametrize("rounds", [20, pytest.param(150, marks=pytest.mark.slow)])
def test_many_requests_for_it_delay_no_others(server, hung, rounds):
    put(server.base / "well" / "a.jpg", FIRST)
    well = register(server, "well")
    is_over, answers = threading.Event(), []

    def ask_again_and_again(_):
        while not is_over.is_set():
            answers.append(requests.get(f"{hung}/snapshot", timeout=20).json()["code"])
            time.sleep(0.05)

    def seconds(url):
        began = time.monotonic()
        assert requests.get(url, timeout=20).status_code == 200
        return time.monotonic() - began

    urls = [f"{well}/snapshot", f"{server.url}/health", f"{server.url}/api/cameras"]
    with ThreadPoolExecutor(8) as crowd:
        asking = [crowd.submit(ask_again_and_again, number) for number in range(8)]
        took = [seconds(url) for _ in range(rounds) for url in urls if not time.sleep(0.01)]
        is_over.set()
        assert [future.result() for future in asking] == [None] * 8
    assert set(answers) == {"storage_not_answering"}
    # Where they had to wait for the mount, each would take as long as the service waits for it.
    assert statistics.quantiles(took, n=10)[-1] < KNOWN_SECONDS
    assert statistics.median(took) < 1


@pytest.mark.slow
def test_a_folder_of_which_a_part_hangs_does_not_answer(server, tmp_path):
    put(server.base / "front" / "a.jpg", FIRST, age=60)
    camera = register(server, "front")
    assert shown(camera) == FIRST
    put(tmp_path / "elsewhere" / "b.jpg", LATER)
    with Bindfs(tmp_path / "elsewhere", server.base / "front" / "day") as share:
        share.hang()
        assert_not_answering(f"{camera}/snapshot", FIRST_SECONDS)
        share.recover()
        until(lambda: shown(camera) == LATER)
    assert shown(camera) == FIRST


PAST = {"start_date": "2020-01-01T00:00:00Z", "end_date": "2040-01-01T00:00:00Z"}
# How a picture or clip is used by its id.
BY_ID = [("GET", ""), ("PUT", "/keep"), ("DELETE", "/keep"), ("DELETE", "")]


def test_its_pictures_are_refused_in_time_and_its_moments_are_still_listed(server, share):
    put(share.source / "a.mp4", b"clip", age=60)
    camera = register(server, "hung")
    listed = requests.get(f"{camera}/pictures", timeout=20).json()["pictures"]
    assert {row["name"] for row in listed} == {"a.mp4", "a.jpg"}
    share.hang()
    assert_not_answering(f"{camera}/pictures", FIRST_SECONDS)
    for row in listed:
        for query in ("", "?thumbnail=1", "?width=20"):
            assert_not_answering(f"{camera}/pictures/{row['id']}{query}", KNOWN_SECONDS)
        for method, way in BY_ID:
            began = time.monotonic()
            answer = requests.request(method, f"{camera}/pictures/{row['id']}{way}", timeout=20)
            assert_problem(answer, 503, "storage_not_answering")
            assert time.monotonic() - began < KNOWN_SECONDS
    for url in (camera, f"{server.url}/api"):
        (moment,) = get(f"{url}/moments")["moments"]
        assert (moment["pictures"], moment["clips"]) == (1, 1)
    timeline = requests.get(f"{camera}/timeline", params=PAST | {"bucket": "1d"}, timeout=20)
    assert sum(each["clips"] for each in timeline.json()["buckets"]) == 1
    share.recover()
    until(lambda: requests.get(f"{camera}/pictures", timeout=20).ok)
    assert get(f"{camera}/pictures", FIRST_SECONDS)["pictures"] == listed


def test_a_file_system_whose_program_has_ended_says_so_at_once(hung, share):
    share.recover()
    share.die()
    for _ in range(3):
        assert_not_answering(f"{hung}/snapshot", KNOWN_SECONDS)
    unmount(share.point)
    put(share.point / "b.jpg", LATER)
    assert shown(hung) == LATER


@pytest.mark.slow
def test_a_hanging_mount_that_is_taken_away_is_asked_no_more(hung, share):
    assert_not_answering(f"{hung}/snapshot", FIRST_SECONDS)
    unmount(share.point)
    assert shown(hung) == "no_snapshot"
    with Bindfs(share.source, share.point):
        assert shown(hung) == FIRST


def get(url, seconds=KNOWN_SECONDS):
    began = time.monotonic()
    answer = requests.get(url, timeout=20)
    assert time.monotonic() - began < seconds
    return answer.json()


@pytest.mark.slow
def test_health_diagnosis_and_the_list_of_folders_name_it_and_do_not_hang(server, hung, share):
    put(server.base / "unassigned" / "a.jpg", FIRST)
    with Bindfs(share.source, server.base / "other") as other:
        other.hang()
        folders = get(f"{server.url}/api/folders")["folders"]
        counts = [(folder["name"], folder["pictures"]) for folder in folders]
        assert counts == [
            ("other", {"count": 0, "complete": False}),
            ("unassigned", {"count": 1, "complete": True}),
        ]
    for seconds in (FIRST_SECONDS, KNOWN_SECONDS):
        seen = get(f"{hung}/diagnostics", seconds)
        (problem,) = seen["problems"]
        assert problem["code"] == "storage_not_answering"
        assert str(share.point) in problem["message"]
    health = get(f"{server.url}/api/system/health")["checks"]
    assert health["storage_answering"]["status"] == "degraded"
    assert f"{share.point} (fuse)" in health["storage_answering"]["message"]
    assert [health[name]["status"] for name in ("base_path", "storage")] == ["healthy"] * 2
    share.recover()
    until(lambda: get(f"{hung}/diagnostics")["problems"][0]["code"] == "polling")
    health = get(f"{server.url}/api/system/health")["checks"]
    assert health["storage_answering"]["status"] == "healthy"


@pytest.mark.slow
def test_the_monitor_sees_the_uploads_of_all_other_cameras_in_time(server, hung, tmp_path):
    (server.base / "well").mkdir()
    well = register(server, "well")
    with Bindfs(tmp_path / "another", server.base / "polled") as polled:
        polled_camera = register(server, "polled")
        for number in range(3):
            for camera, folder in (
                (well, server.base / "well"),
                (polled_camera, polled.source),
            ):
                before = get(camera)["last_seen_at"]
                put(folder / f"{number}.jpg", FIRST)
                until(lambda c=camera, b=before: get(c)["last_seen_at"] != b)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["doctor"], ["cameras", "add", "Side", "hung/side"]])
def test_a_command_names_it_and_ends(server, hung, share, words):
    began = time.monotonic()
    command = subprocess.run(
        [sys.executable, "-m", "flask", "--app", f"{PROJECT}/wsgi.py", *words],
        env=server.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert time.monotonic() - began < FIRST_SECONDS + 5
    assert command.returncode == (words == ["doctor"])
    assert f"{share.point}" in command.stdout + command.stderr
    assert "does not answer" in command.stdout + command.stderr


@pytest.mark.slow
def test_a_hanging_base_path_affects_only_its_cameras(tmp_path):
    put(tmp_path / "elsewhere" / "front" / "a.jpg", FIRST)
    base = {"NVR_FOSCAM_BASE_PATH": str(tmp_path / "share")}
    with (
        Bindfs(tmp_path / "elsewhere", tmp_path / "share") as share,
        Server(tmp_path, **base) as server,
    ):
        camera = register(server, "front")
        share.hang()
        assert_not_answering(f"{camera}/snapshot", FIRST_SECONDS)
        assert_not_answering(f"{server.url}/api/folders", KNOWN_SECONDS)
        assert_not_answering(f"{server.url}/api/system/storage", KNOWN_SECONDS)
        health = get(f"{server.url}/api/system/health")
        assert health["status"] == "unhealthy"
        assert "does not answer" in health["checks"]["base_path"]["message"]
        assert register(server, "side")
        assert get(f"{server.url}/api/cameras")["count"] == 2
        share.recover()
        until(lambda: shown(camera) == FIRST)


@pytest.mark.slow
@pytest.mark.parametrize("asked", [False, True])
def test_the_service_starts_and_stops_in_time_beside_it(tmp_path, asked):
    put(tmp_path / "elsewhere" / "front" / "a.jpg", FIRST)
    with Bindfs(tmp_path / "elsewhere", tmp_path / "share") as share:
        server = Server(tmp_path, NVR_FOSCAM_BASE_PATH=str(share.point))
        with server:
            register(server, "front")
        share.hang()
        with server:
            camera = get(f"{server.url}/api/cameras")["cameras"][0]
            assert get(f"{server.url}/health") == {"status": "alive"}
            if asked:
                url = f"{server.url}/api/cameras/{camera['id']}/snapshot"
                assert_not_answering(url, FIRST_SECONDS)
            began = time.monotonic()
            server.process.terminate()
            assert server.wait() == 0
            assert time.monotonic() - began < 8
