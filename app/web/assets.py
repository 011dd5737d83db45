"""Which files do the pages stand on, and for how long may a browser keep them?

For ever: the address holds a digest of them all, and other files have another address. The
modules import each other by relative names, so one address is enough for all of them.
"""

from gzip import compress
from hashlib import sha256
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import NotFound

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
NAMES = (
    *("page.css", "wall.css", "events.css", "icon.svg"),
    *("api.js", "element.js", "lookout.js", "part.js", "state.js", "tile.js", "wall.js"),
    *("boxes.js", "camera.js", "columns.js", "facts.js", "forms.js", "events.js"),
)
DIGEST_CHARACTERS = 16


class Assets:
    """The files of app/static in memory, by name, also packed, and the digest of all of them."""

    def __init__(self, app: Flask) -> None:
        self.files: dict[str, bytes] = {name: _read(app, name) for name in NAMES}
        digest = sha256(repr(self.files).encode()).hexdigest()
        self.version = digest[:DIGEST_CHARACTERS]
        self.packed = {name: compress(data, mtime=0) for name, data in self.files.items()}

    def send(self, version: str, name: str) -> Response:
        """The file of this name, if it is of this version; raises `NotFound`."""
        if version != self.version or name not in self.files:
            raise NotFound
        is_packed = request.accept_encodings.quality("gzip") > 0
        data = self.packed[name] if is_packed else self.files[name]
        response = Response(data, mimetype=TYPES[name.rpartition(".")[2]])
        response.set_etag(f"{version}-gzip" if is_packed else version)
        response.headers["Vary"] = "Accept-Encoding"
        if is_packed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.make_conditional(request)
        return response


def assets() -> Assets:
    """Those of the app."""
    kept: Assets = current_app.extensions["assets"]
    return kept


def _read(app: Flask, name: str) -> Any:
    with app.open_resource(f"static/{name}") as file:
        return file.read()
