"""Which pages does a person see in a browser, and which files do they load?

The pages need nothing but the API. Their files may be cached for ever: the address holds a digest
of them all, and other files have another address. The modules import each other by relative
names, so one address is enough for all of them.
"""

import re
from gzip import compress
from hashlib import sha256
from typing import Any
from unicodedata import normalize

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    make_response,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import NotFound

from ..access import authorize
from ..models import RISK_LEVELS, Row
from ..schemas.pages import EventsPageQuerySchema, WallQuerySchema, read
from ..services import cameras as camera_service
from .conditions import is_not_modified

# No text ever becomes markup: the scripts use none of the ways that trusted-types guards.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"}
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
NAMES = (
    *("page.css", "wall.css", "events.css", "icon.svg"),
    *("api.js", "element.js", "lookout.js", "part.js", "state.js", "tile.js", "wall.js"),
    *("boxes.js", "camera.js", "columns.js", "facts.js", "forms.js", "events.js"),
)
DIGEST_CHARACTERS = 16
WALL, EVENTS = WallQuerySchema(), EventsPageQuerySchema()

blp = Blueprint("web", __name__)


class Assets:
    """The files of app/static in memory, by name, also compressed, and the digest of them all."""

    def __init__(self, app: Flask) -> None:
        self.files: dict[str, bytes] = {name: _read(app, name) for name in NAMES}
        digest = sha256(repr(self.files).encode()).hexdigest()
        self.version = digest[:DIGEST_CHARACTERS]
        self.compressed = {name: compress(data, mtime=0) for name, data in self.files.items()}

    def response(self, version: str, name: str) -> Response:
        """200 or 304 with the file of this name and version; raises `NotFound`."""
        if version != self.version or name not in self.files:
            raise NotFound
        takes_gzip = request.accept_encodings.quality("gzip") > 0
        tag = f"{version}-gzip" if takes_gzip else version
        headers = {
            "ETag": f'"{tag}"',
            "Vary": "Accept-Encoding",
            "Cache-Control": "public, max-age=31536000, immutable",
        }
        if is_not_modified(tag):
            return Response(status=304, headers=headers)
        headers |= {"Content-Encoding": "gzip"} if takes_gzip else {}
        data = self.compressed[name] if takes_gzip else self.files[name]
        return Response(data, headers=headers, mimetype=TYPES[name.rpartition(".")[2]])


def init_app(app: Flask) -> None:
    """Register the pages and read the files that they stand on."""
    app.extensions["assets"] = Assets(app)
    app.register_blueprint(blp)


@blp.get("/")
def wall() -> Response:
    """The newest picture of every camera."""
    wishes, refused = read(WALL, request.args.to_dict(flat=False))
    cameras = _in_order(camera_service.list_cameras(), wishes["order"])
    return _page("wall.html", cameras=cameras, wishes=wishes, refused=refused)


@blp.get("/events")
def events() -> Response:
    """What happened, and what of it somebody has looked at."""
    wishes, refused = read(EVENTS, request.args.to_dict(flat=False))
    cameras = _in_order(camera_service.list_cameras(), "name")
    return _page(
        "events.html", cameras=cameras, wishes=wishes, refused=refused, levels=RISK_LEVELS
    )


@blp.get("/static/<version>/<name>")
def asset(version: str, name: str) -> Response:
    """A file that a page names."""
    return _assets().response(version, name)


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
    return url_for("web.asset", version=_assets().version, name=name)


def _assets() -> Assets:
    assets: Assets = current_app.extensions["assets"]
    return assets


def _read(app: Flask, name: str) -> Any:
    with app.open_resource(f"static/{name}") as file:
        return file.read()
