"""The cameras, and what each one sees right now."""

from typing import Any
from uuid import UUID

from flask import Response, current_app, request, url_for

from .. import clock
from ..access.authorize import caller, request_token
from ..diagnostics.camera import diagnose
from ..diagnostics.unassigned_folders import find_unassigned
from ..models import Camera, CameraSettings, Row
from ..schemas import cameras as schemas
from ..schemas import diagnostics
from ..services import cameras as camera_service
from ..services import homeassistant
from ..storage import snapshots
from .blueprint import Blueprint
from .openapi import TAGGED
from .pictures import snapshot_response
from .responses import tagged_response

blp = Blueprint("cameras", __name__, url_prefix="/api/cameras", description=__doc__)
folders_blp = Blueprint(
    "folders",
    __name__,
    url_prefix="/api/folders",
    description="The folders below the base path: which ones can a camera be registered for?",
)
homeassistant_blp = Blueprint(
    "homeassistant",
    __name__,
    url_prefix="/api/homeassistant",
    description="What Home Assistant needs to show the cameras.",
)

UNKNOWN = ("camera_not_found",)


@blp.get("")
@blp.arguments(schemas.CameraQuerySchema, location="query")
@blp.doc(responses=TAGGED)
@blp.response(200, schemas.CameraListResponseSchema, example=schemas.EXAMPLE_LIST)
def list_cameras(query: Row) -> Response:
    """List all cameras, oldest first, or those of one status"""
    return tagged_response(camera_service.list_cache.get(**query))


@blp.post("")
@blp.arguments(schemas.CameraCreateSchema, example=schemas.EXAMPLE_CREATE)
@blp.response(201, schemas.CameraSchema, example=schemas.EXAMPLE_CREATED)
def create_camera(fields: Row) -> tuple[Row, dict[str, str]]:
    """Create a camera"""
    camera = camera_service.create_camera(fields, caller())
    return camera, {"Location": url_for("cameras.get_camera", camera_id=camera["id"])}


@blp.get("/<uuid:camera_id>")
@blp.response(200, schemas.CameraSchema, example=schemas.EXAMPLE_CAMERA, problems=UNKNOWN)
def get_camera(camera_id: UUID) -> Row:
    """Get a camera by its id"""
    return camera_service.get_camera(str(camera_id))


@blp.patch("/<uuid:camera_id>")
@blp.arguments(schemas.CameraUpdateSchema, example=schemas.EXAMPLE_UPDATE)
@blp.response(200, schemas.CameraSchema, example=schemas.EXAMPLE_UPDATED, problems=UNKNOWN)
def update_camera(fields: Row, camera_id: UUID) -> Row:
    """Change a camera: only the given fields"""
    return camera_service.update_camera(str(camera_id), fields, caller())


@blp.delete("/<uuid:camera_id>")
@blp.response(204, problems=UNKNOWN)
def delete_camera(camera_id: UUID) -> str:
    """Delete a camera with all its detections and events

    Pictures stay. The audit log keeps the camera's name and how many rows were deleted with it.
    """
    camera_service.delete_camera(str(camera_id), caller())
    return ""


@homeassistant_blp.get("")
@homeassistant_blp.text_response(
    "The configuration", "application/yaml", example=homeassistant.EXAMPLE_BOX
)
def get_box() -> Response:
    """Get the configuration that shows all cameras in Home Assistant, as YAML

    Its URLs have the scheme and host of the request. It contains the token of the request.
    """
    text = homeassistant.box_configuration(Camera.listing(), _homeassistant_source())
    return Response(text, mimetype="application/yaml")


@blp.get("/<uuid:camera_id>/homeassistant")
@blp.text_response(
    "The configuration", "application/yaml", problems=UNKNOWN, example=homeassistant.EXAMPLE_CAMERA
)
def get_homeassistant(camera_id: UUID) -> Response:
    """Get the configuration that shows the camera in Home Assistant, as YAML

    Its URLs have the scheme and host of the request. It contains the token of the request.
    """
    camera, source = Camera.one(str(camera_id)), _homeassistant_source()
    text = homeassistant.camera_configuration(camera, Camera.listing(), source)
    return Response(text, mimetype="application/yaml")


def _homeassistant_source() -> homeassistant.Source:
    root = url_for("cameras.list_cameras", _external=True)
    return homeassistant.Source(request.base_url, root, request_token())


@blp.get("/<uuid:camera_id>/snapshot")
@blp.arguments(schemas.SnapshotQuerySchema, location="query")
@blp.picture_response(
    *(*UNKNOWN, "folder_outside_base", "folder_not_found", "no_snapshot", "snapshot_too_old"),
    *("folder_busy", "picture_incomplete", "storage_not_answering"),
)
def get_camera_snapshot(query: dict[str, Any], camera_id: UUID) -> Response:
    """Get the newest whole picture in the camera's folder"""
    camera = Camera.one(str(camera_id))
    pattern = CameraSettings.of(camera["id"])["file_pattern"]
    return snapshot_response(query, camera, snapshots.latest, pattern)


@blp.get("/<uuid:camera_id>/diagnostics")
@blp.response(
    200,
    diagnostics.DiagnosticsSchema,
    example=diagnostics.EXAMPLE_DIAGNOSTICS,
    problems=(*UNKNOWN, "folder_busy"),
)
def get_camera_diagnostics(camera_id: UUID) -> Row:
    """Diagnose why a camera shows no new picture, and say what to do"""
    camera, context = (
        camera_service.get_camera(str(camera_id)),
        current_app.extensions["diagnostics"],
    )
    return diagnose(camera, Camera.listing(), context, clock.now())


@folders_blp.get("")
@folders_blp.response(
    200,
    diagnostics.FolderListSchema,
    example=diagnostics.EXAMPLE_FOLDERS,
    problems=("base_path_missing", "folder_busy", "storage_not_answering"),
)
def list_folders() -> Row:
    """List the folders that no camera uses, by name

    A folder directly below the base path is used when it is a camera's folder or holds one.
    """
    context = current_app.extensions["diagnostics"]
    with context.folders.slot(context.base, "."):
        found = find_unassigned(Camera.listing(), context, clock.now())
    return {"folders": found, "count": len(found)}
