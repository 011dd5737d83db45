"""The folders below the base path: which ones can a camera be registered for?"""

from flask import current_app

from .. import clock
from ..diagnostics.unassigned_folders import find_unassigned
from ..models import Camera, Row
from ..schemas import folders as schemas
from .blueprint import Blueprint

blp = Blueprint("folders", __name__, url_prefix="/api/folders", description=__doc__)


@blp.get("")
@blp.answers(
    200,
    schemas.FolderListSchema,
    example=schemas.EXAMPLE_FOLDERS,
    problems=("base_path_missing",),
)
def list_folders() -> Row:
    """List the folders that no camera uses, by name

    A folder directly below the base path is used when it is a camera's folder or holds one.
    """
    context = current_app.extensions["diagnostics"]
    found = find_unassigned(Camera.listing(), context, clock.now())
    return {"folders": found, "count": len(found)}
