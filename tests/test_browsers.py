"""Can a page of another site use a visitor's browser to reach the service?"""

import socket

import pytest
from werkzeug.test import EnvironBuilder

from app import create_app
from app.problems import PROBLEMS
from tests.api.test_hostile_json import PATHS
from tests.pictures import picture, put
from tests.problems import assert_problem
from tests.rows import entries_of
from tests.test_access import urls

BODY = {"name": "Side", "folder_path": "side"}
# The pages have a Content-Security-Policy of their own.
PAGES = (
    *("docs.page", "web.wall", "web.events", "web.storage", "web.camera", "web.asset"),
    *("web.notifications", "web.homeassistant"),
)
JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"
FORM = "application/x-www-form-urlencoded"
# The headers that browsers send with a request that a page of another site has caused.
ATTACKS = {
    "fetch": {"Origin": "http://evil.com", "Sec-Fetch-Site": "cross-site"},
    "over plain HTTP": {"Origin": "http://evil.com"},
    "sandboxed frame": {"Origin": "null"},
    "sandboxed frame on loopback": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "no referrer": {"Sec-Fetch-Site": "cross-site"},
    "another port of the box": {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    "another machine": {"Origin": "http://tv.lan"},
    "old browser": {"Origin": "https://localhost.evil.com"},
}


def changes(client, camera, **request):
    """The responses to one request of each kind that changes data."""
    url = f"/api/cameras/{camera['id']}"
    yield client.post("/api/cameras", json=BODY, **request)
    yield client.patch(url, json={"name": "x"}, **request)
    yield client.delete(url, **request)
    yield client.post("/api/detections", json={}, **request)
    yield client.post("/api/events", json={}, **request)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_foreign_page_changes_nothing(client, camera, attack):
    before = client.get("/api/cameras").get_json()
    for answer in changes(client, camera, headers=ATTACKS[attack]):
        assert_problem(answer, 403, "foreign_page")
    for media in (FORM, "text/plain", "multipart/form-data", None):
        headers = ATTACKS[attack]
        answer = client.post("/api/cameras", data="{}", content_type=media, headers=headers)
        assert_problem(answer, 403, "foreign_page")
    assert client.get("/api/cameras").get_json() == before
    assert len(entries_of(camera["id"])) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_the_services_own_pages_may_change_data(client, headers):
    assert client.post("/api/cameras", json=BODY, headers=headers).status_code == 201


def test_a_form_without_an_origin_changes_nothing(client):
    for media in (FORM, "text/plain", "multipart/form-data"):
        answer = client.post("/api/cameras", data='{"name": "a"}', content_type=media)
        assert_problem(answer, 415, "unsupported_media_type")
    assert client.get("/api/cameras").get_json()["count"] == 0


@pytest.mark.parametrize("attack", ["fetch", "sandboxed frame"])
def test_a_foreign_page_is_granted_nothing_by_cors(app, client, camera, base, attack, subtests):
    put(base / "front" / "a.jpg", picture())
    asking = {
        **ATTACKS[attack],
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Private-Network": "true",
    }
    for path, _ in [*urls(app), (f"/api/cameras/{camera['id']}/snapshot", None)]:
        with subtests.test(path=path):
            for method in ("GET", "OPTIONS"):
                with client.open(path, method=method, headers=asking) as answer:
                    granted = [name for name, _ in answer.headers if name.startswith("Access-")]
                    assert granted == [], method


@pytest.mark.parametrize(
    "host",
    ["evil.com", "localhost.evil.com", "localhost@evil.com", "nvr", "", "rebind.local.evil"],
)
def test_a_host_name_that_is_not_the_services_own_is_refused(app, client, host, subtests):
    for path, _ in urls(app):
        with subtests.test(path=path):
            for method in ("GET", "POST", "DELETE"):
                asking = {"method": method, "environ_overrides": {"HTTP_HOST": host}}
                with client.open(path, **asking) as answer:
                    assert_problem(answer, 421, "unknown_host")


def test_the_services_own_host_names_are_accepted(environ, client):
    own = create_app(environ | {"NVR_TRUSTED_HOSTS": "cameras.example.com"}).test_client()
    for host in (socket.gethostname(), f"{socket.gethostname()}:8000", "192.168.1.7", "nvr.local"):
        assert client.get("/health", headers={"Host": host}).status_code == 200
    headers = {"Host": "Cameras.Example.com:443"}
    assert own.get("/health", headers=headers).status_code == 200
    assert_problem(client.get("/health", headers=headers), 421, "unknown_host")


@pytest.mark.parametrize(("version", "status"), [("HTTP/1.0", 200), ("HTTP/1.1", 400)])
def test_only_http_1_0_may_leave_the_host_out(app, version, status):
    environ = EnvironBuilder("/health").get_environ() | {"SERVER_PROTOCOL": version}
    del environ["HTTP_HOST"]
    answer = app.response_class.from_app(app, environ)
    assert answer.status_code == status
    if status == 400:
        assert_problem(answer, 400, "bad_request")


def test_behind_a_proxy_both_host_names_are_checked(environ):
    settings = {"NVR_TRUSTED_PROXIES": "127.0.0.1", "NVR_ANONYMOUS": "write"}
    client = create_app(environ | settings).test_client()

    def ask(host, forwarded, **headers):
        headers |= {"Host": host, "X-Forwarded-Host": forwarded}
        return client.post("/api/cameras", json=BODY, headers=headers)

    assert ask("127.0.0.1:8000", "nvr.lan", Origin="https://nvr.lan").status_code == 201
    assert_problem(ask("127.0.0.1:8000", "evil.com"), 421, "unknown_host")
    assert_problem(ask("evil.com", "nvr.lan"), 421, "unknown_host")
    refused = ask("127.0.0.1:8000", "nvr.lan", Origin="http://127.0.0.1:8000")
    assert_problem(refused, 403, "foreign_page")


def test_the_audit_log_names_the_client_behind_a_trusted_proxy(environ, client, camera):
    settings = {"NVR_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8", "NVR_ANONYMOUS": "write"}
    behind = create_app(environ | settings).test_client()
    headers = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7, 10.1.1.1"}
    url = f"/api/cameras/{camera['id']}"
    behind.patch(url, json={"name": "b"}, headers=headers)
    client.patch(url, json={"name": "c"}, headers=headers)
    addresses = [entry["ip_address"] for entry in entries_of(camera["id"])]
    assert addresses == ["127.0.0.1", "192.0.2.7", "127.0.0.1"]


def test_every_response_has_the_security_headers(app, client, camera, subtests):
    for path, endpoint in [*urls(app), *((path, None) for path in PATHS)]:
        with subtests.test(path=path):
            for method in ("GET", "POST", "DELETE", "OPTIONS", "TRACE"):
                with client.open(path, method=method) as answer:
                    assert_marked(answer, None if endpoint in PAGES else JSON_POLICY)


def assert_marked(answer, policy):
    """Assert that each of the three security headers is there once."""
    assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
    policies = answer.headers.getlist("Content-Security-Policy")
    assert len(policies) == 1
    assert policy is None or answer.status_code >= 400 or policies == [policy]
    assert "Server" not in answer.headers


def test_pictures_lists_downloads_and_errors_have_the_security_headers(client, camera, base):
    put(base / "front" / "a.jpg", picture())
    url = f"/api/cameras/{camera['id']}/snapshot"
    whole = client.get(url)
    sandbox = "sandbox; default-src 'none'"
    assert_marked(whole, sandbox)
    known = client.get(url, headers={"If-None-Match": whole.headers["ETag"]})
    part = client.get(url, headers={"Range": "bytes=0-3"})
    assert (known.status_code, part.status_code) == (304, 206)
    for answer in (known, part, client.head(url)):
        assert_marked(answer, sandbox)
    assert_marked(client.get("/api/events/export"), JSON_POLICY)
    assert_marked(client.get("/openapi.json"), JSON_POLICY)
    beyond = client.get(url, headers={"Range": "bytes=999999-"})
    refused = [
        beyond,
        client.get("/api/cameras?x=1"),
        client.get("/api/cameras", headers={"Host": "evil.com"}),
        client.post("/api/cameras", json=BODY, headers={"Origin": "null"}),
        client.get("/api/cameras", headers={"Authorization": "x"}),
        client.post("/api/cameras", data="{", content_type="application/json"),
    ]
    assert [answer.status_code for answer in refused] == [416, 422, 421, 403, 401, 400]
    for answer in refused:
        assert_marked(answer, None)
        assert answer.headers["Content-Security-Policy"] == JSON_POLICY


def test_an_unexpected_exception_has_the_security_headers(app, client, monkeypatch):
    monkeypatch.setattr("app.services.cameras.list_cameras", lambda **_: 1 / 0)
    answer = client.get("/api/cameras")
    assert answer.get_json()["code"] == PROBLEMS["internal_error"].code
    assert_marked(answer, None)
    assert answer.headers["Content-Security-Policy"] == JSON_POLICY
