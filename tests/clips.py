"""A view that sends clips, for the tests of how they are sent.

Run by a server as its program, it is the service with this view: ``/clips/NAME`` is the file NAME
below the base path.
"""

import os

from flask import Flask, Response, request

from app.api.clips import clip_response
from app.api.pictures import base_path, folders
from app.storage import safe_open
from app.storage.clips import OpenClip


def init_app(app: Flask) -> None:
    """Add the view."""
    app.add_url_rule("/clips/<name>", "clips", send_clip)


def send_clip(name: str) -> Response:
    """The clip of this name in the base path itself."""
    threads, base = folders().threads, base_path()

    def open_clip() -> int:
        folder = safe_open.open_folder(base, ".")
        try:
            return safe_open.open_file(folder, [name])
        finally:
            os.close(folder)

    file = threads.ask(open_clip, base, ".")
    clip = OpenClip(file, os.fstat(file), threads, base, ".")
    modified = int(clip.status.st_mtime)
    disposition = request.args.get("disposition", "attachment")
    return clip_response(clip, clip.etag, modified, name, disposition, "private, no-cache")
