"""The settings of the box and of each camera, which can be changed while the service runs."""

from uuid import UUID

from flask import current_app

from ..access.authorize import caller
from ..models import Row
from ..schemas import settings as schemas
from ..services.settings import Settings
from .blueprint import Blueprint

blp = Blueprint("settings", __name__, url_prefix="/api", description=__doc__)

UNKNOWN = ("camera_not_found",)


def settings() -> Settings:
    """The settings of the app."""
    found: Settings = current_app.extensions["settings"]
    return found


@blp.get("/settings")
@blp.response(200, schemas.BoxSettingsSchema, example=schemas.EXAMPLE_BOX_SETTINGS)
def get_settings() -> Row:
    """Get the current settings of the box"""
    return settings().shown_box()


@blp.patch("/settings")
@blp.arguments(schemas.BoxSettingsUpdateSchema, example=schemas.EXAMPLE_BOX_UPDATE)
@blp.response(
    200,
    schemas.BoxSettingsSchema,
    example=schemas.EXAMPLE_BOX_SETTINGS | schemas.EXAMPLE_BOX_UPDATE,
    problems=("fixed_by_environment",),
)
def update_settings(fields: Row) -> Row:
    """Change settings of the box at once; null returns to the default"""
    return settings().update_box(fields, caller())


@blp.get("/cameras/<uuid:camera_id>/settings")
@blp.response(
    200,
    schemas.CameraSettingsSchema,
    example=schemas.EXAMPLE_CAMERA_SETTINGS,
    problems=UNKNOWN,
)
def get_camera_settings(camera_id: UUID) -> Row:
    """Get a camera's settings, and the effective values"""
    return settings().camera(str(camera_id))


@blp.patch("/cameras/<uuid:camera_id>/settings")
@blp.arguments(schemas.CameraSettingsUpdateSchema, example=schemas.EXAMPLE_CAMERA_UPDATE)
@blp.response(
    200,
    schemas.CameraSettingsSchema,
    example=schemas.EXAMPLE_CAMERA_SETTINGS,
    problems=UNKNOWN,
)
def update_camera_settings(fields: Row, camera_id: UUID) -> Row:
    """Change a camera's settings: only the given ones"""
    return settings().update_camera(str(camera_id), fields, caller())
