"""How is a picture shown? As it is, or smaller, or a card in its place says why there is none."""

from collections.abc import Callable

from flask import Response, current_app, request

from ..images import placeholder
from ..images.resize import Box
from ..models import Row
from ..storage import safe_open, snapshots
from ..storage.formats import Picture
from ..storage.snapshots import SnapshotRequest
from .pictures import FIXED_HEADERS, content_disposition, send_picture, snapshot_request

PNG, SVG = "image/png", "image/svg+xml"
# What a card may stand in for. Outside and unknown are mistakes of the set-up, to be seen as such.
MISSING = (
    safe_open.FolderNotFound,
    snapshots.NoSnapshot,
    snapshots.PictureNotFound,
    snapshots.SnapshotTooOld,
)


def show(query: Row, camera: Row, take: Callable[[SnapshotRequest], Picture]) -> Response:
    """The picture that ``take`` finds for the query, or the card if that is asked for.

    Raises what ``take`` does, `resizing.NotResizable` and `resizing.NotInstalled`.
    """
    box = Box(query["width"], query["height"])
    wanted = snapshot_request(camera["folder_path"], query["max_age"], box.tag)
    try:
        picture = take(wanted)
    except MISSING as missing:
        if not query["placeholder"]:
            raise
        return send_card(camera["name"], missing, box, query["disposition"])
    tag = box.tag(picture)
    if picture.data is not None and any(box):
        picture = current_app.extensions["resizer"].fit(picture, box)
    return send_picture(picture, tag, wanted.now, query["disposition"])


def send_card(name: str, missing: Exception, box: Box, disposition: str) -> Response:
    """200 or 304 with the card, drawn for who can show only pixels, written for the others."""
    kind = request.accept_mimetypes.best_match([PNG, SVG], PNG)
    card = placeholder.Card(name, placeholder.reason(missing), placeholder.size(box.size))
    body, suffix = (card.svg(), ".svg") if kind == SVG else (card.png(), ".png")
    response = Response(body, content_type=kind)
    response.headers.extend(FIXED_HEADERS)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = content_disposition(
        disposition, f"placeholder{suffix}"
    )
    response.headers["Vary"] = "Accept"
    response.headers["X-Snapshot-Placeholder"] = "true"
    response.set_etag(placeholder.tag(body))
    return response.make_conditional(request)
