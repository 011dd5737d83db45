"""How is the API described, and which page shows the description?"""

import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import flask_smorest
import flask_swagger_ui
from apispec import APISpec, BasePlugin
from flask import Blueprint, Flask, Response, render_template, send_from_directory
from flask.cli import AppGroup

from ..access.authorize import OPEN_ENDPOINTS, QUERY_TOKEN_ENDPOINTS, anonymous_rights
from ..access.headers import is_not_modified
from ..problems import CONTENT_TYPE, PROBLEMS
from ..schemas.common import ProblemSchema
from .responses import ROW_ID, RowId

DESCRIPTION = "The cameras of a home network video recorder, and what each one sees right now."
WRITING = ("post", "put", "patch", "delete")
ETAG = {
    "ETag": {"schema": {"type": "string"}, "description": "Strong; identifies exactly these bytes"}
}
NOT_MODIFIED = {"description": "The client already has this"}
PICTURE_HEADERS = {
    **ETAG,
    "Last-Modified": {"schema": {"type": "string"}, "description": "The file's time"},
    "Content-Disposition": {
        "schema": {"type": "string"},
        "description": "The file's name",
        "example": 'attachment; filename="image_name.jpg"',
    },
    "X-Snapshot-Age": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Age of the picture in whole seconds",
    },
    "X-Snapshot-Placeholder": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "Present if this is a placeholder, as `placeholder=1` allows",
    },
}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of this service"},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A token of this service as the password, under any user name",
    },
    "token": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "A token of this service, for clients that can only be given a URL",
    },
}
# What flask-smorest reads from an application's configuration.
CONFIG = {
    "API_TITLE": "NVR Cameras",
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {"description": DESCRIPTION},
        "components": {"securitySchemes": SECURITY_SCHEMES},
    },
}

# Swagger UI's scripts and styles are files of this origin; it draws icons from data: URLs.
DOCS_POLICY = (
    "default-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
SWAGGER_UI_TAG = version("flask-swagger-ui")

docs_blp = Blueprint("docs", __name__, url_prefix="/docs")


class Api(flask_smorest.Api):
    """flask-smorest's, which describes errors as problems."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None


class CommonDescription(BasePlugin):
    """Adds to each operation the problems and the security that its method and access imply."""

    def __init__(self, anonymous: tuple[str, ...]) -> None:
        self._anonymous = anonymous

    def init_spec(self, spec: APISpec) -> None:
        """Name the schema that every problem refers to."""
        spec.components.schema("Problem", schema=ProblemSchema)

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Complete the operations of one path; ``rule`` in ``kwargs`` is its URL rule."""
        endpoint = kwargs["rule"].endpoint
        for method, operation in (operations or {}).items():
            writes = method in WRITING
            operation["security"] = self._security(endpoint, writes)
            codes = _common_problems(endpoint, writes, "requestBody" in operation)
            operation["responses"] = _with_problems(operation.get("responses", {}), codes)

    def _security(self, endpoint: str, writes: bool) -> list[dict[str, Any]]:
        """The ways to send a token; an empty one says that none is needed."""
        if endpoint in OPEN_ENDPOINTS:
            return []
        ways: list[dict[str, Any]] = [{"bearer": []}, {"basic": []}]
        if endpoint in QUERY_TOKEN_ENDPOINTS:
            ways.append({"token": []})
        if ("write" if writes else "read") in self._anonymous:
            ways.append({})
        return ways


class Description:
    """The OpenAPI description of ``blueprints`` as ``app`` serves them, built at the first
    request and kept.

    flask-smorest builds it while it registers blueprints, which takes two thirds of the time to
    create an application. So a second application, which serves no request, registers them.
    """

    def __init__(self, app: Flask, blueprints: tuple[flask_smorest.Blueprint, ...]) -> None:
        self._app, self._blueprints = app, blueprints

    def init_app(self, app: Flask) -> None:
        """Serve it at ``/openapi.json``, and print it with ``flask openapi print``."""
        app.add_url_rule("/openapi.json", "openapi", self.respond)
        group = AppGroup("openapi", help="OpenAPI commands.")
        group.command("print", help="Print the OpenAPI description.")(self.print)
        app.cli.add_command(group)

    def respond(self) -> Response:
        return Response(self.text, mimetype="application/json")

    def print(self) -> None:
        click.echo(self.text)

    @property
    def text(self) -> str:
        version = self._app.config["API_VERSION"]
        return describe(self._blueprints, version, anonymous_rights(self._app))


@cache
def describe(
    blueprints: tuple[flask_smorest.Blueprint, ...], version: str, anonymous: tuple[str, ...]
) -> str:
    """The description of ``blueprints`` where a request without a token has these rights."""
    described = Flask(__name__, static_folder=None)
    described.url_map.converters[ROW_ID] = RowId
    described.config.update(CONFIG, API_VERSION=version)
    api = Api(described, spec_kwargs={"extra_plugins": [CommonDescription(anonymous)]})
    # Of flask-smorest's own paging by headers, which no operation uses.
    api.spec.components.schemas.pop("PaginationMetadata", None)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    return json.dumps(api.spec.to_dict(), indent=2)


@docs_blp.get("")
def page() -> Response:
    """The API's description in Swagger UI, without files from other hosts."""
    return Response(render_template("docs.html"), headers={"Content-Security-Policy": DOCS_POLICY})


@docs_blp.get("/<any('swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png'):name>")
def asset(name: str) -> Response:
    """A file of Swagger UI that the page loads."""
    if is_not_modified(SWAGGER_UI_TAG):
        response = Response(status=304)
        response.set_etag(SWAGGER_UI_TAG)
    else:
        response = send_from_directory(SWAGGER_UI, name, conditional=False, etag=SWAGGER_UI_TAG)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@docs_blp.get("/start.js")
def start() -> Response:
    """The script that starts Swagger UI."""
    return Response(render_template("docs.js"), mimetype="text/javascript")


def problem_responses(codes: Iterable[str]) -> dict[int, Any]:
    """The problems of these codes as OpenAPI responses by status, each code with its example."""
    responses: dict[int, Any] = {}
    for code in codes:
        problem = PROBLEMS[code]
        content = {CONTENT_TYPE: {"schema": "Problem", "examples": {}}}
        response = responses.setdefault(problem.status, {"description": "", "content": content})
        examples = response["content"][CONTENT_TYPE]["examples"]
        examples[code] = {"value": problem.body()}
        response["description"] = ", ".join(f"`{name}`" for name in examples)
    return responses


# The documentation that is added to a view whose 200 has an `ETag`.
TAGGED = {
    200: {"headers": ETAG},
    304: NOT_MODIFIED,
    **problem_responses(("precondition_failed",)),
}


def _common_problems(endpoint: str, writes: bool, has_body: bool) -> list[str]:
    codes = ["validation_failed", "unknown_host", "unsupported_media_type", "internal_error"]
    if endpoint not in OPEN_ENDPOINTS:
        codes.append("unauthorized")
    if writes:
        codes += ["forbidden", "foreign_page"]
        codes += ["database_busy", "database_read_only", "storage_full"]
    if has_body:
        codes += ["malformed_json", "payload_too_large"]
    return codes


def _with_problems(responses: dict[Any, Any], codes: list[str]) -> dict[Any, Any]:
    """``responses`` with these problems too, in place of flask-smorest's references to errors."""
    kept = {status: said for status, said in responses.items() if not isinstance(said, str)}
    own = [
        code
        for said in kept.values()
        for code in said.get("content", {}).get(CONTENT_TYPE, {}).get("examples", {})
    ]
    for status, problem in problem_responses((*codes, *own)).items():
        content = kept.get(status, {}).get("content", {}) | problem["content"]
        kept[status] = {**problem, "content": content}
    return kept
