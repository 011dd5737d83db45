"""Does a request that is not exactly right change nothing and say why?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Camera
from tests.problems import assert_problem
from tests.rows import entries_of

GOOD = {"name": "Side", "folder_path": "side"}
UNKNOWN = "/api/cameras/123e4567-e89b-12d3-a456-426614174000"
MALFORMED = {
    "nothing": b"",
    "blanks": b" \n",
    "bare words": b"name: Side",
    "single quotes": b"{'name': 'Side'}",
    "trailing comma": b'{"name": "Side",}',
    "comment": b'{"name": "Side"} // camera',
    "truncated": b'{"name": "Side"',
    "truncated string": b'{"name": "Si',
    "trailing junk": b'{"name": "Side"}x',
    "two documents": b'{"name": "Side"} {"name": "Back"}',
    "lines of documents": b'{"name": "Side"}\n{"name": "Back"}\n',
    "not UTF-8": b'{"name": "S\xefde"}',
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "a surrogate as UTF-8": b'{"name": "\xed\xa0\x80"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(GOOD).encode("utf-16-le"),
    "UTF-32": json.dumps(GOOD).encode("utf-32-be"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
    "a raw NUL": b'{"name": "Si\x00de"}',
    "a raw line feed": b'{"name": "Si\nde"}',
    "duplicate keys": b'{"name": "Side", "name": "Back", "folder_path": "side"}',
    "escaped duplicate keys": b'{"name": "Side", "n\\u0061me": "Back"}',
    "nested duplicate keys": b'{"name": {"a": [{"b": 1, "b": 1}]}}',
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": Infinity}',
    "minus Infinity": b'{"name": [-Infinity]}',
    "a number beyond doubles": b'{"name": 1e999}',
    "a negative number beyond doubles": b'{"name": -1e999}',
    "a leading zero": b'{"name": 01}',
    "deep arrays": b"[" * 100_000,
    "deep closed arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep inside a field": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "an integer of 5,000 digits": b'{"name": ' + b"9" * 5000 + b"}",
}
PATHS = [
    *("/x", "/events/", "/static/x", "/api", "/api/", "//api/cameras", "/api//cameras"),
    *("/api/cameras/", "/docs/"),
    *("/api/cameras//", "/api/./cameras", "/API/cameras", "/api/cameras%00", "/docs/x"),
    *("/docs/../app/errors.py", "/docs/..%2f..%2fsetup.cfg", f"{UNKNOWN}/", f"{UNKNOWN}/x"),
    *(f"{UNKNOWN}//snapshot", f"{UNKNOWN}/snapshot/", "/api/cameras/%20", "/api/cameras\\"),
]
ID = UNKNOWN.rpartition("/")[2]
IDS = [
    *("1", "null", "..", "%2e%2e", "%00", "é", "{id}", "urn:uuid:1", "'%20OR%201=1--", "x" * 5000),
    *(ID[:-1], f"{ID}0", ID.replace("-", ""), f"g{ID[1:]}", f"{ID}%0a", f"%20{ID}", f"{{{ID}}}"),
]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "FOO")
ALLOWED = {
    "/api/cameras": {"GET", "HEAD", "OPTIONS", "POST"},
    UNKNOWN: {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"},
    f"{UNKNOWN}/snapshot": {"GET", "HEAD", "OPTIONS"},
    "/openapi.json": {"GET", "HEAD", "OPTIONS"},
    "/docs": {"GET", "HEAD", "OPTIONS"},
}
CONTROLS = [chr(n) for n in (*range(0x20), *range(0x7F, 0xA0))]
SURROGATES = ["\ud800", "\udbff", "\udc00", "\udfff"]
CLEAN = st.characters(exclude_categories=["Cc", "Cs"])
# What a page of another site may send without asking first (Fetch, CORS-safelisted).
SIMPLE_TYPES = [
    *(None, "", "text/plain", "application/x-www-form-urlencoded"),
    "multipart/form-data; boundary=x",
]
JSON_TYPES = [
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    'Application/JSON; Charset="Utf-8"',
    "application/merge-patch+json",
]
OTHER_TYPES = [
    *SIMPLE_TYPES,
    "text/json",
    "application/jsonp",
    "text/plain; application/json",
    "application/json, text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
]


@pytest.fixture(params=["POST", "PATCH"])
def write(request, client, camera):
    """Sends a body to the one endpoint that creates or the one that changes."""
    url = "/api/cameras" if request.param == "POST" else f"/api/cameras/{camera['id']}"

    def send(body, **options):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        options = {"content_type": "application/json"} | options
        return client.open(url, method=request.param, data=data, **options)

    return send


@pytest.fixture
def unchanged(camera):
    """After each test the one camera is unchanged and the audit log has no new entry."""
    yield
    assert Camera.listing() == [camera]
    assert [entry["action"] for entry in entries_of(camera["id"])] == ["camera_created"]


@pytest.mark.usefixtures("unchanged")
def test_a_body_that_is_not_one_json_document_is_400(write, subtests):
    for name, body in MALFORMED.items():
        with subtests.test(name):
            problem = assert_problem(write(body), 400, "malformed_json")
            assert len(problem["detail"]) < 200


@pytest.mark.usefixtures("unchanged")
def test_a_json_value_that_is_not_an_object_is_422(write, subtests):
    for body in ([], [GOOD], "name", None, True, 1, 1.5, 10**400):
        with subtests.test(body=body):
            problem = assert_problem(write(body), 422, "validation_failed")
            assert problem["errors"] == {"json": {"_schema": ["Invalid input type."]}}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("field", ["name", "folder_path", "status"])
def test_no_value_is_coerced_to_a_string(write, field, subtests):
    for value in (None, 1, 1.5, True, [], ["Side"], ["online"], {}, {"a": "b"}, 10**400):
        with subtests.test(value=value):
            problem = assert_problem(write(GOOD | {field: value}), 422, "validation_failed")
            assert list(problem["errors"]["json"]) == [field]


@pytest.mark.usefixtures("unchanged")
def test_a_status_is_one_of_three_words(write, subtests):
    for status in ("", "Online", "ONLINE", " online", "online ", "deleted", "0", "\uff4fnline"):
        with subtests.test(status=status):
            problem = assert_problem(write(GOOD | {"status": status}), 422, "validation_failed")
            assert list(problem["errors"]["json"]) == ["status"]


@pytest.mark.usefixtures("unchanged")
def test_unknown_and_read_only_fields_are_refused(write, camera, subtests):
    for field in ("id", "created_at", "last_seen_at", "Name", "name ", "", "_schema", "a.b"):
        with subtests.test(field=field):
            answer = write(GOOD | {field: camera.get(field)})
            problem = assert_problem(answer, 422, "validation_failed")
            assert problem["errors"] == {"json": {field: ["Unknown field."]}}


@pytest.mark.usefixtures("unchanged")
def test_a_hostile_key_is_named_without_harm(write, subtests):
    for key in ("\0", "a\nb", "\ud800", "na\udfffme", "\x1b[2J", "a" * 10_000):
        with subtests.test(key=key[:20]):
            problem = assert_problem(write(GOOD | {key: 1}), 422, "validation_failed")
            (named,) = problem["errors"]["json"]
            assert len(named) <= 100
            assert named.encode()


@pytest.mark.usefixtures("unchanged")
def test_all_bad_fields_are_reported_at_once(write):
    body = {"name": " ", "folder_path": "", "status": "gone", "id": "1", "x": None}
    problem = assert_problem(write(body), 422, "validation_failed")
    assert set(problem["errors"]["json"]) == set(body)


@pytest.mark.usefixtures("unchanged")
def test_a_new_camera_needs_a_name_and_a_folder(client):
    problem = assert_problem(client.post("/api/cameras", json={}), 422, "validation_failed")
    missing = ["Missing data for required field."]
    assert problem["errors"] == {"json": {"name": missing, "folder_path": missing}}


@pytest.mark.parametrize(("field", "most"), [("name", 255), ("folder_path", 500)])
def test_length_is_counted_in_characters(write, field, most):
    for character in ("a", "é", "漢", "\U0001f4f7"):
        longest = write(GOOD | {field: character * most})
        assert longest.status_code < 300
        assert longest.get_json()[field] == character * most
        longer = write(GOOD | {field: character * (most + 1)})
        problem = assert_problem(longer, 422, "validation_failed")
        assert list(problem["errors"]["json"]) == [field]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("field", ["name", "folder_path", "status"])
def test_control_characters_and_lone_surrogates_are_refused(write, field):
    for character in CONTROLS + SURROGATES:
        for text in (f"Si{character}de", f"Side{character}", f"{character}Side"):
            problem = assert_problem(write(GOOD | {field: text}), 422, "validation_failed")
            assert list(problem["errors"]["json"]) == [field], ascii(text)


@pytest.mark.usefixtures("unchanged")
def test_a_blank_name_is_refused(write, subtests):
    for name in ("", " ", "   ", "\u00a0", "\u2003\u3000", " " * 300):
        with subtests.test(name=ascii(name)):
            problem = assert_problem(write(GOOD | {"name": name}), 422, "validation_failed")
            assert list(problem["errors"]["json"]) == ["name"]


def test_a_name_loses_its_outer_blanks_before_it_is_measured(write):
    answer = write(GOOD | {"name": "  " + "a b" * 85 + "\u3000"})
    assert answer.get_json()["name"] == "a b" * 85


def test_a_folder_path_is_kept_as_it_was_sent(write):
    for path in (" side ", " ", "a//b/../c/.", "../../etc", "/", "\\", "~", "%2e%2e"):
        assert write(GOOD | {"folder_path": path}).get_json()["folder_path"] == path


@given(
    name=st.text(CLEAN, min_size=1, max_size=255).filter(str.strip),
    path=st.text(CLEAN, min_size=1, max_size=500),
    escaped=st.booleans(),
)
def test_any_other_unicode_round_trips_exactly(client, name, path, escaped):
    body = json.dumps({"name": name, "folder_path": path}, ensure_ascii=escaped)
    answer = client.post("/api/cameras", data=body.encode(), content_type="application/json")
    camera = client.get(answer.headers["Location"]).get_json()
    assert (camera["name"], camera["folder_path"]) == (name.strip(), path)


@pytest.mark.usefixtures("unchanged")
def test_a_body_whose_content_type_is_not_json_is_415(write, subtests):
    for media in OTHER_TYPES:
        with subtests.test(media=media):
            answer = write(GOOD, content_type=media)
            assert_problem(answer, 415, "unsupported_media_type")


def test_other_json_media_types_are_accepted(write, subtests):
    for media in JSON_TYPES:
        with subtests.test(media=media):
            assert write(GOOD, content_type=media).status_code < 300


@pytest.mark.usefixtures("unchanged")
def test_a_content_encoding_is_415(write, subtests):
    for coding in ("gzip", "deflate", "br", "identity", ""):
        with subtests.test(coding=coding):
            answer = write(GOOD, headers={"Content-Encoding": coding})
            assert_problem(answer, 415, "unsupported_media_type")


def test_a_body_of_the_largest_size_is_taken(write, app):
    body = json.dumps(GOOD).encode().ljust(app.config["NVR_MAX_BODY_BYTES"])
    assert write(body).status_code < 300


@pytest.mark.usefixtures("unchanged")
def test_a_larger_body_is_413(write, app):
    body = json.dumps(GOOD).encode().ljust(app.config["NVR_MAX_BODY_BYTES"] + 1)
    assert_problem(write(body), 413, "payload_too_large")
    assert_problem(write(body * 2), 413, "payload_too_large")


@pytest.mark.usefixtures("unchanged")
def test_a_larger_body_of_unknown_length_is_413(write, app):
    body = json.dumps(GOOD).encode().ljust(app.config["NVR_MAX_BODY_BYTES"] + 1)
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = write(body, environ_overrides=chunked)
    assert_problem(answer, 413, "payload_too_large")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("method", ["POST", "GET", "PATCH", "DELETE"])
def test_unknown_query_parameters_are_422(client, camera, method, subtests):
    url = "/api/cameras" if method == "POST" else f"/api/cameras/{camera['id']}"
    body = {"json": GOOD} if method in ("POST", "PATCH") else {}
    for query in ("?x=1", "?name=x", "?=", "?id=1&id=2", "?_=123", "?%ff=1", "?a%00b=1"):
        with subtests.test(query=query):
            answer = client.open(url + query, method=method, **body)
            problem = assert_problem(answer, 422, "validation_failed")
            assert list(problem["errors"]) == ["query"]


def test_the_list_takes_one_known_status_and_nothing_else(client, subtests):
    for query in (
        *("x=1", "status=gone", "status=", "status", "status=Online", "status=%00"),
        *("status=online&status=offline", "status=online&status=online", "status[]=online"),
        *("status=online&x=1", "STATUS=online", "status=online%20", "limit=1", "x=1&x=1"),
    ):
        with subtests.test(query=query):
            answer = client.get(f"/api/cameras?{query}")
            problem = assert_problem(answer, 422, "validation_failed")
            assert list(problem["errors"]) == ["query"]


@pytest.mark.usefixtures("unchanged")
def test_an_unknown_url_is_404(client, subtests):
    for path in PATHS:
        for method in ("GET", "POST", "DELETE"):
            with subtests.test(path=path, method=method):
                # The client takes what follows two slashes for a host.
                answer = client.open(
                    path, method=method, environ_overrides={"HTTP_HOST": "localhost"}
                )
                assert_problem(answer, 404, "not_found")


@pytest.mark.usefixtures("unchanged")
def test_a_malformed_id_is_404(client, subtests):
    for malformed in IDS:
        for method in ("GET", "PATCH", "DELETE"):
            with subtests.test(malformed=malformed[:50], method=method):
                answer = client.open(f"/api/cameras/{malformed}", method=method)
                assert_problem(answer, 404, "not_found")
        with subtests.test(malformed=malformed[:50], method="snapshot"):
            answer = client.get(f"/api/cameras/{malformed}/snapshot")
            assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize(("path", "allowed"), ALLOWED.items(), ids=ALLOWED)
def test_a_wrong_method_is_405_and_says_which_are_right(client, path, allowed, subtests):
    for method in set(METHODS) - allowed:
        with subtests.test(method=method):
            answer = client.open(path, method=method)
            assert_problem(answer, 405, "method_not_allowed")
            assert set(answer.headers["Allow"].split(", ")) == allowed


def test_head_is_get_without_the_body(client, camera, subtests):
    for path in (
        "/api/cameras",
        f"/api/cameras/{camera['id']}",
        "/api/cameras?x=1",
        UNKNOWN,
        "/x",
    ):
        with subtests.test(path=path):
            get, head = client.get(path), client.head(path)
            assert head.data == b""
            assert head.status_code == get.status_code
            assert dict(head.headers) == dict(get.headers)
            assert get.content_length == len(get.data)


def test_no_cors_header_is_sent_to_a_foreign_site(client, subtests):
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    for path in (*ALLOWED, "/x"):
        for method in (*METHODS, "OPTIONS"):
            with subtests.test(path=path, method=method):
                answer = client.open(path, method=method, headers=asked)
                granted = [name for name, _ in answer.headers if name.startswith("Access-Control")]
                assert granted == []


@pytest.mark.usefixtures("unchanged")
def test_a_request_that_needs_no_preflight_changes_nothing(client, camera):
    headers = {"Origin": "https://evil.example", "X-HTTP-Method-Override": "DELETE"}
    for path in ("/api/cameras", f"/api/cameras/{camera['id']}"):
        for method in ("GET", "HEAD", "POST"):
            for media in SIMPLE_TYPES:
                body = {"data": json.dumps(GOOD), "content_type": media, "headers": headers}
                answers = [
                    client.open(path, method=method, **body),
                    client.open(f"{path}?_method=DELETE", method=method, **body),
                ]
                assert method != "POST" or all(answer.status_code >= 400 for answer in answers)
