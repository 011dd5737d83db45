"""Is a question without a query string answered as if it had been read, by plain functions?"""

import inspect

import pytest
from marshmallow import Schema, fields

from app.api.blueprint import Blueprint
from app.api.parsing import StrictParser
from app.errors import ValidationFailed
from app.schemas.common import PageQuerySchema


class DemandingSchema(Schema):
    """A query string that must be there."""

    id = fields.String(required=True)


def query_schemas(app):
    """Every schema of a query string."""
    for view in app.view_functions.values():
        for parameter in getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", []):
            if parameter["in"] == "query":
                yield parameter["schema"]


def test_what_nothing_means_is_the_same_for_all_and_nobody_can_change_it(app):
    found = list(query_schemas(app))
    assert len(found) > 20
    for schema in found:
        with app.test_request_context("/"):
            values = Blueprint.ARGUMENTS_PARSER.parse(schema, location="query")
        assert values == schema.load({})
        assert all(value.__hash__ for value in values.values()), "a default that can be changed"


def test_each_request_gets_values_of_its_own(app):
    parser, schema = StrictParser(), PageQuerySchema()
    for query, limit in (("", 50), ("?limit=7", 7), ("", 50)):
        with app.test_request_context(f"/{query}"):
            values = parser.parse(schema, location="query")
        assert values["limit"] == limit
        values["limit"] = 1


def test_a_failure_is_not_kept(app):
    parser, schema = StrictParser(), DemandingSchema()
    for _ in range(2):
        with app.test_request_context("/"), pytest.raises(ValidationFailed):
            parser.parse(schema, location="query")
    with app.test_request_context("/?id=a"):
        assert parser.parse(schema, location="query") == {"id": "a"}


def test_no_view_waits_for_anything_but_its_thread(app):
    """`Service.ensure_sync` counts on it."""
    functions = [*app.view_functions.values(), *app.before_request_funcs[None]]
    assert len(functions) > 30
    assert not [f for f in functions if inspect.iscoroutinefunction(inspect.unwrap(f))]
