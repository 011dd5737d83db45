"""Does the audit log name the real client, whatever a header claims?"""

import pytest

from app.access import authorize
from app.services.audit import Caller
from tests.problems import assert_problem
from tests.rows import entries_of


@pytest.fixture
def caller(app):
    """The caller of a request with this WSGI environment."""

    def ask(**environ):
        with app.test_request_context(environ_overrides={"REMOTE_ADDR": "192.0.2.7", **environ}):
            return authorize.caller()

    return ask


def test_the_client_is_the_address_of_the_connection(caller):
    assert caller(HTTP_USER_AGENT="curl/8") == Caller("anonymous", "192.0.2.7", "curl/8")
    assert caller(REMOTE_ADDR="2001:db8::1").ip_address == "2001:db8::1"


@pytest.mark.parametrize(
    "header",
    ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_CLIENT_IP", "HTTP_VIA"],
)
def test_no_header_changes_the_address_of_the_client(caller, header):
    assert caller(**{header: "203.0.113.9"}).ip_address == "192.0.2.7"


@pytest.mark.parametrize("length", [1, 499, 500, 501, 10_000])
def test_the_user_agent_is_cut_at_500_characters(caller, length):
    assert caller(HTTP_USER_AGENT="é" * length).user_agent == "é" * min(length, 500)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\tb", "a\ufffdb"),
        ("a\r\nb", "a\ufffd\ufffdb"),
        ("\x1b[2J\x00\x7f\x85", "\ufffd[2J\ufffd\ufffd\ufffd"),
        ("a b/1.0 (c; d)", "a b/1.0 (c; d)"),
        ("", None),
    ],
)
def test_control_characters_of_the_user_agent_are_replaced(caller, sent, kept):
    assert caller(HTTP_USER_AGENT=sent).user_agent == kept


def test_a_request_without_a_user_agent_has_none(caller):
    assert caller().user_agent is None


def test_the_audit_entry_of_a_change_says_who_made_it(client, camera):
    headers = {"User-Agent": "x" * 600, "X-Forwarded-For": "203.0.113.9"}
    client.delete(f"/api/cameras/{camera['id']}", headers=headers)
    entry = entries_of(camera["id"])[-1]
    assert entry["action"] == "camera_deleted"
    assert entry["actor"] == "anonymous"
    assert entry["ip_address"] == "127.0.0.1"
    assert entry["user_agent"] == "x" * 500


@pytest.mark.parametrize("path", ["/api/cameras", "/x", "/docs"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_encoded_body_is_refused_before_anything_else(client, path, method):
    answer = client.open(path, method=method, headers={"Content-Encoding": "gzip"})
    assert_problem(answer, 415, "unsupported_media_type")
