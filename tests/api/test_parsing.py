"""Does a view get the values of its query string, and the defaults where there is none?"""

import pytest
from flask import Flask
from marshmallow import Schema, fields

from app import errors
from app.api.blueprint import Blueprint
from app.schemas.common import PageQuerySchema
from tests.problems import assert_problem


class RequiredQuerySchema(Schema):
    """A query string that must be there."""

    id = fields.String(required=True)


@pytest.fixture
def small():
    """A client of a few views that respond with their values."""
    blueprint = Blueprint("small", __name__)

    @blueprint.get("/page")
    @blueprint.arguments(PageQuerySchema, location="query")
    @blueprint.response(200)
    def show_page(query):
        return {"limit": query.pop("limit"), "left": sorted(query)}

    @blueprint.get("/required")
    @blueprint.arguments(RequiredQuerySchema, location="query")
    @blueprint.response(200)
    def show_required(query):
        return query

    @blueprint.get("/none")
    @blueprint.response(200)
    def show_none():
        return {}

    app = Flask("small")
    errors.init_app(app)
    app.register_blueprint(blueprint)
    return app.test_client()


def test_each_request_gets_values_of_its_own(small):
    for query, limit in (("", 50), ("?limit=7", 7), ("", 50)):
        expected = {"limit": limit, "left": ["count", "cursor"]}
        assert small.get(f"/page{query}").json == expected


def test_a_required_parameter_is_missed_in_every_request(small):
    for _ in range(2):
        problem = assert_problem(small.get("/required"), 422, "validation_failed")
        assert problem["errors"] == {"query": {"id": ["Missing data for required field."]}}
    assert small.get("/required?id=a").json == {"id": "a"}


def test_a_view_without_query_arguments_refuses_any(small):
    assert small.get("/none").json == {}
    problem = assert_problem(small.get("/none?a=1"), 422, "validation_failed")
    assert problem["errors"] == {"query": {"a": ["Unknown field."]}}
