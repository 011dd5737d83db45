"""Does a folder that takes seconds to read leave threads for all the others?"""

import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.pictures import picture, put
from tests.problems import assert_problem

CLIENTS, SLOW_SECONDS, WATCHED_SECONDS = 20, 2, 8
# Makes the disk of the service slow.
SLOW_DISK = f"""
import os, time
scandir = os.scandir
def slow(folder):
    if isinstance(folder, int) and os.readlink(f"/proc/self/fd/{{folder}}").endswith("/slow"):
        time.sleep({SLOW_SECONDS})
    return scandir(folder)
os.scandir = slow
"""


@pytest.fixture
def server(tmp_path):
    with ForkedServer(tmp_path, SLOW_DISK, NVR_THREADS="4", NVR_WATCH="off") as server:
        yield server


def snapshot_of(server, name):
    """The URL of a new camera's snapshot."""
    camera = requests.post(
        f"{server.url}/api/cameras", json={"name": name, "folder_path": name}
    ).json()
    return f"{server.url}/api/cameras/{camera['id']}/snapshot"


@pytest.mark.parametrize(
    "what", ["snapshot", pytest.param("unassigned folders", marks=pytest.mark.slow)]
)
def test_a_slow_folder_occupies_at_most_half_of_the_threads(server, what):
    for name in ("slow", "fast"):
        put(server.base / name / "a.jpg", picture(), age=60)
    fast, slow = snapshot_of(server, "fast"), f"{server.url}/api/folders"
    if what == "snapshot":
        slow = snapshot_of(server, "slow")
    until, answers = time.monotonic() + WATCHED_SECONDS, Counter()
    lock = threading.Lock()

    def ask_again_and_again(_):
        while time.monotonic() < until:
            answer = requests.get(slow, timeout=30)
            if answer.status_code != 200:
                assert_problem(answer, 503, "folder_busy")
                assert answer.headers["Retry-After"] == "1"
                time.sleep(0.2)
            with lock:
                answers[answer.status_code] += 1

    def usual(url):
        took = []
        while time.monotonic() < until:
            began = time.monotonic()
            assert requests.get(url, timeout=30).status_code == 200
            took.append(time.monotonic() - began)
            time.sleep(0.05)
        return statistics.median(took)

    with ThreadPoolExecutor(CLIENTS + 2) as pool:
        asking = [pool.submit(ask_again_and_again, number) for number in range(CLIENTS)]
        others = [pool.submit(usual, url) for url in (fast, f"{server.url}/health")]
        # With all threads occupied they would wait for five times as long as the disk takes.
        assert max(other.result() for other in others) < SLOW_SECONDS
        assert [future.result() for future in asking] == [None] * CLIENTS
    # Two threads, each for as many seconds as the disk takes.
    assert 1 <= answers[200] <= 2 * (WATCHED_SECONDS // SLOW_SECONDS + 1)
    assert answers[503] > CLIENTS
