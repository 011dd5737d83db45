"""Which rows belong to a camera, and how are they deleted with it?"""

from typing import Any

from peewee import SQL, fn

from ..db.base import BaseModel, Parameter, Row, compiled
from .cameras import Progress
from .events import Detection, Event

ROWS_AT_ONCE = 100_000
# The tables whose rows are deleted with a camera. Detections come first: otherwise the deletion of
# an event would look up and update each detection that it claims.
CHILDREN: dict[str, type[BaseModel]] = {"detections": Detection, "events": Event}


def child_counts(camera_id: str) -> Row:
    return {
        name: int(_count_children(model).scalar(camera_id=camera_id))
        for name, model in CHILDREN.items()
    }


def delete_children(camera_id: str, progress: Progress) -> Row:
    """Delete the camera's detections and events, `ROWS_AT_ONCE` at a time; return the numbers."""
    return {name: _delete_all(model, camera_id, progress) for name, model in CHILDREN.items()}


def _delete_all(model: type[BaseModel], camera_id: str, progress: Progress) -> int:
    total = 0
    while deleted := _delete_children(model).change(camera_id=camera_id, limit=ROWS_AT_ONCE):
        total += deleted
        progress(deleted)
    return total


@compiled
def _count_children(model: type[Any]) -> Any:
    return model.select(fn.COUNT(SQL("*"))).where(model.camera == Parameter("camera_id"))


@compiled
def _delete_children(model: type[Any]) -> Any:
    some = model.select(model.id).where(model.camera == Parameter("camera_id"))
    return model.delete().where(model.id.in_(some.limit(Parameter("limit"))))
