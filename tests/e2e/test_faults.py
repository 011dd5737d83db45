"""Is what was acknowledged still there after a fault, and does the service go on after it?"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.e2e.server import NotStarted, Server
from tests.e2e.test_service import LOG_LINE
from tests.e2e.writers import Writers, assert_kept, assert_whole
from tests.pictures import picture, put
from tests.problems import assert_problem

ROUNDS = 50
SEED = 20251223
STOP_SECONDS = 8
BUSY_SECONDS = 5
CAMERA = {"name": "Front", "folder_path": "front"}
# Runs the command in the other arguments; the folder $1 is a small disk or a read-only one.
SMALL_DISK = 'mount -t tmpfs -o size=1m nvr "$1" && shift && exec "$@"'
READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


def can_mount():
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "nvr", "/mnt"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


needs_mount = pytest.mark.skipif(not can_mount(), reason="nothing may be mounted here")


def mounted(folder, script, **settings):
    """A server whose database is in ``folder``/disk, which ``script`` mounts in its namespace."""
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    settings |= {"NVR_DATABASE_URL": f"sqlite:///{disk}/nvr.db"}
    if not script:
        return ForkedServer(folder, **settings)
    return Server(folder, ["unshare", "--mount", "sh", "-c", script, "sh", str(disk)], **settings)


def post(server):
    return requests.post(server.url + "/api/cameras", json=CAMERA, timeout=20)


def listed(server):
    answer = requests.get(server.url + "/api/cameras", timeout=20)
    assert answer.status_code == 200
    return answer.json()["count"]


def fill(path):
    """Write zeros until the disk takes no more."""
    with open(path, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 1024)


@pytest.mark.slow
def test_kill_9_at_any_moment_under_8_writers_loses_nothing(tmp_path):
    chance, acknowledged = random.Random(SEED), 0
    for _ in range(ROUNDS):
        server = ForkedServer(tmp_path)
        with server, Writers(server.url) as writers:
            deadline = time.monotonic() + 60
            while not writers.made and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(chance.random() / 2)
            assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        assert set(writers.statuses) <= {200, 201}
        assert_kept(writers, assert_whole(server.database))
        acknowledged += len(writers.made)
    print(f"{acknowledged} cameras acknowledged in {ROUNDS} rounds")
    assert acknowledged > ROUNDS


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_8_writers_loses_nothing_and_is_quick(tmp_path, how):
    with ForkedServer(tmp_path) as server, Writers(server.url) as writers:
        deadline = time.monotonic() + 30
        while len(writers.made) <= 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
        assert server.stop(how) == 0
        assert time.monotonic() - began < STOP_SECONDS
    assert set(writers.statuses) == {200, 201}
    assert len(writers.made) > 8
    assert_kept(writers, assert_whole(server.database))
    assert not (tmp_path / "nvr.db-wal").exists()
    assert "Traceback" not in server.log()


@pytest.mark.slow
def test_a_stop_while_another_process_holds_the_database_is_quick(tmp_path):
    with ForkedServer(tmp_path) as server, Writers(server.url):
        time.sleep(0.5)
        with closing(sqlite3.connect(server.database, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            time.sleep(0.5)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.wait(STOP_SECONDS + 2) == 0
            assert time.monotonic() - began < STOP_SECONDS


@needs_mount
def test_a_full_disk_refuses_writes_only_and_recovers_by_itself(tmp_path):
    with mounted(tmp_path, SMALL_DISK) as server:
        assert post(server).status_code == 201
        filler = f"/proc/{server.process.pid}/root{tmp_path}/disk/filler"
        fill(filler)
        stored = 1
        while (answer := post(server)).status_code == 201:
            stored += 1
            assert stored < 5000
        assert_problem(answer, 507, "storage_full")
        assert listed(server) == stored
        os.unlink(filler)
        assert post(server).status_code == 201
        assert listed(server) == stored + 1


@needs_mount
@pytest.mark.slow
def test_pictures_are_deleted_from_a_full_disk_that_holds_the_database_too(tmp_path):
    (tmp_path / "disk").mkdir()
    script = SMALL_DISK.replace("1m", "16m").replace(
        "shift", 'mkdir -p "$1/uploads/front" && shift'
    )
    with mounted(tmp_path, script, NVR_FOSCAM_BASE_PATH=f"{tmp_path}/disk/uploads") as server:
        disk = Path(f"/proc/{server.process.pid}/root{tmp_path}/disk")
        assert post(server).status_code == 201
        for number in range(300):
            file = disk / f"uploads/front/{number}.jpg"
            file.write_bytes(b"x" * 20_000)
            os.utime(file, (time.time() - 9 * 24 * 3600 + number,) * 2)
        requests.patch(server.url + "/api/settings", json={"keep_days": 5}, timeout=20)
        fill(disk / "filler")
        while post(server).status_code == 201:
            pass
        fill(disk / "more")
        answer = requests.post(server.url + "/api/system/retention", timeout=60)
        assert (answer.status_code, answer.json()["pictures"]) == (200, 299)
        assert os.listdir(disk / "uploads/front") == ["299.jpg"]
        (entry,) = audited(server, "pictures_pruned")
        assert entry["details"] == answer.json()
        assert "deleted before it is recorded" in server.log()


def audited(server, action):
    answer = requests.get(f"{server.url}/api/audit?action={action}", timeout=20)
    return answer.json()["entries"]


@needs_mount
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGTERM, id="stopped", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, id="killed"),
    ],
)
def test_a_read_only_database_can_still_be_read(tmp_path, how):
    with mounted(tmp_path, "") as server:
        assert post(server).status_code == 201
        server.stop(how)
    with mounted(tmp_path, READ_ONLY) as server:
        assert listed(server) == 1
        assert_problem(post(server), 503, "database_read_only")
        health = requests.get(server.url + "/api/system/health")
        assert health.json()["checks"]["database"]["status"] == "unhealthy"
        time.sleep(2)
        assert listed(server) == 1
        assert "Traceback" not in server.log()
    with mounted(tmp_path, "") as server:
        assert post(server).status_code == 201


def refused(tmp_path, **settings):
    """The line with which the service refuses to start."""
    with pytest.raises(NotStarted) as error, ForkedServer(tmp_path, **settings):
        pass
    lines = [line for line in str(error.value).splitlines() if not LOG_LINE.fullmatch(line)]
    assert len(lines) == 1, error.value
    return lines[0]


def empty(file):
    file.write_bytes(b"")


def rubbish(file):
    file.write_bytes(b"this is no database" * 5000)


def truncated(file):
    os.truncate(file, file.stat().st_size // 4096 // 2 * 4096)


def scribbled_on(file):
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 4096 // 2 * 4096)
        opened.write(b"\xff" * 3 * 4096)


@pytest.mark.parametrize(
    "spoil",
    [
        *(rubbish, truncated),
        pytest.param(empty, marks=pytest.mark.slow),
        pytest.param(scribbled_on, marks=pytest.mark.slow),
    ],
)
def test_a_damaged_database_is_refused_with_the_remedy_and_left_as_it_is(tmp_path, spoil):
    with ForkedServer(tmp_path) as server:
        for _ in range(3):
            post(server)
    spoil(server.database)
    before = server.database.read_bytes()
    line = refused(tmp_path)
    assert str(server.database) in line
    assert "restore a backup (flask --app wsgi restore FILE), or move it away" in line
    assert server.database.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path):
    with closing(sqlite3.connect(tmp_path / "nvr.db")) as database:
        database.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY)")
    before = (tmp_path / "nvr.db").read_bytes()
    assert "belongs to another program: let NVR_DATABASE_URL name another" in refused(tmp_path)
    assert (tmp_path / "nvr.db").read_bytes() == before


def test_a_folder_at_the_path_of_the_database_is_refused(tmp_path):
    (tmp_path / "nvr.db").mkdir()
    assert "is not a file: let NVR_DATABASE_URL name a file" in refused(tmp_path)
    assert list((tmp_path / "nvr.db").iterdir()) == []


def test_a_database_that_vanishes_is_not_created_again_while_the_service_runs(tmp_path):
    with ForkedServer(tmp_path, NVR_THREADS="1") as server:
        post(server)
        for file in tmp_path.glob("nvr.db*"):
            file.unlink(missing_ok=True)
        for _ in range(3):
            requests.get(server.url + "/api/cameras")
            post(server)
        assert not server.database.exists()


def test_a_writer_waits_for_another_process(server):
    post(server)
    with closing(sqlite3.connect(server.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        code = (
            f"import requests as r; print(r.post({server.url!r} + '/api/cameras', json={CAMERA}))"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as writer:
            time.sleep(1)
            assert writer.poll() is None
            assert listed(server) == 1
            holder.execute("COMMIT")
            assert b"201" in writer.communicate()[0]


@pytest.mark.slow
def test_a_writer_waits_5_seconds_for_another_process_and_then_says_busy(server):
    post(server)
    with closing(sqlite3.connect(server.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answer = post(server)
        assert BUSY_SECONDS - 0.5 < time.monotonic() - began < BUSY_SECONDS + 15
        assert_problem(answer, 503, "database_busy")
        assert answer.headers["Retry-After"] == "1"
        assert listed(server) == 1
    assert post(server).status_code == 201


def test_a_base_path_that_appears_after_the_start_is_found(tmp_path):
    base = tmp_path / "mounted/later"
    with ForkedServer(tmp_path, NVR_FOSCAM_BASE_PATH=str(base)) as server:
        camera = server.url + post(server).headers["Location"]
        assert_problem(requests.get(camera + "/snapshot"), 404, "folder_not_found")
        assert requests.get(server.url + "/api/system/health").status_code == 503
        put(base / "front/a.jpg", picture())
        assert requests.get(camera + "/snapshot").content == picture()
        deadline = time.monotonic() + 30
        while requests.get(camera).json()["last_seen_at"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert requests.get(server.url + "/api/system/health").status_code == 200
