"""Is the API just what its description says, whatever is sent to it?"""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from schemathesis.config import (
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.engine import events, from_schema
from schemathesis.specs.openapi.schemas import OpenApiSchema

from app import create_app, db
from app.errors import BAD_CURSOR, MANY_BUCKETS
from app.notify.rules import UNKNOWN_URL, WHOLE_URL
from app.notify.urls import NO_HOST, NO_PORT
from app.notify.webhook import Outcome
from app.problems import CONTENT_TYPE
from app.schemas.notifications import SAME_TIME, WRONG_KEY
from app.schemas.pictures import TWO_BEGINNINGS
from app.services.events import ENDS_FIRST, NO_CAMERA, NO_DETECTION, NO_EVENT
from tests.e2e.server import PROJECT, Server
from tests.pictures import picture, put

# For each operation.
FEW_EXAMPLES, EXAMPLES, MANY_EXAMPLES = 3, 10, 2_000
# What no JSON Schema can say: that a row is there, that a cursor was given out, that one moment is
# not before another, that a name is a time zone's; and that an integer is written as one, for 3.0
# is an integer there too.
UNSAYABLE = (
    *("Not a valid integer.", "There is no such time."),  # a leap second at a time without one
    *(NO_CAMERA, NO_EVENT, NO_DETECTION.partition("{")[0]),
    *(BAD_CURSOR, MANY_BUCKETS, TWO_BEGINNINGS, ENDS_FIRST.partition("{")[0], "Give an IANA name"),
    *(NO_PORT, NO_HOST, WHOLE_URL, UNKNOWN_URL, SAME_TIME, WRONG_KEY),
)
# Operations on a row that a parameter of the query names.
BY_PARAMETER = ("GET /api/moments",)
DEADLINE_SECONDS = 30


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application with a camera that sees something and one that is outside the base."""
    folder = tmp_path_factory.mktemp("described")
    put(folder / "front" / "a.jpg", picture())
    app = create_app(Server(folder).environ() | {"NVR_FOSCAM_BASE_PATH": str(folder)})
    for path in ("front", "/etc"):
        app.test_client().post("/api/cameras", json={"name": path, "folder_path": path})
    # A test of a rule is to reach no receiver, for it names one of the internet.
    app.extensions["deliveries"].send = lambda rule, message: Outcome(204)
    yield app
    app.extensions["folders"].retain(())
    db.database.close()


@pytest.fixture(scope="module")
def schema(described: Flask) -> OpenApiSchema:
    """Its description as a client reads it."""
    return _schema(described, FEW_EXAMPLES)


def _schema(described: Flask, examples: int) -> OpenApiSchema:
    """The schema; the requests that are generated from it are the same in every run."""
    generation = GenerationConfig(deterministic=True, max_examples=examples, database="none")
    # Otherwise the first example that is refused for a rule that no schema can express would end
    # the examples of its operation.
    project = ProjectConfig(generation=generation, continue_on_failure=True)
    projects = ProjectsConfig(default=project)
    config = SchemathesisConfig(projects=projects, seed=1)
    return schemathesis.openapi.from_wsgi("/openapi.json", described, config=config)


@pytest.fixture(scope="module")
def operations(schema: OpenApiSchema) -> dict[str, dict[str, Any]]:
    """``GET /api/cameras`` and so on → the operation object."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in schema.raw_schema["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post", "put", "patch", "delete")
    }


@pytest.mark.slow
def test_every_answer_is_as_described(described, operations):
    """All checks of schemathesis: examples, edges, random values good and bad, sequences."""
    failures, statuses = _fuzz(_schema(described, EXAMPLES))
    assert failures == set()
    assert {200, 201, 204, 400, 403, 404, 405, 415, 422} <= statuses.keys()
    assert max(statuses) < 500
    assert statuses.total() > EXAMPLES * len(operations)


@pytest.mark.slow
@pytest.mark.slowest
def test_two_thousand_answers_of_each_operation_are_as_described(described, operations):
    """An operation without parameters has only one request."""
    schema, asked = _schema(described, MANY_EXAMPLES), Counter()
    for name, operation in operations.items():
        failures, statuses = _fuzz(schema.include(name=name))
        assert failures == set(), name
        assert max(statuses) < 500, name
        if operation.get("parameters") or "requestBody" in operation or "{" in name:
            assert statuses.total() > MANY_EXAMPLES, name
        asked += statuses
    print(f"{asked.total()} answers: {asked}")


def _fuzz(schema: OpenApiSchema) -> tuple[set[str], Counter[int]]:
    """Every failure, and how many answers of each status there were."""
    failures, statuses = set(), Counter()
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
        if isinstance(event, events.ScenarioFinished):
            failures |= set(_failures(event.recorder))
            exchanges = event.recorder.interactions.values()
            statuses.update(exchange.response.status_code for exchange in exchanges)
    return failures, statuses


def _failures(recorder: Any) -> Iterator[str]:
    """Each failure; but what no schema can say may be refused though the schema takes it."""
    for case, checks in recorder.checks.items():
        for check in checks:
            found = check.failure_info
            refused = check.name == "positive_data_acceptance" and found
            if found and not (refused and _is_unsayable(recorder.interactions[case].response)):
                yield f"{check.name}: {found.failure}\n{found.code_sample}"


def _is_unsayable(response: Any) -> bool:
    """Whether nothing else was refused, as the messages say."""
    errors = json.loads(response.content)["errors"]
    messages = [text for fields in errors.values() for texts in fields.values() for text in texts]
    return all(text.startswith(UNSAYABLE) for text in messages)


def test_it_is_openapi_3_1(schema):
    assert schema.raw_schema["openapi"].startswith("3.1.")
    schema.validate()


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


def test_the_examples_are_valid_for_their_schemas(schema, operations):
    components = schema.raw_schema["components"]
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


def test_nothing_is_described_that_is_not_used(schema):
    text = json.dumps(schema.raw_schema)
    for name in schema.raw_schema["components"]["schemas"]:
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
    printed = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "openapi", "print"],
        cwd=PROJECT,
        env=Server(tmp_path).environ(),
        stdout=subprocess.PIPE,
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    served = described.test_client().get("/openapi.json").data
    assert json.loads(printed.stdout) == json.loads(served)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("method", ["get", "patch"])
@pytest.mark.parametrize(
    "row", ["9223372036854775808", "9" * 30, "-1", "1.0", "x", "\N{FULLWIDTH DIGIT ONE}"]
)
def test_an_id_that_cannot_be_is_not_found_whatever_the_method(described, method, row):
    answer = described.test_client().open(f"/api/events/{row}", method=method, json={})
    assert answer.status_code == 404
