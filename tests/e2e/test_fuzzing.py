"""Is every answer just what the API's description says, whatever is sent to it?"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

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

from app.errors import BAD_CURSOR, MANY_BUCKETS
from app.notify.rules import UNKNOWN_URL, WHOLE_URL
from app.notify.urls import NO_HOST, NO_PORT
from app.schemas.notifications import SAME_TIME, WRONG_KEY
from app.schemas.pictures import TWO_BEGINNINGS
from app.services.events import ENDS_FIRST, NO_CAMERA, NO_DETECTION, NO_EVENT

pytestmark = pytest.mark.slow
# For each operation.
EXAMPLES, MANY_EXAMPLES = 10, 2_000
# What no JSON Schema can say: that a row is there, that a cursor was given out, that one moment is
# not before another, that a name is a time zone's; and that an integer is written as one, for 3.0
# is an integer there too.
UNSAYABLE = (
    *("Not a valid integer.", "There is no such time."),  # a leap second at a time without one
    *(NO_CAMERA, NO_EVENT, NO_DETECTION.partition("{")[0]),
    *(BAD_CURSOR, MANY_BUCKETS, TWO_BEGINNINGS, ENDS_FIRST.partition("{")[0], "Give an IANA name"),
    *(NO_PORT, NO_HOST, WHOLE_URL, UNKNOWN_URL, SAME_TIME, WRONG_KEY),
)


def test_the_description_is_valid_openapi(described):
    _schema(described, EXAMPLES).validate()


def test_every_answer_is_as_described(described, operations):
    """All checks of schemathesis: examples, edges, random values good and bad, sequences."""
    failures, statuses = _fuzz(_schema(described, EXAMPLES))
    assert failures == set()
    assert {200, 201, 204, 400, 403, 404, 405, 415, 422} <= statuses.keys()
    assert max(statuses) < 500
    assert statuses.total() > EXAMPLES * len(operations)


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


def _schema(described: Flask, examples: int) -> OpenApiSchema:
    """The schema; the requests that are generated from it are the same in every run."""
    generation = GenerationConfig(deterministic=True, max_examples=examples, database="none")
    # Otherwise the first example that is refused for a rule that no schema can express would end
    # the examples of its operation.
    project = ProjectConfig(generation=generation, continue_on_failure=True)
    projects = ProjectsConfig(default=project)
    config = SchemathesisConfig(projects=projects, seed=1)
    return schemathesis.openapi.from_wsgi("/openapi.json", described, config=config)
