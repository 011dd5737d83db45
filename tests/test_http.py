"""Does every response keep the rules of HTTP that no single view is concerned with?"""

import itertools
import re
import time
import warnings
from wsgiref.validate import validator

import pytest
from flask import url_for
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import MOST_ROUTES, clock
from app.access.authorize import OPEN_ENDPOINTS, QUERY_TOKEN_ENDPOINTS
from app.access.headers import LONGEST_HEADER, LONGEST_URL, PARSED
from app.api import WITHOUT_DATABASE
from tests.pictures import picture, put
from tests.problems import assert_problem

# What a query must hold, by endpoint.
REQUIRED = {
    "moments.get_camera_timeline": {
        "start_date": "2025-12-23T00:00:00Z",
        "end_date": "2025-12-24T00:00:00Z",
        "bucket": "1h",
    }
}


@pytest.fixture
def routes(app, client, camera, base):
    """A URL for every route, each of which names something that is there, and its methods."""
    put(base / "front" / "a.jpg", picture())
    put(base / "front" / "a.mp4", b"\0\0\0\x18ftypmp42")
    seen = {"camera_id": camera["id"], "object_type": "person", "confidence": 1}
    seen["file_path"] = "a.jpg"
    detection = client.post("/api/detections", json=seen).json["id"]
    moment = "2025-12-23T12:00:00Z"
    event = client.post("/api/events", json={"camera_id": camera["id"], "started_at": moment})
    version = re.search("/static/([0-9a-f]+)/", client.get("/").text)[1]
    ids = {"camera_id": camera["id"], "detection_id": detection, "event_id": event.json["id"]}
    rule = {"name": "Hook", "url": "http://127.0.0.1:9/", "kinds": ["storage_low"]}
    ids["notification_id"] = client.post("/api/notifications", json=rule).json["id"]
    ids |= {"entry_id": 1, "version": version}
    listed = client.get(f"/api/cameras/{camera['id']}/pictures").json["pictures"]
    assert {one["kind"] for one in listed} == {"picture", "clip"}
    found = {}
    with app.test_request_context():
        for rule, one in itertools.product(app.url_map.iter_rules(), listed):
            name = "page.css" if rule.endpoint == "web.asset" else "swagger-ui.css"
            filled = ids | {"name": name, "picture_id": one["id"]}
            values = {key: filled[key] for key in rule.arguments}
            url = url_for(rule.endpoint, **values, **REQUIRED.get(rule.endpoint, {}))
            found.setdefault(url, set()).update(rule.methods)
    return found


@pytest.fixture
def urls(routes):
    """A URL for every route that can be read."""
    return sorted(url for url, methods in routes.items() if "GET" in methods)


def test_head_has_the_header_of_get_and_no_body(client, urls, monkeypatch):
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)  # X-Snapshot-Age is in whole seconds
    for url in urls:
        with client.get(url) as get, client.head(url) as head:
            assert get.status_code == 200, url
            assert head.data == b""
            expected, found = dict(get.headers), dict(head.headers)
            if url in ("/metrics", "/api/system/storage"):  # whose numbers change
                del expected["Content-Length"], found["Content-Length"]
            assert found == expected, url


def test_a_request_for_a_websocket_does_not_affect_later_requests_for_the_url(client):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    statuses = [client.get("/health", headers=each).status_code for each in (upgrade, {}) * 2]
    assert statuses[1::2] == [200, 200]
    assert statuses[0] == statuses[2]


def test_each_method_of_a_url_has_its_own_route(client, camera):
    url = f"/api/cameras/{camera['id']}"
    for _ in range(2):
        assert client.get(url).json == camera
        assert_problem(client.put(url), 405, "method_not_allowed")
        assert client.patch(url, json={}).json == camera


def test_urls_in_a_response_begin_as_its_own_request_does(client, camera):
    url = f"/api/cameras/{camera['id']}/homeassistant"
    for host in ("box.local", "nvr.lan:81") * 2:
        text = client.get(url, headers={"Host": host}).text
        assert f"http://{host}/api/cameras/{camera['id']}" in text


def test_requests_for_very_many_urls_are_answered_alike(client):
    for number in range(MOST_ROUTES + 10):
        assert_problem(client.get(f"/none/{number}"), 404, "not_found")
    assert client.get("/health").status_code == 200


def test_head_ignores_a_range_everywhere(client, urls):
    for url in urls:
        with client.head(url, headers={"Range": "bytes=0-0"}) as answer:
            assert answer.status_code == 200, url
            assert "Content-Range" not in answer.headers


def test_every_response_says_how_it_may_be_cached(client, urls):
    for url in urls:
        with client.get(url) as answer:
            kept = answer.headers["Cache-Control"]
        if url.startswith("/static/"):
            assert kept == "public, max-age=31536000, immutable"
        elif answer.is_json:
            assert kept in ("no-store", "private, no-cache"), url
            assert ("ETag" in answer.headers) == (kept != "no-store"), url


def test_a_failed_if_match_is_a_problem_everywhere(client, urls):
    tagged = 0
    for url in urls:
        with client.get(url) as answer:
            tag = answer.headers.get("ETag")
        if tag:
            tagged += 1
            assert_problem(
                client.get(url, headers={"If-Match": '"other"'}), 412, "precondition_failed"
            )
            with client.get(url, headers={"If-Match": tag}) as answer:
                assert answer.status_code == 200
            with client.get(url, headers={"If-None-Match": tag}) as answer:
                assert answer.status_code == 304
                assert answer.data == b""
                assert "Content-Type" not in answer.headers
    assert tagged == 7


@pytest.mark.parametrize("header", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
def test_a_header_with_a_line_break_is_never_sent(app, client, header):
    def show():
        return "", {"X-Name": header}

    app.add_url_rule("/broken", view_func=show)
    answer = client.get("/broken")
    assert_problem(answer, 500, "internal_error")
    assert "X-Name" not in answer.headers


def test_the_host_that_is_asked_is_the_one_of_external_urls(client, camera):
    answer = client.get(
        f"/api/cameras/{camera['id']}/homeassistant", headers={"Host": "NVR.local:8080"}
    )
    assert "http://nvr.local:8080/api/cameras/" in answer.text.lower()


def test_every_endpoint_that_is_treated_specially_exists(app):
    special = {*OPEN_ENDPOINTS, *QUERY_TOKEN_ENDPOINTS, *WITHOUT_DATABASE}
    assert special <= app.view_functions.keys()


def test_every_picture_and_clip_says_how_old_it_is(client, urls):
    aged = []
    for url in urls:
        with client.get(url) as answer:
            if answer.mimetype.startswith(("image/jpeg", "video/")):
                aged.append(url)
                assert answer.headers["X-Snapshot-Age"].isdigit(), url
    assert len(aged) == 4


def test_no_cookie_is_set(client, urls):
    for url in urls:
        with client.get(url) as answer:
            assert "Set-Cookie" not in answer.headers


REQUESTS = (
    {},
    {"method": "HEAD"},
    {"method": "OPTIONS"},
    {"method": "PUT"},
    {"method": "POST", "json": {}},
    {"headers": {"If-None-Match": "*"}},
    {"headers": {"If-Match": '"other"'}},
    {"headers": {"Range": "bytes=1-2"}},
    {"headers": {"Range": "bytes=99999999-"}},
    {"headers": {"Accept": "text/html"}},
    {"headers": {"Host": "evil.com"}},
    {"headers": {"Authorization": "Bearer wrong"}},
    {"query_string": "a=1"},
    {"query_string": "width=16&placeholder=1"},
)


@pytest.mark.parametrize("sent", REQUESTS, ids=str)
def test_every_response_is_as_the_wsgi_specification_says(app, routes, sent):
    for url in (*routes, "/nothing"):
        path, _, query = url.partition("?")
        assert_valid(app, EnvironBuilder(path, **{"query_string": query, **sent}))


def test_a_deletion_is_as_the_wsgi_specification_says(app, camera):
    path = f"/api/cameras/{camera['id']}"
    assert assert_valid(app, EnvironBuilder(path, method="DELETE")) == 204


def test_a_placeholder_is_as_the_wsgi_specification_says(app, camera):
    path = f"/api/cameras/{camera['id']}/snapshot"
    for accept in ("image/jpeg", "image/png", "image/svg+xml"):
        sent = {"query_string": "placeholder=1", "headers": {"Accept": accept}}
        assert assert_valid(app, EnvironBuilder(path, **sent)) == 200


def assert_valid(app, builder):
    """The status; every piece of the body is plain `bytes` (PEP 3333)."""
    environ = builder.get_environ()
    # A server knows no Content-Type or length where the request has none (PEP 3333).
    environ = {
        key: value for key, value in environ.items() if value != "" or key == "QUERY_STRING"
    }
    environ.setdefault("SCRIPT_NAME", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pieces, status, _ = run_wsgi_app(validator(app), environ, buffered=False)
        for piece in pieces:
            assert type(piece) is bytes
        pieces.close()
    builder.close()
    return int(status.split()[0])


# Values that parsers of headers take longest for, of 64 KiB each.
LONG = 65_536
COSTLY = (
    *("a" + " " * LONG, "\t" * LONG, ", " * (LONG // 2), "a;" * (LONG // 2), "1" * LONG),
    *('"a",' * (LONG // 4), "a/b;q=0.1," * (LONG // 10), "bytes=" + "0-1," * (LONG // 4)),
    *("Digest " + 'a="b",' * (LONG // 6), "Basic " + "QUJD" * (LONG // 4), '"' * LONG),
)
OTHERS = (
    *("HTTP_COOKIE", "HTTP_HOST", "HTTP_REFERER", "HTTP_USER_AGENT"),
    *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST"),
)
REPEATED = 3


@pytest.mark.parametrize("key", [*PARSED, *OTHERS])
def test_a_header_of_64_kib_costs_less_than_50_ms(client, camera, key):
    paths = ("/", "/metrics", f"/api/cameras/{camera['id']}/snapshot?placeholder=1")
    for path, value in itertools.product(paths, COSTLY):
        for _ in range(REPEATED):
            began = time.thread_time()
            answer = client.get(path, environ_overrides={key: value})
            seconds = time.thread_time() - began
            if seconds < 0.05:
                break
        assert seconds < 0.05
        if key in PARSED:
            assert_problem(answer, 431, "headers_too_large")


def test_a_header_of_the_greatest_length_is_parsed(client):
    answer = client.get("/api/cameras")
    tags = f'"a", {answer.headers["ETag"]}'.rjust(LONGEST_HEADER, ",")
    assert client.get("/api/cameras", headers={"If-None-Match": tags}).status_code == 304


@pytest.mark.parametrize("url", ["/{}", "/api/cameras/{}", "/?{}", "/api/cameras?status={}"])
def test_a_long_url_is_414(client, url):
    long, longest = (url.format("a" * length) for length in (LONGEST_URL + 1, LONGEST_URL - 20))
    assert_problem(client.get(long), 414, "uri_too_long")
    assert client.get(longest).status_code in (200, 404, 422)
