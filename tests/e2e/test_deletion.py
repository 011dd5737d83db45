"""Who must wait while a camera with a million detections is deleted, or another program writes?"""

import sqlite3
import statistics
import threading
import time
from contextlib import closing

import pytest
import requests

from app.db.connection import BUSY_SECONDS
from app.server.tasks import WRITERS
from benchmarks.deletion import delete
from benchmarks.service import running
from benchmarks.stock import DETECTIONS, EVENTS, OWNER, RARE, fill
from tests.problems import assert_problem

pytestmark = pytest.mark.slow
# What an answer may take on a computer that does other things too.
READ_SECONDS = 2.0
MARGIN_SECONDS = 2.0
DEADLINE_SECONDS = 4 * BUSY_SECONDS


def test_waiting_writers_get_their_503_and_readers_their_answer_at_once(server):
    url = f"{server.url}/api/cameras"
    body = {"name": "Front", "folder_path": "front"}
    camera = requests.post(url, json=body, timeout=DEADLINE_SECONDS).json()
    refused, reads = [], []

    def write():
        before = time.monotonic()
        answer = requests.post(url, json=body, timeout=DEADLINE_SECONDS)
        refused.append((answer, time.monotonic() - before))

    with closing(sqlite3.connect(server.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        writers = [threading.Thread(target=write) for _ in range(WRITERS)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            for path in (f"/cameras/{camera['id']}", "/cameras", "/system/health"):
                before = time.monotonic()
                answer = requests.get(f"{server.url}/api{path}", timeout=DEADLINE_SECONDS)
                assert answer.status_code == 200
                reads.append(time.monotonic() - before)
    assert len(refused) == WRITERS
    for answer, took in refused:
        assert_problem(answer, 503, "database_busy")
        assert answer.headers["Retry-After"] == "1"
        assert took < BUSY_SECONDS + MARGIN_SECONDS
    assert max(reads) < READ_SECONDS
    assert requests.post(url, json=body, timeout=DEADLINE_SECONDS).status_code == 201


def test_deleting_a_million_detections_is_one_transaction_and_delays_hardly_anybody(tmp_path):
    url = fill(tmp_path)
    with running(NVR_DATABASE_URL=url) as service:
        noticed = delete(service)
    print(max(noticed.reads), max(noticed.writes), max(noticed.memory), noticed.took)
    assert statistics.quantiles(noticed.reads, n=100)[-1] < 0.2
    assert max(noticed.reads) < READ_SECONDS
    assert max(noticed.writes) < BUSY_SECONDS + MARGIN_SECONDS
    assert max(noticed.memory) - noticed.memory[0] < 64
    with closing(sqlite3.connect(tmp_path / "full.db")) as database:
        for table in ("detection", "event"):
            left = database.execute(f"SELECT count(*), count(DISTINCT camera_id) FROM {table}")
            assert left.fetchone() == (RARE, 1)
        (details,) = database.execute(
            "SELECT details FROM audit_entry WHERE action = 'camera_deleted'"
        ).fetchone()
        assert f'"detections": {DETECTIONS - RARE}, "events": {EVENTS - RARE}' in details
        assert database.execute("SELECT 1 FROM camera WHERE id = ?", [OWNER]).fetchall() == []
