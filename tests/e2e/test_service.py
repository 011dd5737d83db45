"""Does the service start, stop, log and refuse as one expects of a daemon?"""

import http.client
import json
import os
import re
import runpy
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from app.config import MIB, SETTINGS
from app.server.main import SWITCH_SECONDS
from app.server.tasks import WRITERS
from tests.e2e import wire
from tests.e2e.forked import ForkedServer
from tests.e2e.server import PROJECT, NotStarted, Server
from tests.pictures import picture, put
from tests.problems import assert_problem

LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+: .*"
)
WRONG = {
    "NVR_FOSCAM_BASE_PATH": "",
    "NVR_DATABASE_URL": "postgres://nvr@localhost/nvr",
    "NVR_HOST": "127.0.0.1/8",
    "NVR_PORT": "80\n80",
    "NVR_THREADS": "0",
    "NVR_MAX_BODY_BYTES": "1 MiB",
    "NVR_MAX_PICTURE_BYTES": "-1",
    "NVR_LOG_LEVEL": "\x1b[31mLOUD",
}
FORGED = "2026-01-01 00:00:00,000 INFO app.serving.server: forged"
UNKNOWN = "/api/cameras/123e4567-e89b-12d3-a456-426614174000"
CAMERA = {"name": "Front", "folder_path": "front"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of its own; tests of the start itself use `Server`."""
    with ForkedServer(tmp_path) as server:
        yield server


def refusal(server: Server) -> str:
    """The one line that a process that would not start left on stderr."""
    with pytest.raises(NotStarted) as refused, server:
        pass
    lines = [line for line in str(refused.value).splitlines() if not LOG_LINE.fullmatch(line)]
    assert len(lines) == 1, refused.value
    assert server.process.returncode not in (0, None)
    assert lines[0].isprintable()
    return lines[0]


def test_one_start_line_names_address_base_path_and_database(server):
    lines = [line for line in server.log().splitlines() if "serving" in line]
    assert len(lines) == 1
    assert LOG_LINE.fullmatch(lines[0])
    for fact in (server.url, f"base path {server.base}", f"database {server.database}"):
        assert fact in lines[0]
    assert requests.get(server.url + "/api/cameras").json() == {"cameras": [], "count": 0}


def test_all_threads_keep_to_one_processor(server):
    requests.get(server.url + "/api/cameras").raise_for_status()
    tasks = [int(task.name) for task in Path(f"/proc/{server.process.pid}/task").iterdir()]
    assert len(tasks) > WRITERS
    processors = [os.sched_getaffinity(task) for task in tasks]
    assert processors == [{max(os.sched_getaffinity(0))}] * len(tasks)


def test_the_system_may_place_the_threads_where_the_setting_says_so(tmp_path):
    with ForkedServer(tmp_path, NVR_ONE_PROCESSOR="off") as server:
        assert os.sched_getaffinity(server.process.pid) == os.sched_getaffinity(0)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_and_leaves_the_database_whole(server, how):
    with ThreadPoolExecutor(8) as pool:  # so that every thread opens the database
        posted = [
            pool.submit(requests.post, server.url + "/api/cameras", json=CAMERA) for _ in range(32)
        ]
    assert [future.result().status_code for future in posted] == [201] * 32
    assert server.stop(how) == 0
    assert "Traceback" not in server.log()
    assert server.log().splitlines()[-1].endswith("stopped")
    assert sorted(file.name for file in server.folder.iterdir()) == [
        "nvr.db",
        "nvr.db.lock",
        "nvr.db.monitor",
        "nvr.db.number",
        "service.json",
        "stderr.log",
        "uploads",
    ]
    with closing(sqlite3.connect(server.database)) as database:
        assert database.execute("SELECT count(*) FROM camera").fetchone() == (32,)


def test_it_stops_while_clients_are_connected_and_silent(server):
    with wire.connect(server.url) as idle, wire.connect(server.url) as half:
        half.sendall(b"POST /api/cameras HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        idle.sendall(b"GET /api/cameras HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(65536)
        assert server.stop() == 0


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS])
def test_a_wrong_setting_ends_the_start_with_its_name_its_value_and_what_is_allowed(
    tmp_path, monkeypatch, name
):
    monkeypatch.setattr("sys.argv", ["wsgi.py"])
    wrong = {name: WRONG.get(name, "a\nb")}
    for variable, value in (Server(tmp_path).environ() | wrong).items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(PROJECT / "wsgi.py"), run_name="__main__")
    assert str(end.value).startswith(f"cannot start: {name}={wrong[name]!r} cannot be used: give ")
    assert not (tmp_path / "nvr.db").exists()


@pytest.mark.parametrize(("kind", "name"), [(Server, "NVR_PORT"), (ForkedServer, "NVR_LOG_LEVEL")])
def test_a_wrong_setting_is_one_line(tmp_path, kind, name):
    line = refusal(kind(tmp_path, **{name: WRONG[name]}))
    assert line.startswith(f"cannot start: {name}={WRONG[name]!r} cannot be used: give ")


@pytest.mark.parametrize("host", ["nosuch.invalid", "192.0.2.1", "\x1b[31m"])
def test_an_address_that_cannot_be_listened_on_is_one_line(tmp_path, host):
    assert "NVR_HOST=" in refusal(ForkedServer(tmp_path, NVR_HOST=host))


def test_a_port_in_use_is_one_line(server, tmp_path):
    port = server.url.rpartition(":")[2]
    line = refusal(ForkedServer(tmp_path / "second", NVR_PORT=port))
    assert f"NVR_PORT={port} cannot be listened on" in line
    assert "in use" in line


@pytest.mark.parametrize(
    "path", ["/dev/null/nvr.db", "{folder}", "{folder}/junk"], ids=["nowhere", "folder", "junk"]
)
def test_a_database_that_cannot_be_used_is_one_line(tmp_path, path):
    (tmp_path / "junk").write_bytes(b"this is no database" * 1000)
    path = path.format(folder=tmp_path)
    assert path in refusal(ForkedServer(tmp_path, NVR_DATABASE_URL=f"sqlite:///{path}"))
    assert (tmp_path / "junk").read_bytes() == b"this is no database" * 1000


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path):
    with ForkedServer(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "nvr.db")) as database, database:
        database.execute(
            "INSERT INTO schema_migration SELECT 9999, '9999_future', applied "
            "FROM schema_migration WHERE id = 1"
        )
    before = (tmp_path / "nvr.db").read_bytes()
    line = refusal(ForkedServer(tmp_path))
    assert "newer version" in line
    assert "9999_future" in line
    assert (tmp_path / "nvr.db").read_bytes() == before


def test_two_processes_that_start_at_once_on_a_new_database_both_serve(tmp_path):
    database = f"sqlite:///{tmp_path}/both/nvr.db"
    servers = [ForkedServer(tmp_path / name, NVR_DATABASE_URL=database) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool, ExitStack() as running:
        for future in [pool.submit(running.enter_context, server) for server in servers]:
            future.result()
        for server in servers:
            assert requests.post(server.url + "/api/cameras", json=CAMERA).status_code == 201
        for server in servers:
            assert requests.get(server.url + "/api/cameras").json()["count"] == 2


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_a_client_writes_no_lines_of_its_own_into_the_log(tmp_path, level):
    hostile = f"x\n{FORGED}\r\n\x1b[2J\u202e\u2028{FORGED}"
    with ForkedServer(tmp_path, NVR_LOG_LEVEL=level) as server:
        # Line feeds and escapes of C1: in a header waitress takes bytes above 0x7f only.
        agent = f"x\x85\x9b2J{FORGED}"
        path = "/api/cameras%0a%0d%1b%5b2J" + FORGED.replace(" ", "%20")
        wire.exchange(
            server.url,
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\n"
            "Connection: close\r\n\r\n".encode(),
        )
        wire.exchange(server.url, f"GET /{hostile} HTTP/1.1\r\n\r\n".encode())
        requests.post(server.url + "/api/cameras", json=CAMERA | {"name": hostile})
        made = requests.post(
            server.url + "/api/cameras",
            json=CAMERA | {"name": "x\u202e\u2028" + FORGED},
            headers={"User-Agent": agent},
        )
        assert made.status_code == 201
        put(server.base / "front" / f"a\n{FORGED}\x1b.jpg", picture())
        assert requests.get(server.url + made.headers["Location"] + "/snapshot").ok
        with closing(sqlite3.connect(server.database)) as database:
            database.execute("DROP TABLE camera")
        failed = requests.get(server.url + "/api/cameras", headers={"User-Agent": agent})
        assert_problem(failed, 503, "database_unavailable")
    lines = server.log_file.read_bytes().decode().split("\n")[:-1]
    assert all(LOG_LINE.fullmatch(line) and line.isprintable() for line in lines)
    assert not any(line.startswith(FORGED) for line in lines)
    assert any("no such table" in line for line in lines)
    assert (level == "DEBUG") == any(" DEBUG " in line for line in lines)


def padded(size: int) -> bytes:
    """A camera as JSON, blanks behind it, ``size`` bytes in all."""
    return json.dumps(CAMERA).encode().ljust(size)


@pytest.mark.parametrize("chunk", [0, 4096, 1024 * MIB], ids=["length", "chunked", "one chunk"])
def test_a_body_may_have_just_the_greatest_size(shared_server, chunk):
    assert wire.exchange(shared_server.url, wire.post(padded(MIB), chunk=chunk)).status_code == 201


@pytest.mark.parametrize("size", [MIB + 1, 3 * MIB])
@pytest.mark.parametrize("chunk", [0, 4096, 1024 * MIB], ids=["length", "chunked", "one chunk"])
def test_too_large_a_body_gets_its_answer_though_the_client_sends_all_of_it(
    shared_server, size, chunk
):
    answer = wire.exchange(shared_server.url, wire.post(padded(size), chunk=chunk))
    assert_problem(answer, 413, "payload_too_large")


def test_too_large_a_body_is_answered_before_it_is_sent(shared_server):
    request = wire.post(padded(3 * MIB))
    answer = wire.exchange(shared_server.url, request[: len(request) // 4])
    assert_problem(answer, 413, "payload_too_large")


def test_keep_alive_survives_304_and_204(server):
    put(server.base / "front" / "a.jpg", picture())
    location = requests.post(server.url + "/api/cameras", json=CAMERA).headers["Location"]
    with closing(http.client.HTTPConnection(server.url.removeprefix("http://"))) as connection:

        def ask(method: str, url: str, **headers: str) -> http.client.HTTPResponse:
            connection.request(method, url, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert "Server" not in answer.headers
            return answer

        etag = ask("GET", location + "/snapshot").headers["ETag"]
        first = connection.sock
        assert ask("GET", location + "/snapshot", **{"If-None-Match": etag}).status == 304
        assert ask("HEAD", location + "/snapshot").status == 200
        assert ask("DELETE", location).status == 204
        assert ask("GET", location).status == 404
        assert connection.sock is first


FOREIGN_SERVERS = {
    "wsgiref": """
        from wsgiref.simple_server import make_server
        server = make_server("127.0.0.1", 0, wsgi.app)
        say(server.server_port)
        server.serve_forever()
    """,
    "waitress": """
        import waitress
        server = waitress.create_server(wsgi.app, listen="127.0.0.1:0")
        say(server.effective_port)
        server.run()
    """,
}


@pytest.mark.parametrize("name", FOREIGN_SERVERS)
def test_any_wsgi_server_serves_it_from_an_empty_folder(tmp_path, name):
    code = "import wsgi\ndef say(port): print(port, flush=True)\n" + "\n".join(
        line.strip() for line in FOREIGN_SERVERS[name].splitlines()
    )
    environ = Server(tmp_path).environ() | {"PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            url = f"http://127.0.0.1:{int(process.stdout.readline())}/api/cameras"
            assert requests.get(url).json() == {"cameras": [], "count": 0}
            assert requests.post(url, json=CAMERA).status_code == 201
            assert_problem(requests.post(url, data=padded(MIB + 1)), 415, "unsupported_media_type")
            large = requests.post(
                url, data=padded(MIB + 1), headers={"Content-Type": "application/json"}
            )
            assert_problem(large, 413, "payload_too_large")
        finally:
            process.terminate()


def test_requests_that_come_together_are_answered_together(shared_server):
    """One that writes and one that reads are different threads' work, in the client's order."""
    body = b'{"name": "Front", "folder_path": "front"}'
    post = wire.post(body).replace(b"Connection: close\r\n", b"")
    get = b"GET /api/cameras HTTP/1.1\r\nHost: localhost\r\n"
    with wire.connect(shared_server.url) as connection:
        connection.sendall(post + get + b"\r\n" + post + get + b"Connection: close\r\n\r\n")
        received = wire.read_all(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"201", b"200", b"201", b"200"]


def test_a_thread_that_waits_soon_gets_the_interpreter():
    code = "import sys; from app.server import main; main.tune_process(one_processor=False)"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}; print(sys.getswitchinterval())"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(ran.stdout) == pytest.approx(SWITCH_SECONDS)
