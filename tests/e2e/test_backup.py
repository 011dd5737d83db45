"""Can the database of the running service be kept, and brought back?"""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.e2e.server import PROJECT
from tests.e2e.writers import Writers, assert_whole

CAMERA = {"name": "Front", "folder_path": "front"}


def flask(server, *words):
    """A command of the operator's, as it is typed."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *map(str, words)],
        cwd=PROJECT,
        env=server.environ(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_backups_under_8_writers_are_consistent_and_hold_what_was_acknowledged(tmp_path):
    with ForkedServer(tmp_path) as server, Writers(server.url) as writers:
        time.sleep(0.3)
        for turn in range(2):
            before = dict(writers.made)
            kept = tmp_path / f"kept-{turn}.db"
            done = flask(server, "backup", kept, "--json")
            assert json.loads(done.stdout) == {"path": str(kept), "bytes": kept.stat().st_size}
            names = assert_whole(kept)
            assert before.keys() <= names.keys()
    assert set(writers.statuses) == {200, 201}
    assert len(writers.made) > 16


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGTERM, id="stopped"),
        pytest.param(signal.SIGKILL, id="killed", marks=pytest.mark.slow),
    ],
)
def test_the_service_continues_with_a_restored_backup(tmp_path, how):
    kept = tmp_path / "kept.db"
    with ForkedServer(tmp_path) as server:
        first = requests.post(server.url + "/api/cameras", json=CAMERA).json()
        page = requests.get(server.url + "/api/audit?limit=1").json()
        assert flask(server, "backup", kept).returncode == 0
        requests.delete(server.url + f"/api/cameras/{first['id']}")
        refused = flask(server, "restore", kept)
        assert (refused.returncode, "Stop the service" in refused.stderr) == (1, True)
        server.stop(how)
    done = flask(server, "restore", kept, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"].startswith(f"{server.database}.replaced-")
    with ForkedServer(tmp_path) as server:
        assert requests.get(server.url + "/api/cameras").json()["cameras"] == [first]
        assert requests.get(server.url + "/api/audit?limit=1").json() == page
        assert requests.post(server.url + "/api/cameras", json=CAMERA).status_code == 201
    assert_whole(server.database)


@pytest.mark.slow
def test_two_services_on_one_database_both_block_a_restore(tmp_path):
    kept, database = tmp_path / "kept.db", f"sqlite:///{tmp_path}/nvr.db"
    servers = [ForkedServer(tmp_path / name, NVR_DATABASE_URL=database) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(server.__enter__) for server in servers]:
            future.result()
    try:
        assert flask(servers[0], "backup", kept).returncode == 0
        for server in servers:
            assert flask(server, "restore", kept).returncode == 1
            server.stop()
    finally:
        for server in servers:
            server.stop()
    assert flask(servers[0], "restore", kept).returncode == 0
