"""What does a person see in a browser? Pages that need nothing but the API that everybody has."""

import re
from typing import Any
from unicodedata import normalize

from flask import Blueprint, Flask, Response, make_response, render_template, request, url_for

from ..access import authorize
from ..models import RISK_LEVELS, Row
from ..schemas.pages import EventsPageQuerySchema, WallQuerySchema, read
from ..services import cameras as camera_service
from .assets import Assets, assets

# No text ever becomes markup: the scripts use none of the ways that trusted-types guards.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"}
WALL, EVENTS = WallQuerySchema(), EventsPageQuerySchema()

blp = Blueprint("web", __name__)


def init_app(app: Flask) -> None:
    """Register the pages and read the files that they stand on."""
    app.extensions["assets"] = Assets(app)
    app.register_blueprint(blp)


@blp.get("/")
def wall() -> Response:
    """The newest picture of every camera."""
    wishes, refused = read(WALL, request.args.to_dict(flat=False))
    cameras = _in_order(camera_service.listing(), wishes["order"])
    return _page("wall.html", cameras=cameras, wishes=wishes, refused=refused)


@blp.get("/events")
def events() -> Response:
    """What happened, and what of it somebody has looked at."""
    wishes, refused = read(EVENTS, request.args.to_dict(flat=False))
    cameras = _in_order(camera_service.listing(), "name")
    return _page(
        "events.html", cameras=cameras, wishes=wishes, refused=refused, levels=RISK_LEVELS
    )


@blp.get("/static/<version>/<name>")
def asset(version: str, name: str) -> Response:
    """A file that a page names."""
    return assets().send(version, name)


def _in_order(cameras: list[Row], order: str) -> list[Row]:
    """By name, or the one that was seen last first; the script knows the pictures' ages."""
    by_name = sorted(cameras, key=_as_people_sort)
    if order == "name":
        return by_name
    return sorted(by_name, key=lambda camera: camera["last_seen_at"] or "", reverse=True)


def _as_people_sort(camera: Row) -> list[str | int]:
    """Camera 2 comes before Camera 10, and Ä beside A: as the script sorts, so nothing jumps."""
    parts = re.split("([0-9]+)", normalize("NFKD", camera["name"]).casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _page(template: str, **values: Any) -> Response:
    values |= {"asset": _address, "may_write": authorize.may_write()}
    response = make_response(render_template(template, **values))
    response.headers.update(HEADERS)
    return response


def _address(name: str) -> str:
    return url_for("web.asset", version=assets().version, name=name)
