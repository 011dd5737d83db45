"""The events: groups of detections, which a person can review."""

from flask import Response, url_for

from .. import clock
from ..access.authorize import caller
from ..models import DETECTIONS, EVENTS, Camera, Event, Row
from ..pictures.moments import around_event
from ..schemas import detections, pictures
from ..schemas import events as schemas
from ..schemas.common import PeriodQuerySchema
from ..services import events as event_service
from ..services import stats
from .blueprint import Blueprint
from .camera_pictures import UNREADABLE, picture_page
from .responses import ROW_ID, csv_response, page

FIELDS = tuple(schemas.EventSchema().fields)
# Of the export: the camera's name stands beside its id.
COLUMNS = (*FIELDS, "camera_name")

blp = Blueprint("events", __name__, url_prefix="/api/events", description=__doc__)

UNKNOWN = ("event_not_found",)


@blp.post("")
@blp.arguments(schemas.EventCreateSchema, example=schemas.EXAMPLE_CREATE)
@blp.response(201, schemas.EventSchema, example=schemas.EXAMPLE_EVENT)
def create_event(fields: Row) -> tuple[Row, dict[str, str]]:
    """Create an event that claims detections of the same camera"""
    event = event_service.create_event(fields)
    return event, {"Location": url_for("events.get_event", event_id=event["id"])}


@blp.get("")
@blp.arguments(schemas.EventQuerySchema, location="query")
@blp.response(200, schemas.EventListSchema, example=schemas.EXAMPLE_LIST)
def list_events(query: Row) -> Row:
    """List the events that match every filter, newest first"""
    return page(EVENTS, "events", query)


@blp.get(f"/<{ROW_ID}:event_id>")
@blp.response(200, schemas.EventSchema, example=schemas.EXAMPLE_EVENT, problems=UNKNOWN)
def get_event(event_id: int) -> Row:
    """Get an event by its id"""
    return Event.one(event_id)


@blp.patch(f"/<{ROW_ID}:event_id>")
@blp.arguments(schemas.EventUpdateSchema, example=schemas.EXAMPLE_UPDATE)
@blp.response(200, schemas.EventSchema, example=schemas.EXAMPLE_UPDATED, problems=UNKNOWN)
def update_event(fields: Row, event_id: int) -> Row:
    """Review an event: change only the given fields"""
    return event_service.update_event(event_id, fields, caller())


@blp.get(f"/<{ROW_ID}:event_id>/detections")
@blp.arguments(detections.EventDetectionsQuerySchema, location="query")
@blp.response(
    200, detections.DetectionListSchema, example=detections.EXAMPLE_EVENT_LIST, problems=UNKNOWN
)
def list_event_detections(query: Row, event_id: int) -> Row:
    """List the detections that the event claims, newest first"""
    event = Event.one(event_id)
    return page(DETECTIONS, "detections", {**query, "event_id": event["id"]})


@blp.get(f"/<{ROW_ID}:event_id>/pictures")
@blp.arguments(pictures.EventPicturesQuerySchema, location="query")
@blp.response(
    200,
    pictures.PictureListSchema,
    example=pictures.EXAMPLE_LIST,
    problems=(*UNKNOWN, *UNREADABLE),
)
def list_event_pictures(query: Row, event_id: int) -> Row:
    """List the pictures and clips of the event's camera around the event, oldest first

    From 30 seconds before its start to 30 seconds after its end, clips to 120 seconds after it; to
    the present moment while it goes on.
    """
    event = Event.one(event_id)
    camera = Camera.one(event["camera_id"])
    return picture_page(camera, around_event(event), query)


@blp.get("/stats")
@blp.arguments(PeriodQuerySchema, location="query")
@blp.response(200, schemas.EventStatsSchema, example=schemas.EXAMPLE_STATS)
def get_event_stats(query: Row) -> Row:
    """Count the events of a period, by risk level and by camera"""
    return stats.events(query)


@blp.get("/export")
@blp.arguments(schemas.EventFilterSchema, location="query")
@blp.text_response("The rows", "text/csv")
def export_events(query: Row) -> Response:
    """Export the events that match every filter as CSV, newest first, with their camera's name"""
    events = event_service.export_events(query)
    return csv_response(events, COLUMNS, f"events-{clock.now():%Y-%m-%d}.csv")
