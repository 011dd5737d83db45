"""Does the running service accept exactly the requests that have a valid token?"""

import base64
import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest
import requests

from tests.e2e import wire
from tests.e2e.forked import ForkedServer
from tests.e2e.process import written_bytes
from tests.pictures import picture, put
from tests.problems import assert_problem

DEADLINE_SECONDS = 30
CAMERA = {"name": "Front", "folder_path": "front"}
HINT = re.compile(r"every request is refused until there is a token; type: (.*)\n")
JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A server that refuses every request without a token, and logs at the level DEBUG."""
    settings = {"NVR_ANONYMOUS": "none", "NVR_LOG_LEVEL": "DEBUG"}
    with ForkedServer(tmp_path_factory.mktemp("closed"), **settings) as server:
        yield server


@pytest.fixture(scope="module")
def writer(closed):
    """A writing token of that server."""
    return closed.token("write")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def reachable(server):
    """The loopback URL of a server that listens on every address."""
    return server.url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_on_the_network_all_are_refused_until_the_logged_command_is_run(tmp_path, host):
    with ForkedServer(tmp_path, NVR_HOST=host) as server:
        url = f"{reachable(server)}/api/cameras"
        assert_problem(requests.get(url), 401, "unauthorized")
        assert requests.get(f"{reachable(server)}/health").json() == {"status": "alive"}
        (command,) = HINT.findall(server.log())
        typed = subprocess.run(
            ["sh", "-c", command],
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert typed.returncode == 0, typed.stderr
        made = requests.post(url, json=CAMERA, headers=bearer(typed.stdout.strip()))
        assert made.status_code == 201
    with ForkedServer(tmp_path, NVR_HOST=host) as again:
        assert not HINT.search(again.log())


def test_a_service_on_loopback_logs_no_command(shared_server):
    assert not HINT.search(shared_server.log())
    assert requests.post(f"{shared_server.url}/api/cameras", json=CAMERA).status_code == 201


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_sends_a_token_in_three_ways(closed, writer, tmp_path):
    put(closed.base / "front" / "a.jpg", picture())
    url = f"{closed.url}/api/cameras"

    def curl(*words):
        command = ["curl", "-s", "-w", "%{http_code}", "-o", tmp_path / "body", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert curl(url) == "401"
    assert (
        curl("-H", f"Authorization: Bearer {writer}", url, "--json", json.dumps(CAMERA)) == "201"
    )
    camera = json.loads((tmp_path / "body").read_text())
    assert curl("-u", f"home:{writer}", url) == "200"
    assert curl(f"{url}/{camera['id']}/snapshot?token={writer}") == "200"
    assert (tmp_path / "body").read_bytes() == picture()


def test_a_token_that_is_revoked_by_another_process_is_refused_at_once(closed):
    phone = closed.flask("tokens", "create", "phone", "--role", "read").strip()
    with requests.Session() as session:
        session.headers.update(bearer(phone))
        assert session.get(f"{closed.url}/api/cameras").status_code == 200
        closed.flask("tokens", "revoke", "phone")
        assert_problem(session.get(f"{closed.url}/api/cameras"), 401, "unauthorized")


def test_no_token_is_in_the_log_wherever_it_was_sent(tmp_path):
    with ForkedServer(tmp_path, NVR_ANONYMOUS="none", NVR_LOG_LEVEL="DEBUG") as server:
        token = server.token("write")
        header = bearer(token)
        made = requests.post(f"{server.url}/api/cameras", json=CAMERA, headers=header)
        snapshot = f"{server.url}/api/cameras/{made.json()['id']}/snapshot"
        put(server.base / "front" / "a.jpg", picture())
        for url in (
            *(f"{snapshot}?token={token}", f"{snapshot}?token={token}&max_age=x"),
            *(f"{server.url}/api/cameras?token={token}", f"{server.url}/api/cameras?{token}=1"),
            *(f"{server.url}/{token}", f"{server.url}/api/cameras/{token}"),
        ):
            for headers in ({}, header, {"User-Agent": token}, {"Host": token}, {"Referer": url}):
                answer = requests.get(url, headers=headers)
                assert token not in answer.text
        for line in (f"GET /?token={token}", token, f"GET /{token} HTTP/9"):
            wire.exchange(server.url, f"{line}\r\n\r\n".encode())
        (server.base / "front" / "a.jpg").unlink()
        requests.get(f"{snapshot}?token={token}")
        with closing(sqlite3.connect(server.database)) as database:
            database.execute("DROP TABLE camera")
        failed = requests.get(f"{server.url}/api/cameras?token={token}", headers=header)
        assert failed.status_code == 422
        failed = requests.get(f"{snapshot}?token={token}")
        assert_problem(failed, 503, "database_unavailable")
    log = server.log()
    assert "no such table" in log
    assert token not in log
    assert token[4:24] not in log
    assert base64.b64encode(f":{token}".encode()).decode()[:40] not in log
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("nvr.db*"))
    assert token.encode() not in stored


def test_a_host_in_the_request_target_overrides_the_host_header(shared_server):
    for target, host, status in (
        ("http://localhost/health", "evil.com", 200),
        ("http://evil.com/health", "localhost", 421),
        ("http://localhost@evil.com/health", "localhost", 400),
        ("//evil.com/health", "localhost", 404),
        ("/health", "localhost", 200),
        ("/health", "localhost\r\nHost: localhost", 400),
        ("/health", "localhost\r\nHost: evil.com", 400),
        ("/health", "", 421),
    ):
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        answer = wire.exchange(shared_server.url, request.encode())
        assert answer.status_code == status, target
    missing = wire.exchange(
        shared_server.url, b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"
    )
    assert_problem(missing, 400, "bad_request")
    old = wire.exchange(shared_server.url, b"GET /health HTTP/1.0\r\n\r\n")
    assert old.status_code == 200


def test_a_header_name_with_underscores_does_not_pass_for_one_with_hyphens(shared_server):
    request = wire.post(json.dumps(CAMERA).encode())
    smuggled = b"Sec-Fetch-Site: cross-site\r\nSec_Fetch_Site: none\r\nContent-Type"
    forged = request.replace(b"Content-Type", smuggled)
    assert_problem(wire.exchange(shared_server.url, forged), 403, "foreign_page")


@pytest.mark.parametrize(
    "request_",
    [b"rubbish", b"GET / HTTP/1.1\r\nHost : x", b"POST / HTTP/1.1\r\nContent-Length: x"],
)
def test_a_refused_request_has_the_security_headers(shared_server, request_):
    headers = wire.exchange(shared_server.url, request_ + b"\r\n\r\n").headers
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_all("Referrer-Policy") == ["no-referrer"]
    assert headers.get_all("Content-Security-Policy") == [JSON_POLICY]
    assert headers["Server"] is None


def test_a_proxy_on_the_same_machine_is_trusted_once_it_is_named(tmp_path):
    settings = {"NVR_TRUSTED_PROXIES": "127.0.0.1", "NVR_ANONYMOUS": "write"}
    forwarded = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7", "X-Forwarded-Host": "nvr.lan"}
    with ForkedServer(tmp_path, **settings) as server:
        url = f"{server.url}/api/cameras"
        headers = forwarded | {"Origin": "https://nvr.lan"}
        assert requests.post(url, json=CAMERA, headers=headers).status_code == 201
        entries = requests.get(f"{server.url}/api/audit").json()["entries"]
        assert entries[0]["ip_address"] == "192.0.2.7"


def test_reading_with_a_token_writes_nothing(tmp_path):
    """The last use of a token is written later than the response, here when the server stops."""
    with ForkedServer(tmp_path, NVR_ANONYMOUS="none") as server:
        token = server.token("read")
        headers = bearer(token)
        requests.get(f"{server.url}/api/cameras", headers=headers)
        before = written_bytes(server.process.pid)
        for _ in range(50):
            assert requests.get(f"{server.url}/api/cameras", headers=headers).ok
        assert written_bytes(server.process.pid) == before
        server.stop()
        used = json.loads(server.flask("tokens", "list", "--json"))["tokens"][0]["last_used_at"]
        assert used is not None
