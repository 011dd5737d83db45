"""Does the application work under any WSGI server, not only under the one that it brings?"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e import wire
from tests.e2e.server import DEADLINE_SECONDS, PROJECT, STOP_SECONDS, Server
from tests.pictures import picture, put
from tests.problems import assert_problem

DATA = picture(size=(640, 480))
WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from wsgi import app
make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""
UWSGI = "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"
# The arguments of Python for each server; `{port}` is where it listens on 127.0.0.1.
SERVERS = {
    "gunicorn sync": ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "wsgi:app"),
    "gunicorn gthread": (
        *("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "4"),
        *("--worker-class", "gthread", "wsgi:app"),
    ),
    "cheroot": ("-m", "cheroot", "--bind", "127.0.0.1:{port}", "wsgi:app"),
    "pyuwsgi": (
        *("-c", UWSGI, "--http-socket", "127.0.0.1:{port}", "--module", "wsgi:app"),
        *("--enable-threads", "--threads", "4", "--lazy-apps", "--master", "--die-on-term"),
    ),
    "wsgiref": ("-c", WSGIREF, "{port}"),
}
# The two that differ most: one closes each connection, the other adds almost nothing to WSGI.
ALWAYS = ("gunicorn sync", "wsgiref")


class Service:
    """The application under one of `SERVERS`, on an empty database."""

    def __init__(self, folder: Path, name: str) -> None:
        self.base, self.url = folder / "uploads", f"http://127.0.0.1:{wire.free_port()}"
        # uWSGI's http-socket closes the connection after each answer without saying so.
        self.keeps_connections = name != "pyuwsgi"
        self._command = [part.format(port=self.url.rpartition(":")[2]) for part in SERVERS[name]]
        self._environ = Server(folder).environ() | {"PYTHONPATH": str(PROJECT)}
        self._log = folder / "stderr.log"

    def __enter__(self) -> "Service":
        self.base.mkdir()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command],
                cwd=PROJECT,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, self._log.read_text()
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """The response, which has come to its end within the deadline."""
        return requests.request(method, self.url + path, timeout=DEADLINE_SECONDS, **options)

    def _answers(self) -> bool:
        try:
            return self.send("GET", "/health").ok
        except requests.ConnectionError:
            return False


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name in ALWAYS else pytest.mark.slow) for name in SERVERS
    ],
)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The application under one server after the other."""
    package = request.param.split()[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    with Service(tmp_path_factory.mktemp("wsgi"), request.param) as service:
        yield service


@pytest.fixture(scope="module")
def camera(service: Service) -> dict[str, Any]:
    """A camera with one picture, registered under this server."""
    put(service.base / "front" / "a.jpg", DATA)
    answer = service.send("POST", "/api/cameras", json={"name": "Front", "folder_path": "front"})
    assert answer.status_code == 201
    return dict(answer.json())


@pytest.fixture(scope="module")
def snapshot(camera: dict[str, Any]) -> str:
    """The path of the camera's picture."""
    return f"/api/cameras/{camera['id']}/snapshot"


def test_a_picture_comes_whole(service, snapshot):
    answer = service.send("GET", snapshot)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Length"] == str(len(DATA))


def test_a_range_of_it_comes(service, snapshot):
    answer = service.send("GET", snapshot, headers={"Range": "bytes=10-99"})
    assert (answer.status_code, answer.content) == (206, DATA[10:100])
    assert answer.headers["Content-Range"] == f"bytes 10-99/{len(DATA)}"


def test_it_comes_only_once_to_a_client_that_keeps_it(service, snapshot):
    tag = service.send("GET", snapshot).headers["ETag"]
    answer = service.send("GET", snapshot, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_head_has_no_body_and_the_connection_goes_on(service, snapshot):
    with requests.Session() as session:
        for method, body in (("HEAD", b""), ("GET", DATA), ("HEAD", b"")):
            if not service.keeps_connections:
                session.close()
            answer = session.request(method, service.url + snapshot, timeout=DEADLINE_SECONDS)
            assert (answer.status_code, answer.content) == (200, body)
            assert answer.headers["Content-Length"] == str(len(DATA))


def test_a_clip_comes_whole_in_part_and_not_at_all(service, camera):
    data = os.urandom(3 * 1024 * 1024)
    put(service.base / "front" / "a.mp4", data)
    pictures = f"/api/cameras/{camera['id']}/pictures"
    (clip,) = service.send("GET", f"{pictures}?kind=clip").json()["pictures"]
    url = f"{pictures}/{clip['id']}"
    answer = service.send("GET", url)
    assert (answer.status_code, answer.content == data) == (200, True)
    assert answer.headers["Content-Type"] == "video/mp4"
    same = service.send("GET", url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    part = service.send("GET", url, headers={"Range": "bytes=-100000"})
    assert (part.status_code, part.content == data[-100000:]) == (206, True)
    assert part.headers["Content-Range"] == f"bytes 3045728-3145727/{len(data)}"
    beyond = service.send("GET", url, headers={"Range": f"bytes={len(data)}-"})
    assert_problem(beyond, 416, "range_not_satisfiable")
    head = service.send("HEAD", url)
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(data)))
    (service.base / "front" / "a.mp4").unlink()
    assert_problem(service.send("GET", url), 404, "picture_not_found")


def test_a_list_a_page_and_its_files_come(service, camera):
    listed = service.send("GET", "/api/cameras").json()
    assert listed == {"cameras": [camera], "count": 1}
    for path, kind in (("/", "text/html"), ("/docs", "text/html"), ("/openapi.json", "json")):
        answer = service.send("GET", path)
        assert answer.status_code == 200
        assert kind in answer.headers["Content-Type"]
    for path in ("/docs/swagger-ui.css", "/metrics", "/api/events/export"):
        assert service.send("GET", path).content


def test_detections_are_stored(service, camera):
    seen = {"camera_id": camera["id"], "object_type": "person", "confidence": 0.5}
    answer = service.send("POST", "/api/detections", json={"detections": [seen] * 3})
    assert answer.status_code == 201
    assert len(answer.json()["ids"]) == 3


def test_a_problem_has_its_one_shape(service, camera):
    assert_problem(service.send("GET", "/nothing"), 404, "not_found")
    refused = service.send("POST", "/api/cameras", json={"name": ""})
    assert_problem(refused, 422, "validation_failed")


def test_a_deletion_has_no_body(service, camera):
    other = service.send("POST", "/api/cameras", json={"name": "a", "folder_path": "a"}).json()
    answer = service.send("DELETE", f"/api/cameras/{other['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
