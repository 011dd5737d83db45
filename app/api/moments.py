"""What happened when: moments of uploads, timelines, and the pictures around an event."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from flask import current_app

from .. import clock
from ..clock import SECOND_US
from ..models import Camera, Row
from ..models.keyset import cursor_signer, read_cursor
from ..pictures.index import NOT_FOLLOWED
from ..pictures.listing import Listing
from ..pictures.moment_pages import Period, Source, page
from ..pictures.timeline import timeline
from ..schemas import moments as schemas
from .blueprint import Blueprint
from .camera_pictures import index, microseconds
from .pictures import base_path

blp = Blueprint("moments", __name__, url_prefix="/api", description=__doc__)

UNKNOWN = ("camera_not_found",)


@blp.get("/moments")
@blp.arguments(schemas.AllMomentsQuerySchema, location="query")
@blp.response(200, schemas.MomentListSchema, example=schemas.EXAMPLE_MOMENTS, problems=UNKNOWN)
def list_moments(query: Row) -> Row:
    """List the moments of all cameras, or of one, newest first

    Uploads that follow each other within `moment_gap_seconds` of the camera are one moment.
    """
    camera_id = query.pop("camera_id", None)
    return _moments(Camera.listing() if camera_id is None else [Camera.one(camera_id)], query)


@blp.get("/cameras/<uuid:camera_id>/moments")
@blp.arguments(schemas.MomentQuerySchema, location="query")
@blp.response(200, schemas.MomentListSchema, example=schemas.EXAMPLE_MOMENTS, problems=UNKNOWN)
def list_camera_moments(query: Row, camera_id: UUID) -> Row:
    """List the moments of a camera, newest first

    Uploads that follow each other within its `moment_gap_seconds` are one moment.
    """
    return _moments([Camera.one(str(camera_id))], query)


@blp.get("/cameras/<uuid:camera_id>/timeline")
@blp.arguments(schemas.TimelineQuerySchema, location="query")
@blp.response(200, schemas.TimelineSchema, example=schemas.EXAMPLE_TIMELINE, problems=UNKNOWN)
def get_camera_timeline(query: Row, camera_id: UUID) -> Row:
    """Count pictures, clips, detections and events in each part of a period"""
    camera = Camera.one(str(camera_id))
    name = query.get("timezone", _settings().box()["timezone"])
    period = query["start_date"], query["end_date"]
    buckets = timeline(_listing(camera), camera["id"], period, query["bucket"], clock.zone(name))
    return {"buckets": buckets}


def _moments(cameras: list[Row], query: Row) -> Row:
    """A page of the moments of these cameras; raises `BadCursor`."""
    settings = _settings().effective([camera["id"] for camera in cameras])
    sources = [
        Source(
            camera,
            _listing(camera),
            settings[camera["id"]].moment_gap_seconds * SECOND_US,
            base_path(),
        )
        for camera in cameras
    ]
    start, end = query.get("start_date"), query.get("end_date")
    whose = cameras[0]["id"] if len(cameras) == 1 else "all"
    signer = cursor_signer(f"moments {whose} {start} {end}")
    after = None if query["cursor"] is None else read_cursor(signer, query["cursor"])
    period = Period(microseconds(start), microseconds(end), after)
    zone = clock.zone(_settings().box()["timezone"])
    rows, following = page(sources, period, query["limit"], zone)
    return {"moments": rows, "next_cursor": following and signer.dumps(following)}


def _listing(camera: Row) -> Listing:
    """The camera's pictures, with the latest changes if its folder can be read."""
    with suppress(*NOT_FOLLOWED):
        return Listing(index().follow(camera))
    return Listing(index().of(camera))


def _settings() -> Any:
    return current_app.extensions["settings"]
