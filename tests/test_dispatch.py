"""Does a request get what Flask would have given it?"""

from uuid import uuid4

import pytest
from flask import Response, session, url_for
from werkzeug.routing import BuildError

from app.dispatch import REMEMBERED, REMEMBERED_CHARACTERS, Service
from tests.problems import assert_problem


def test_nobody_wants_a_hook_that_is_passed_over(app):
    assert set(app.before_request_funcs) == {None}
    passed_over = (
        *(app.url_value_preprocessors, app.after_request_funcs),
        app.teardown_request_funcs,
    )
    assert not any(passed_over)


def test_a_path_that_is_known_is_answered_as_the_first_time(client, camera):
    path = f"/api/cameras/{camera['id']}"
    first, second = client.get(path), client.get(path)
    assert (second.json, second.headers) == (first.json, first.headers)
    assert_problem(client.post(path), 405, "method_not_allowed")
    for _ in range(2):
        assert_problem(client.get("/api/cameras/no-uuid"), 404, "not_found")


def test_what_a_view_does_to_its_values_is_forgotten(small):
    @small.get("/<word>")
    def show(**values):
        return str(values.setdefault("count", 0)) + values.pop("word")

    client = small.test_client()
    assert [client.get("/a").text, client.get("/a").text] == ["0a", "0a"]


def test_a_url_is_made_as_werkzeug_makes_it(app, camera):
    shown, views = {"camera_id": camera["id"]}, ("cameras.get_camera", "cameras.list_cameras")
    with app.test_request_context():
        for _ in range(2):
            assert url_for(views[0], **shown) == f"/api/cameras/{camera['id']}"
            assert url_for(views[0], **shown, a="ü") == f"/api/cameras/{camera['id']}?a=%C3%BC"
            assert url_for(views[1], _external=True) == "http://localhost/api/cameras"
        with pytest.raises(BuildError):
            url_for(views[0])


def test_many_paths_are_not_kept(app, client):
    for _ in range(REMEMBERED + 9):
        client.get(f"/api/cameras/{uuid4()}")
    assert len(app._remembered) <= REMEMBERED


def test_a_long_path_is_not_kept(small):
    small.add_url_rule("/<path:name>", view_func=lambda name: str(len(name)))
    client = small.test_client()
    assert client.get("/" + "a" * REMEMBERED_CHARACTERS).text == str(REMEMBERED_CHARACTERS)
    assert small._remembered == {}


@pytest.fixture
def small():
    return Service("small")


def test_a_response_that_waits_for_its_end_is_closed(small):
    closed = []

    @small.get("/")
    def show():
        response = Response("body")
        response.call_on_close(lambda: closed.append(True))
        return response

    small.test_client().get("/").close()
    assert closed == [True]


@pytest.mark.parametrize(
    ("status", "length"), [(200, "4"), (201, "4"), (404, "4"), (304, None), (204, None)]
)
def test_head_and_get_have_the_same_header(small, status, length):
    @small.get("/")
    def show():
        return Response("body" if length else None, status)

    client = small.test_client()
    get, head = client.get("/"), client.head("/")
    assert get.headers == head.headers
    assert get.headers.get("Content-Length") == length
    assert get.text == ("body" if length else "")
    assert head.text == ""


def test_what_is_not_modified_says_nothing_of_a_body(small):
    @small.get("/")
    def show():
        return Response(status=304, headers={"ETag": '"1"'})

    assert dict(small.test_client().get("/").headers) == {"ETag": '"1"'}


def test_the_name_that_is_asked_is_the_one_of_external_urls(client, camera):
    answer = client.get(
        f"/api/cameras/{camera['id']}/homeassistant", headers={"Host": "NVR.local:8080"}
    )
    assert "http://nvr.local:8080/api/cameras/" in answer.text.lower()


def test_there_is_a_session_that_keeps_nothing(small):
    @small.get("/")
    def show():
        return str(session.get("name"))

    assert small.test_client().get("/").text == "None"
