"""Does the API's description say everything about each operation?"""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from app import create_app
from app.problems import CONTENT_TYPE
from tests.e2e.forked import ForkedServer
from tests.e2e.server import Server

# Operations on a row that a parameter of the query names.
BY_PARAMETER = ("GET /api/moments",)


@pytest.fixture(scope="module")
def description(described: Flask) -> dict[str, Any]:
    """The description as a client reads it."""
    return described.test_client().get("/openapi.json").json


def test_it_is_openapi_3_1(description):
    assert description["openapi"].startswith("3.1.")


def test_every_operation_is_explained(operations):
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["tags"], name
        problems = {status for status in operation["responses"] if int(status) >= 400}
        assert {"415", "422", "500"} <= problems, name
        names_a_row = "{" in name or name in BY_PARAMETER
        assert ("404" in problems) == names_a_row, name
        assert ({"503", "507"} <= problems) == (not name.startswith("GET")), name
        assert ({"400", "413"} <= problems) == ("requestBody" in operation), name


def test_pictures_and_nothing_else_take_a_token_in_the_query(operations):
    for name, operation in operations.items():
        success = operation["responses"].get("200", {})
        is_picture = "image/jpeg" in success.get("content", {})
        assert ({"token": []} in operation["security"]) == is_picture, name


def test_the_examples_are_valid_for_their_schemas(description, operations):
    components = description["components"]
    for name, operation in operations.items():
        for content in json_bodies(operation):
            examples = [example["value"] for example in content.get("examples", {}).values()]
            examples += [content["example"]] if "example" in content else []
            body = jsonschema_rs.validator_for(content["schema"] | {"components": components})
            for example in examples:
                assert [str(error) for error in body.iter_errors(example)] == [], name


def json_bodies(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Schema and examples of what the operation takes and answers in JSON."""
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        for media, content in body.get("content", {}).items():
            if media in ("application/json", CONTENT_TYPE):
                yield content


def test_every_success_in_json_has_an_example(operations):
    for name, operation in operations.items():
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if content and int(status) < 400:
                assert content.get("examples") or content.get("example"), (name, status)


def test_nothing_is_described_that_is_not_used(description):
    text = json.dumps(description)
    for name in description["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name


def test_every_request_body_has_an_example(operations):
    for name, operation in operations.items():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content.get("examples") or content.get("example"), name


def test_concurrent_first_requests_get_the_whole_description(tmp_path):
    app, together = create_app(Server(tmp_path).environ()), threading.Barrier(8)

    def ask(_):
        together.wait()
        return app.test_client().get("/openapi.json").json

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(ask, range(8))
    assert [*first["paths"]][-1] == "/metrics"
    assert others == [first] * 7


def test_flask_prints_the_same_description(described, tmp_path):
    printed = ForkedServer(tmp_path).flask("openapi", "print")
    served = described.test_client().get("/openapi.json").data
    assert json.loads(printed) == json.loads(served)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("method", ["get", "patch"])
@pytest.mark.parametrize(
    "row", ["9223372036854775808", "9" * 30, "-1", "1.0", "x", "\N{FULLWIDTH DIGIT ONE}"]
)
def test_an_id_that_cannot_be_is_not_found_whatever_the_method(described, method, row):
    answer = described.test_client().open(f"/api/events/{row}", method=method, json={})
    assert answer.status_code == 404
