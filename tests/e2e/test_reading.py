"""Do requests that only read write nothing to the disk?"""

import json
import re
import time

import pytest

from app.services.monitor import TICK_SECONDS
from benchmarks.service import request, running
from tests.pictures import picture, put

TIMES = 2_000
# Metrics take 10 ms each.
TIMES_OF_METRICS = 500
# Everything that can be read of a camera, of records, and of the machine.
PATHS = (
    "/api/cameras",
    "/api/cameras/{camera}",
    "/api/cameras/{camera}/snapshot",
    "/api/cameras/{camera}/diagnostics",
    "/api/cameras/{camera}/homeassistant",
    "/api/cameras/{camera}/settings",
    "/api/cameras/{camera}/pictures",
    "/api/cameras/{camera}/pictures/{picture}",
    "/api/cameras/{camera}/moments",
    "/api/cameras/{camera}/timeline",
    "/api/moments",
    "/api/folders",
    "/api/homeassistant",
    "/api/detections",
    "/api/detections/1",
    "/api/detections/1/image",
    "/api/events",
    "/api/events/1",
    "/api/events/1/detections",
    "/api/events/1/pictures",
    "/api/events/stats",
    "/api/notifications",
    "/api/notifications/1",
    "/api/deliveries",
    "/api/audit",
    "/api/audit/1",
    "/api/settings",
    "/health",
    "/api/system/health",
    "/api/system/stats",
    "/api/system/storage",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/",
    "/events",
    "/homeassistant",
    "/notifications",
    "/storage",
    "/cameras/{camera}",
)
# What a query must hold, by path.
QUERIES = {
    "/api/cameras/{camera}/timeline": "?start_date=2025-12-23T00:00:00Z"
    "&end_date=2025-12-24T00:00:00Z&bucket=1h"
}


@pytest.fixture(scope="module")
def service():
    """A service for this module, with one reader thread.

    A second reader would open its connection at any time; under root SQLite then sets the owner of
    the log (robustFchown in its os_unix.c), which writes a block of the file system.
    """
    with running(NVR_THREADS="1") as service:
        yield service


@pytest.fixture(scope="module")
def ids(service):
    """The ids of its camera and picture, after the monitor has written the upload's time."""
    put(service.base / "front/a.jpg", picture(), age=60)
    with service.client() as client:

        def post(path, fields):
            status, _, body = client.ask(request("POST", path, json.dumps(fields).encode()))
            assert status == 201, body
            return json.loads(body)["id"]

        camera = post("/api/cameras", {"name": "Front", "folder_path": "front"})
        seen = {"camera_id": camera, "object_type": "cat", "confidence": 1, "file_path": "a.jpg"}
        began = {"camera_id": camera, "started_at": "2025-12-23T12:00:00Z"}
        post("/api/events", began | {"detection_ids": [post("/api/detections", seen)]})
        rule = {"name": "Hook", "url": "http://127.0.0.1:9/", "kinds": ["storage_ok"]}
        post("/api/notifications", rule)
        one = request("GET", f"/api/cameras/{camera}")
        while not json.loads(client.ask(one)[2])["last_seen_at"]:
            pass
        # A change of a camera first writes what the monitor has noted of it.
        change = request("PATCH", f"/api/cameras/{camera}", b'{"name": "Door"}')
        assert client.ask(change)[0] == 200
        pictures = request("GET", f"/api/cameras/{camera}/pictures")
        (listed,) = json.loads(client.ask(pictures)[2])["pictures"]
    # The monitor has read the log since: the first to read a file after it was written sets the
    # time of its last access (relatime, mount(8)).
    time.sleep(2 * TICK_SECONDS)
    return {"camera": camera, "picture": listed["id"]}


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_thousands_of_answers_write_nothing(service, ids, path):
    asked = request("GET", path.format(**ids) + QUERIES.get(path, ""))
    with service.client() as client:

        def written(times):
            before = service.written_bytes()
            for _ in range(times):
                assert client.ask(asked)[0] == 200
            return service.written_bytes() - before

        times = TIMES_OF_METRICS if path == "/metrics" else TIMES
        # The reader's first answer opens its connection.
        written(100)
        # The index of pictures writes once, within five minutes, what came before; a request that
        # writes would do so again.
        assert written(times) == 0 or written(times) == 0


def test_the_tested_paths_are_all_that_can_be_read(app):
    """Except the files of the pages, and the CSV, whose length is unknown before it is sent."""
    rules = {rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods}
    read = set()
    for rule in rules:
        path = re.sub("<row_id:.*?>", "1", rule)
        read.add(re.sub(r"<\w+:(camera|picture)_id>", r"{\1}", path))
    files = {path for path in read if path.startswith(("/docs/", "/static/"))}
    assert read - files - {"/api/events/export"} == set(PATHS)
