"""How does a camera come, change and go? Each is one transaction together with its audit entry."""

from collections.abc import Callable

from .. import clock
from ..db import writer
from ..models import Camera, Revision, Row
from . import audit, camera_import
from .audit import Caller
from .camera_import import Plan
from .pending_updates import sightings


def listing(status: str | None = None) -> list[Row]:
    """All cameras, or those of one status, as they were last seen, oldest first."""
    if not len(sightings):
        return Camera.listing(status)
    shown = [sightings.shown(camera) for camera in Camera.listing()]
    return [camera for camera in shown if status in (None, camera["status"])]


def state() -> tuple[int, int]:
    """What stays the same for as long as `listing` does, whatever it is asked for.

    To be asked for first: what changes between the two is then only listed sooner.
    """
    return sightings.version, Revision.of_cameras()


def one(camera_id: str) -> Row:
    """The camera as it was last seen; raises `models.NotFound`."""
    return sightings.shown(Camera.one(camera_id))


def register(fields: Row, by: Caller) -> Row:
    """A new camera from ``name``, ``folder_path`` and ``status``; its row."""
    return writer.run(lambda: _register(fields, by))


def change(camera_id: str, fields: Row, by: Caller) -> Row:
    """The camera's row after ``fields`` were set; no entry where nothing differs.

    Raises `models.NotFound`.
    """
    return sightings.transact(lambda: _change(camera_id, fields, by))


def remove(camera_id: str, by: Caller, progress: Callable[[int], None] = lambda _: None) -> Row:
    """Delete the camera, its detections and its events, and say how many of each went.

    Pictures are never touched. ``progress`` is told how many more went. Raises `models.NotFound`.
    """

    def delete() -> Row:
        camera = Camera.one(camera_id)
        went = Camera.remove(camera_id, progress)
        audit.record("camera_deleted", by, "camera", camera, _facts(camera) | went)
        return went

    return sightings.transact(delete, alone=True)


def bring(
    entries: list[Row], base: str, by: Caller, progress: Callable[[int], None] = lambda _: None
) -> Plan:
    """Make the registry hold every entry, all together or none; what was done.

    ``progress`` is told how many more are done.
    """

    def apply() -> Plan:
        plan = camera_import.plan(entries, Camera.listing(), base)
        for fields in plan.new:
            _register(fields, by)
            progress(1)
        for camera, changes in plan.changed:
            _change(camera["id"], {field: c["new"] for field, c in changes.items()}, by)
            progress(1)
        return plan

    return sightings.transact(apply, alone=True)


def _register(fields: Row, by: Caller) -> Row:
    camera = Camera.add(clock.rfc3339(clock.now()), fields)
    audit.record("camera_created", by, "camera", camera, _facts(camera))
    return camera


def _change(camera_id: str, fields: Row, by: Caller) -> Row:
    camera = Camera.one(camera_id)
    changes = audit.differences(camera, fields)
    if changes:
        Camera.change(camera_id, {field: fields[field] for field in changes})
        audit.record("camera_updated", by, "camera", camera | fields, {"changes": changes})
    return camera | fields


def _facts(camera: Row) -> Row:
    return {field: camera[field] for field in ("name", "folder_path", "status")}
