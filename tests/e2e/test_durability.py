"""Does an answered write survive a power cut, and does reading leave the disk alone?

Watched from outside: the system calls of the real service.
"""

import json
import re
import shutil
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.server.tasks import WRITERS
from benchmarks.service import request, running
from tests.pictures import picture, put

WATCHED = (
    "fsync,fdatasync,sync_file_range,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,"
    "truncate,ftruncate,fallocate,open,openat,creat,unlink,unlinkat,rename,renameat,renameat2,"
    "mkdir,mkdirat,link,linkat,symlink,symlinkat,utimensat"
)
# With several threads a call may be on two lines; it is done on the second.
SYNCED = re.compile(r"\b(fsync|fdatasync)(\(| resumed).*= 0$")
ANSWERED = re.compile(r'\b(sendto|sendmsg|write|writev)\(\d+<socket:.*"HTTP/1\.1 (\d+)')
WRITTEN = re.compile(
    r"\b(write|writev|pwrite64|pwritev2?|ftruncate|fallocate)\(\d+</(?!dev/)"
    r"|\bopen(at)?\(.*\bO_(WRONLY|RDWR|CREAT|TRUNC)"
    r"|\b(f(data)?sync|sync_file_range|truncate|creat|(un)?link(at)?|rename(at2?)?|mkdir(at)?|"
    r"symlink(at)?|utimensat)\("
)
MOST_SYNCS = 3
# At some six pages each, enough for the log to be due to move into the database.
POSTS = 400
BATCHES = 12
CAMERA = json.dumps({"name": "Front Door", "folder_path": "front"}).encode()
POST = request("POST", "/api/cameras", CAMERA)
# Nothing else in this module is answered 405: it shows in the trace where the work begins.
MARK = request("PUT", "/api/cameras", b"{}")


def can_trace():
    command = ["strace", "-D", "-f", "-o", "/dev/null", "true"]
    return bool(shutil.which("strace")) and subprocess.run(command).returncode == 0


pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is missing or may not trace")


@pytest.fixture
def trace(tmp_path):
    """Runs ``work`` with the traced service; the lines of its trace."""

    def run(work):
        file = tmp_path / "trace"
        strace = ["strace", "-D", "-f", "-y", "-s", "40", "-o", str(file), "-e", WATCHED]
        with running(strace) as service, service.client() as client:
            work(service, client)
        return file.read_text().splitlines()

    return run


def statuses(lines):
    return [int(found[2]) for line in lines if (found := ANSWERED.search(line))]


@pytest.mark.parametrize("posts", [100, pytest.param(POSTS, marks=pytest.mark.slow)])
def test_a_write_is_on_the_disk_before_it_is_answered_and_costs_few_syncs(trace, posts):
    def write(_, client):
        client.ask(MARK)
        for _ in range(posts):
            status, _, _ = client.ask(POST)
            assert status == 201

    syncs, counts = 0, []
    for line in trace(write):
        syncs += bool(SYNCED.search(line))
        if answered := statuses([line]):
            counts += [syncs] if answered == [201] else []
            syncs = 0
    assert len(counts) == posts
    print({count: counts.count(count) for count in sorted(set(counts))})
    # What the service itself writes meanwhile, at most once in a second, may fall before any.
    assert min(counts) >= 1
    assert statistics.median(counts) == 1
    assert sum(count > MOST_SYNCS for count in counts) <= posts / 20


@pytest.mark.slow
def test_simultaneous_changes_share_their_syncs(trace):
    def post(service, client):
        def posts():
            with service.client() as one:
                return [one.ask(POST)[0] for _ in range(POSTS // WRITERS)]

        client.ask(MARK)
        with ThreadPoolExecutor(WRITERS) as pool:
            clients = [pool.submit(posts) for _ in range(WRITERS)]
            assert {status for each in clients for status in each.result()} == {201}
        client.ask(MARK)

    lines = trace(post)
    begin, end = (index for index, line in enumerate(lines) if 405 in statuses([line]))
    answered = statuses(lines[begin + 1 : end])
    syncs = sum(bool(SYNCED.search(line)) for line in lines[begin:end])
    print(f"{syncs} syncs for {len(answered)} changes")
    assert answered == [201] * POSTS
    assert syncs <= POSTS / 2


@pytest.mark.slow
def test_a_batch_costs_one_sync(trace):
    """Its commit's; the log moves into the database later, at a quiet moment.

    The first one of a thread also makes sure of the folder, so each thread writes once before.
    """

    def post(_, client):
        for _ in range(2 * WRITERS):
            camera = json.loads(client.ask(POST)[2])["id"]
        seen = {"camera_id": camera, "object_type": "car", "confidence": 0.5}
        client.ask(MARK)
        for number in range(BATCHES):
            batch = [seen | {"external_id": f"{number}/{n}"} for n in range(1000)]
            body = json.dumps({"detections": batch}).encode()
            assert client.ask(request("POST", "/api/detections", body))[0] == 201
        client.ask(MARK)

    lines = trace(post)
    begin, end = (index for index, line in enumerate(lines) if 405 in statuses([line]))
    assert sum(bool(SYNCED.search(line)) for line in lines[begin:end]) == BATCHES


def test_reading_writes_nothing(trace):
    def read(service, client):
        put(service.base / "front/a.jpg", picture(), age=60)
        camera = "/api/cameras/" + json.loads(client.ask(POST)[2])["id"]
        while not json.loads(client.ask(request("GET", camera))[2])["last_seen_at"]:
            time.sleep(0.05)
        # Each change of a camera first writes the monitor's pending updates.
        assert client.ask(request("PATCH", camera, b'{"name": "Door"}'))[0] == 200
        _, head, _ = client.ask(request("GET", f"{camera}/snapshot"))
        etag = re.search(rb"(?i)ETag: (\S+)", head)[1].decode()
        reads = {
            request("GET", "/api/cameras"): 200,
            request("GET", "/api/cameras?status=offline"): 200,
            request("GET", camera): 200,
            request("GET", f"{camera}/snapshot"): 200,
            request("GET", f"{camera}/snapshot", If_None_Match=etag): 304,
            request("GET", f"{camera}/snapshot", Range="bytes=0-9"): 206,
            request("GET", f"{camera}/diagnostics"): 200,
            request("GET", "/api/folders"): 200,
            request("GET", "/api/cameras/123e4567-e89b-12d3-a456-426614174000"): 404,
            request("GET", "/openapi.json"): 200,
        }
        for turn in range(10):
            if turn == 5:  # by now every thread has its connection
                client.ask(MARK)
                before = service.written_bytes()
            for asked, status in reads.items():
                assert client.ask(asked)[0] == status
        assert service.written_bytes() == before
        client.ask(MARK)

    lines = trace(read)
    begin, end = (index for index, line in enumerate(lines) if 405 in statuses([line]))
    assert len(statuses(lines[begin + 1 : end])) == 5 * 10
    assert [line for line in lines[begin:end] if WRITTEN.search(line)] == []


def test_the_trace_would_show_a_write(trace):
    lines = trace(lambda _, client: (client.ask(MARK), client.ask(POST), client.ask(MARK)))
    begin, end = (index for index, line in enumerate(lines) if 405 in statuses([line]))
    assert [line for line in lines[begin:end] if WRITTEN.search(line)]
