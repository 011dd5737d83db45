"""Does a client that has the current list get 304, and a new list after every change?"""

import pytest

from app import create_app
from app.models import STATUSES
from tests.pictures import put
from tests.problems import assert_problem

URL = "/api/cameras"
UNKNOWN = f"{URL}/123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture
def ask(client, camera):
    """The response to a request for the list with these headers."""
    return lambda query="", method="GET", **headers: client.open(
        f"{URL}{query}",
        method=method,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def test_a_client_that_has_the_list_gets_304(ask):
    first = ask()
    tag = first.headers["ETag"]
    assert ask().headers["ETag"] == tag
    assert (tag[0], tag[-1], len(tag)) == ('"', '"', 34)
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = ask(If_None_Match=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert (again.headers["ETag"], again.headers["Cache-Control"]) == (tag, "private, no-cache")
    assert not {"Content-Type", "Content-Length"} & set(again.headers.keys())


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"a", W/"b", {tag}', 304),
        ("*", 304),
        ('"a"', 200),
        ("a", 200),
        ("{bare}", 304),
        ("", 200),
        ("W/", 200),
        (",", 200),
    ],
)
def test_tags_are_compared_weakly(ask, given, status):
    tag = ask().headers["ETag"]
    answer = ask(If_None_Match=given.format(tag=tag, bare=tag.strip('"')))
    assert answer.status_code == status
    assert bool(answer.data) == (status == 200)


def test_an_if_match_of_another_list_is_412(ask):
    tag = ask().headers["ETag"]
    assert ask(If_Match=tag).status_code == 200
    assert ask(If_Match="*").status_code == 200
    assert ask(If_Match=tag, If_None_Match=tag).status_code == 304
    for other in ('"a"', f"W/{tag}"):
        assert_problem(ask(If_Match=other), 412, "precondition_failed")


def test_the_list_has_no_last_modified_date(ask):
    assert "Last-Modified" not in ask().headers
    assert ask(If_Modified_Since="Tue, 23 Dec 2036 12:00:00 GMT").status_code == 200


def test_head_is_get_without_the_body(ask):
    got, head = ask(), ask(method="HEAD")
    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(got.headers)
    assert head.headers["Content-Length"] == str(len(got.data))
    assert ask(method="HEAD", If_None_Match=got.headers["ETag"]).status_code == 304


def test_each_filter_is_a_list_of_its_own(ask):
    everything = ask().headers["ETag"]
    assert ask("?status=online").headers["ETag"] == everything, "the same bytes"
    for status in STATUSES[1:]:
        assert ask(f"?status={status}", If_None_Match=everything).status_code == 200
        tag = ask(f"?status={status}").headers["ETag"]
        assert ask(f"?status={status}", If_None_Match=tag).status_code == 304
        assert ask(If_None_Match=tag).status_code == 200


@pytest.mark.parametrize("query", ["?status=broken", "?status=", "?page=1"])
def test_a_request_that_is_not_valid_is_never_304(ask, query):
    assert_problem(ask(query, If_None_Match="*"), 422, "validation_failed")


@pytest.mark.parametrize("authorization", [None, "Bearer wrong"])
def test_a_client_without_a_token_never_gets_304(environ, ask, authorization):
    tag = ask().headers["ETag"]
    closed = create_app(environ | {"NVR_ANONYMOUS": "none"}).test_client()
    shown = {"Authorization": authorization} if authorization else {}
    for given in (tag, "*"):
        answer = closed.get(URL, headers={"If-None-Match": given, **shown})
        assert_problem(answer, 401, "unauthorized")
        assert "ETag" not in answer.headers


def test_every_change_changes_the_tag_of_the_list_at_once(ask, client, camera, base):
    url, monitor = f"{URL}/{camera['id']}", client.application.extensions["monitor"]
    changes = (
        lambda: client.post(URL, json={"name": "b", "folder_path": "b"}),
        lambda: client.patch(url, json={"name": "Side"}),
        lambda: client.patch(url, json={"status": "error"}),
        lambda: (put(base / "front" / "a.jpg", b"x"), monitor.tick()),
        lambda: client.application.test_cli_runner().invoke(args=["cameras", "add", "c", "c"]),
        lambda: client.delete(url),
    )
    tags = [ask().headers["ETag"]]
    for change in changes:
        change()
        answer = ask(If_None_Match=", ".join(tags))
        assert answer.status_code == 200
        shown = [client.get(f"{URL}/{row['id']}") for row in answer.get_json()["cameras"]]
        assert answer.get_json()["cameras"] == [one.get_json() for one in shown]
        tags.append(answer.headers["ETag"])
    assert [row["name"] for row in answer.get_json()["cameras"]] == ["b", "c"]
    monitor.close()


def test_a_request_that_changes_nothing_leaves_the_tag_of_the_list(ask, client, camera):
    tag = ask().headers["ETag"]
    client.patch(f"{URL}/{camera['id']}", json={"name": "Front Door"})
    client.patch(UNKNOWN, json={"name": "x"})
    client.post("/api/detections", json={"camera_id": camera["id"]})
    client.post(
        "/api/detections",
        json={"camera_id": camera["id"], "object_type": "dog", "confidence": 0.5},
    )
    assert ask(If_None_Match=tag).status_code == 304
