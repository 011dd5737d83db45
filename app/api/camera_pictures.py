"""The pictures and clips of each camera, by time."""

import os
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from uuid import UUID

from flask import Response, current_app

from .. import clock
from ..access.authorize import caller
from ..images import clip_frame
from ..images.resize import MaxSize
from ..models import Camera, Row
from ..models.pictures import IndexedPicture
from ..pictures import keeping, reading
from ..pictures.camera_index import CameraIndex
from ..pictures.files import saved_name
from ..pictures.index import PictureIndex
from ..pictures.listing import Filters, Listing, picture_row
from ..schemas import pictures as schemas
from ..storage.checks import StoredPicture
from ..storage.clips import CONTENT_TYPES as CLIP_TYPES
from .blueprint import Blueprint
from .clips import clip_response
from .pictures import IMMUTABLE, client_has, picture_response

blp = Blueprint("pictures", __name__, url_prefix="/api/cameras", description=__doc__)

UNKNOWN = ("camera_not_found",)
# Whether the client has a picture already.
IsKnown = Callable[[StoredPicture], bool]
UNREADABLE = ("folder_outside_base", "folder_not_found", "folder_busy", "storage_not_answering")


@blp.get("/<uuid:camera_id>/pictures")
@blp.arguments(schemas.PictureQuerySchema, location="query")
@blp.response(
    200,
    schemas.PictureListSchema,
    example=schemas.EXAMPLE_LIST,
    problems=(*UNKNOWN, *UNREADABLE),
)
def list_pictures(query: Row, camera_id: UUID) -> Row:
    """List the pictures and clips of a camera by time

    `next_cursor` leads on, `previous_cursor` back, in the order of the list.
    """
    return picture_page(Camera.one(str(camera_id)), _filters(query), query)


def picture_page(camera: Row, filters: Filters, query: Row) -> Row:
    """A page of a camera's pictures and clips, as its folder is now."""
    listing = Listing(index().follow(camera, is_listing=True))
    around = microseconds(query.get("around"))
    page = listing.page(filters, query["limit"], query["cursor"], around)
    count = {"count": listing.count(filters)} if query["count"] else {}
    cursors = {"next_cursor": page.next_cursor, "previous_cursor": page.previous_cursor}
    return {"pictures": [picture_row(row, camera["id"]) for row in page.rows], **count, **cursors}


@blp.get("/<uuid:camera_id>/pictures/<string:picture_id>")
@blp.arguments(schemas.PictureBytesQuerySchema, location="query")
@blp.doc(responses={200: {"content": {media: {} for media in sorted(CLIP_TYPES.values())}}})
@blp.picture_response(*UNKNOWN, *UNREADABLE, "picture_not_found", "no_thumbnail")
def get_picture(query: Row, camera_id: UUID, picture_id: str) -> Response:
    """Get a picture or a clip by its id

    An id always stands for the same bytes: if its file is overwritten, that gets another id, and
    this one is 404.
    """
    camera, row = reading.find(index(), str(camera_id), picture_id)
    zone = clock.zone(current_app.extensions["settings"].box()["timezone"])
    name = saved_name(camera["name"], row.taken_us, row.name, zone)
    camera_index = index().of(camera)
    if row.is_clip and not query["thumbnail"]:
        return _clip_response(query, name, camera_index, row)
    return _picture_response(query, name, camera_index, row)


@blp.put("/<uuid:camera_id>/pictures/<string:picture_id>/keep")
@blp.response(
    200,
    schemas.PictureSchema,
    example=schemas.EXAMPLE_PICTURE | {"kept": True},
    problems=(*UNKNOWN, *UNREADABLE, "picture_not_found"),
)
def keep_picture(camera_id: UUID, picture_id: str) -> Row:
    """Keep a picture or a clip, so that retention passes it over"""
    row = keeping.set_kept(index(), str(camera_id), picture_id, True, caller())
    return picture_row(row, str(camera_id))


@blp.delete("/<uuid:camera_id>/pictures/<string:picture_id>/keep")
@blp.response(
    200,
    schemas.PictureSchema,
    example=schemas.EXAMPLE_PICTURE,
    problems=(*UNKNOWN, *UNREADABLE, "picture_not_found"),
)
def release_picture(camera_id: UUID, picture_id: str) -> Row:
    """Keep a picture or a clip no longer"""
    row = keeping.set_kept(index(), str(camera_id), picture_id, False, caller())
    return picture_row(row, str(camera_id))


@blp.delete("/<uuid:camera_id>/pictures/<string:picture_id>")
@blp.response(
    204,
    problems=(
        *(*UNKNOWN, *UNREADABLE, "picture_not_found"),
        *("picture_kept", "picture_not_deletable"),
    ),
)
def delete_picture(camera_id: UUID, picture_id: str) -> str:
    """Delete the file of a picture or a clip"""
    keeping.delete(index(), str(camera_id), picture_id, caller())
    return ""


def _picture_response(
    query: Row, name: str, camera_index: CameraIndex, row: IndexedPicture
) -> Response:
    now, most = clock.now(), MaxSize(query["width"], query["height"])
    read = _thumbnail if row.is_clip else reading.read_picture
    picture = read(camera_index, row, partial(client_has, most=most, now=now))
    stem = os.path.splitext(name)[0]
    return picture_response(picture, most, now, query["disposition"], IMMUTABLE, stem)


def _clip_response(
    query: Row, name: str, camera_index: CameraIndex, row: IndexedPicture
) -> Response:
    clip = reading.open_clip(camera_index, row)
    modified = min(row.taken_us // 10**6, int(clock.now().timestamp()))
    return clip_response(clip, clip.etag, modified, name, query["disposition"], IMMUTABLE)


def _thumbnail(camera_index: CameraIndex, row: IndexedPicture, is_known: IsKnown) -> StoredPicture:
    """A frame of a clip, or the picture nearest to it; raises `reading.NoThumbnail`."""
    with suppress(clip_frame.NoFrame), closing(reading.open_clip(camera_index, row)) as clip:
        picture = reading.facts_of_frame(row, clip)
        if is_known(picture) and clip_frame.is_installed():
            return picture
        suffix = os.path.splitext(row.name)[1]
        frame = current_app.extensions["clip_frames"].get(clip.etag, suffix, clip.file)
        clip.check()
        return picture._replace(data=frame)
    return reading.read_picture(camera_index, reading.nearest_picture(camera_index, row), is_known)


def index() -> PictureIndex:
    """The app's index of pictures."""
    known: PictureIndex = current_app.extensions["pictures"]
    return known


def _filters(query: Row) -> Filters:
    return Filters(
        microseconds(query.get("start_date")),
        microseconds(query.get("end_date")),
        query.get("kind"),
        query.get("kept"),
        query["order"] == schemas.ORDERS[0],
    )


def microseconds(moment: str | None) -> int | None:
    """The time of a parameter since the epoch; None where it is not given."""
    return None if moment is None else clock.microseconds(moment)
