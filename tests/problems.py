"""Assert the one shape of every error response."""

from http import HTTPStatus
from typing import Any

from app.problems import PROBLEMS
from app.schemas.common import ProblemSchema


def assert_problem(response: Any, status: int, code: str, **members: Any) -> dict[str, Any]:
    """Assert that a response, of Flask's client or requests, is this problem and leaks nothing."""
    content = response.json() if callable(response.json) else response.get_json()
    assert response.status_code == status, content
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert ProblemSchema().validate(content) == {}
    assert list(content)[:5] == ["type", "title", "status", "detail", "code"]
    assert content["type"] == "about:blank"
    assert content["title"] == HTTPStatus(status).phrase
    assert content["status"] == status == PROBLEMS[code].status
    assert content["code"] == code, content
    for word in ("Traceback", "SELECT", "peewee", "sqlite3", "/tmp", "Error:"):
        assert word not in str(content)
    assert {name: content[name] for name in members} == members
    return content
