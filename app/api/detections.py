"""The detections: what detectors saw in the cameras' pictures."""

from functools import partial
from typing import Any

from flask import Response, url_for

from ..models import DETECTIONS, Camera, Detection, Row
from ..schemas import detections as schemas
from ..schemas.cameras import SnapshotQuerySchema
from ..services import events as event_service
from ..storage import snapshots
from .blueprint import Blueprint
from .pictures import snapshot_response
from .responses import ROW_ID, page

blp = Blueprint("detections", __name__, url_prefix="/api/detections", description=__doc__)

UNKNOWN = ("detection_not_found",)
ONE_OR_MANY = {
    "content": {
        "application/json": {
            "schema": {"oneOf": [schemas.DetectionCreateSchema, schemas.DetectionBatchSchema]},
            "examples": schemas.EXAMPLES_REQUEST,
        }
    }
}
ONE_OR_IDS = {"oneOf": [schemas.DetectionSchema, schemas.BatchResultSchema]}


@blp.post("")
@blp.arguments(schemas.PostedDetectionsSchema)
@blp.doc(requestBody=ONE_OR_MANY)
@blp.alt_response(200, schema=ONE_OR_IDS, examples=schemas.EXAMPLES_RESPONSE, success=True)
@blp.response(201, ONE_OR_IDS, examples=schemas.EXAMPLES_RESPONSE)
def create_detections(posted: Row) -> tuple[Row, int, dict[str, str]]:
    """Store one detection, or a batch of up to 1,000, all or nothing

    A detection whose external_id is stored already for its camera is not stored again. The
    response then has the stored id, and status 200 if no detection is new. The response to a batch
    lists the ids in the order of the batch.
    """
    stored = event_service.create_detections(
        posted["detections"], "" if posted["single"] else "detections.{}."
    )
    status = 200 if len(stored.ids) == 1 and not stored.new else 201
    if not posted["single"]:
        return {"ids": stored.ids}, status, {"Location": url_for("detections.list_detections")}
    location = url_for("detections.get_detection", detection_id=stored.ids[0])
    return Detection.one(stored.ids[0]), status, {"Location": location}


@blp.get("")
@blp.arguments(schemas.DetectionQuerySchema, location="query")
@blp.response(200, schemas.DetectionListSchema, example=schemas.EXAMPLE_LIST)
def list_detections(query: Row) -> Row:
    """List the detections that match every filter, newest first"""
    return page(DETECTIONS, "detections", query)


@blp.get(f"/<{ROW_ID}:detection_id>")
@blp.response(200, schemas.DetectionSchema, example=schemas.EXAMPLE_DETECTION, problems=UNKNOWN)
def get_detection(detection_id: int) -> Row:
    """Get a detection by its id"""
    return Detection.one(detection_id)


@blp.get(f"/<{ROW_ID}:detection_id>/image")
@blp.arguments(SnapshotQuerySchema, location="query")
@blp.picture_response(
    *(*UNKNOWN, "picture_outside_folder", "folder_outside_base", "folder_not_found"),
    *("picture_not_found", "snapshot_too_old", "folder_busy", "storage_not_answering"),
)
def get_detection_image(query: dict[str, Any], detection_id: int) -> Response:
    """Get the picture that the detection was made in"""
    detection = Detection.one(detection_id)
    camera = Camera.one(detection["camera_id"])
    take = partial(snapshots.open_by_path, file_path=detection["file_path"])
    return snapshot_response(query, camera, take)
