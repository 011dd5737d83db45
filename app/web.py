"""Which pages does a person see in a browser, and which files do they load?

The pages need nothing but the API. Browsers may cache their files for ever, because the URL of
each holds a digest of all of them, which changes when a file does. The scripts import each other
by relative names, so all of them share this part of the URL.
"""

import re
from contextlib import suppress
from datetime import date
from functools import cache
from gzip import compress
from hashlib import sha256
from typing import Any
from unicodedata import normalize
from uuid import UUID

from flask import Blueprint, Flask, Response, current_app, render_template, request, url_for
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import NotFound

from . import clock
from .access.authorize import may_write
from .access.headers import is_not_modified
from .images import resize
from .layout import COMMAND
from .models import RISK_LEVELS, Camera, Row
from .schemas.common import QueryBoolean, QueryInteger, RFC3339DateTime, UUIDString
from .services import cameras as camera_service

# `require-trusted-types-for`: the scripts never turn a text into markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"}
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
NAMES = (
    *("page.css", "wall.css", "events.css", "storage.css", "day.css", "icon.svg"),
    *("api.js", "element.js", "lookout.js", "part.js", "state.js", "tile.js", "wall.js"),
    *("silence.js", "sizes.js"),
    *("boxes.js", "camera.js", "columns.js", "facts.js", "forms.js", "events.js"),
    *("dialog.js", "limits.js", "retention.js", "storage.js", "notifications.js", "rules.js"),
    *("address.js", "around.js", "day.js", "follow.js", "moments.js", "pages.js", "steps.js"),
    *("strip.js", "thumb.js", "viewer.js", "zone.js"),
)
DIGEST_CHARACTERS = 16
MOST_COLUMNS = 12
ECHOED_CHARACTERS = 40

# The name, the text and the error of a parameter that is not used.
Unused = tuple[str, str, str]

blp = Blueprint("web", __name__)


def one_of(*allowed: str, default: str | None = None) -> fields.String:
    """A parameter that takes one of ``allowed``."""
    valid = validate.OneOf(allowed, error=f"Give {' or '.join(allowed)}.")
    return fields.String(load_default=default, validate=valid)


def integer(least: int, most: int, default: int | None) -> QueryInteger:
    """A parameter that takes an integer from ``least`` to ``most``."""
    sentence = f"Give a whole number from {least} to {most}."
    valid = validate.Range(least, most, error=sentence)
    return QueryInteger(load_default=default, validate=valid, error_messages={"invalid": sentence})


class Day(fields.Date):
    """A parameter that takes a day of the calendar; its value is the text."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        with suppress(ValueError):
            if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
                return date.fromisoformat(value).isoformat()
        raise ValidationError("Give a day as 2025-12-23.")


class WallQuerySchema(Schema):
    # Seconds between two rounds of requests; by default the box's setting.
    refresh = integer(1, 3600, default=None)
    stale = integer(1, 10**7, default=600)  # seconds; an older picture is STALE
    columns = integer(1, MOST_COLUMNS, default=None)
    order = one_of("name", "age", default="name")
    kiosk = one_of("0", "1", default="0")


class EventsPageQuerySchema(Schema):
    camera_id = UUIDString(
        load_default=None, error_messages={"invalid_uuid": "Give a camera's id."}
    )
    risk_level = one_of(*RISK_LEVELS)
    reviewed = QueryBoolean(load_default=None, error_messages={"invalid": "Give true or false."})
    day = Day(load_default=None)


class DayPageQuerySchema(Schema):
    # A day and times of the box's time zone; the script of the page uses them.
    day = Day(load_default=None)
    at = RFC3339DateTime(load_default=None)
    picture = fields.String(
        load_default=None,
        validate=validate.Regexp("^[A-Za-z0-9_-]{1,64}$", error="Give a picture's id."),
    )


WALL, EVENTS, DAY = WallQuerySchema(), EventsPageQuerySchema(), DayPageQuerySchema()
NO_OPTIONS = Schema()


class Assets:
    """The files of app/static in memory, by name, also compressed, and the digest of them all."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {}
        for name in NAMES:
            with blp.open_resource(f"static/{name}") as file:
                self.files[name] = file.read()
        self.version = sha256(repr(self.files).encode()).hexdigest()[:DIGEST_CHARACTERS]
        self.compressed = {name: compress(data, mtime=0) for name, data in self.files.items()}

    def url(self, name: str) -> str:
        return url_for("web.asset", version=self.version, name=name)

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
    """Register the pages, and read the files that they load."""
    assets()
    app.register_blueprint(blp)


@blp.get("/")
def wall() -> Response:
    """The newest picture of every camera."""
    settings = current_app.extensions["settings"].box()
    options, unused = _options(WALL)
    options["refresh"] = options["refresh"] or settings["wall_refresh_seconds"]
    cameras, title = _list_cameras(options["order"]), settings["wall_title"]
    return _page("wall.html", options, unused, title=title, cameras=cameras)


@blp.get("/events")
def events() -> Response:
    """The list of events, for review."""
    return _page("events.html", *_options(EVENTS), cameras=_list_cameras(), levels=RISK_LEVELS)


@blp.get("/storage")
def storage() -> Response:
    """How long the disk lasts, and the limits of pictures and clips."""
    return _page("storage.html", *_options(NO_OPTIONS))


@blp.get("/notifications")
def notifications() -> Response:
    """Who is told what, and what became of the last messages."""
    return _page("notifications.html", *_options(NO_OPTIONS))


@blp.get("/homeassistant")
def homeassistant() -> Response:
    """How the cameras get into Home Assistant: the address, and a token for it."""
    url = url_for("homeassistant.get_box", _external=True)
    return _page("homeassistant.html", *_options(NO_OPTIONS), url=url, command=COMMAND)


@blp.get("/cameras/<uuid:camera_id>")
def camera(camera_id: UUID) -> Response:
    """A day of a camera's pictures and clips."""
    settings = current_app.extensions["settings"].box()
    return _page(
        "day.html",
        *_options(DAY),
        camera=Camera.one(str(camera_id)),
        zone=clock.zone_name(settings["timezone"]),
        refresh=settings["wall_refresh_seconds"],
    )


@blp.get("/static/<version>/<name>")
def asset(version: str, name: str) -> Response:
    """A file that a page loads."""
    return assets().response(version, name)


def _options(schema: Schema) -> tuple[Row, list[Unused]]:
    """The options of the page that is asked for, and each parameter that is not used.

    A page is shown even if a value is invalid, with a notice.
    """
    given = request.args.to_dict(flat=False)
    first = {name: texts[0] for name, texts in given.items()}
    wrong = {name: messages[0] for name, messages in schema.validate(first).items()}
    wrong |= {name: "There is no such parameter." for name in given if name not in schema.fields}
    wrong |= {name: "Give it once." for name, texts in given.items() if len(texts) > 1}
    options = schema.load({name: text for name, text in first.items() if name not in wrong})
    return options, [
        (name[:ECHOED_CHARACTERS], text[:ECHOED_CHARACTERS], wrong[name])
        for name, text in first.items()
        if name in wrong
    ]


def _natural_order(camera: Row) -> list[str | int]:
    """A key to sort by name: Camera 2 before Camera 10, and Ä beside A, as the script does."""
    parts = re.split("([0-9]+)", normalize("NFKD", camera["name"]).casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _list_cameras(order: str = "name") -> list[Row]:
    cameras = sorted(camera_service.list_cameras(), key=_natural_order)
    if order == "age":  # roughly: the script knows the ages of the pictures
        cameras.sort(key=lambda camera: camera["last_seen_at"] or "", reverse=True)
    return cameras


def _page(template: str, options: Row, unused: list[Unused], **values: Any) -> Response:
    values |= {"asset": assets().url, "may_write": may_write(), "resizes": resize.is_installed()}
    text = render_template(template, options=options, unused=unused, **values)
    return Response(text, headers=HEADERS)


@cache
def assets() -> Assets:
    """The files, read once for all applications of the process."""
    return Assets()
