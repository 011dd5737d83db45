"""The pictures and clips of each camera, by time."""

from uuid import UUID

from flask import current_app

from .. import clock
from ..models import Camera, Row
from ..pictures.index import PictureIndex
from ..pictures.listing import Filters, Listing, shown
from ..schemas import pictures as schemas
from .blueprint import Blueprint

blp = Blueprint("pictures", __name__, url_prefix="/api/cameras", description=__doc__)

UNKNOWN = ("camera_not_found",)
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
    listing = Listing(index().follow(camera))
    around = _microseconds(query.get("around"))
    page = listing.page(filters, query["limit"], query["cursor"], around)
    count = {"count": listing.count(filters)} if query["count"] else {}
    cursors = {"next_cursor": page.next_cursor, "previous_cursor": page.previous_cursor}
    return {"pictures": [shown(row, camera["id"]) for row in page.rows], **count, **cursors}


def index() -> PictureIndex:
    """The app's index of pictures."""
    known: PictureIndex = current_app.extensions["pictures"]
    return known


def _filters(query: Row) -> Filters:
    return Filters(
        _microseconds(query.get("start_date")),
        _microseconds(query.get("end_date")),
        query.get("kind"),
        query.get("kept"),
        query["order"] == schemas.ORDERS[0],
    )


def _microseconds(moment: str | None) -> int | None:
    return None if moment is None else clock.microseconds(moment)
