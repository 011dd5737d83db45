"""Where can a person read and try the API? Swagger UI at /docs, without another host."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, make_response, render_template, send_from_directory

# Scripts and styles are files only; Swagger UI draws icons from data: URLs.
POLICY = (
    "default-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"

blp = Blueprint("docs", __name__, url_prefix="/docs")


@blp.get("")
def page() -> Response:
    """The page."""
    response = make_response(render_template("docs.html"))
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blp.get("/<any('swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png'):name>")
def asset(name: str) -> Response:
    """A file of the installed package that the page names."""
    return send_from_directory(ASSETS, name)


@blp.get("/start.js")
def start() -> Response:
    """What the page runs first."""
    return Response(render_template("docs.js"), mimetype="text/javascript")
