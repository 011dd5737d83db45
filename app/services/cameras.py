"""What happens when a camera is listed, registered, changed, deleted or imported?

Each change is one transaction together with its audit entry.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from .. import clock
from ..db import writer
from ..models import Camera, Row, TableVersion, child_counts, delete_children
from ..storage.safe_open import normalise
from ..strict_json import dump_json
from . import audit
from .audit import Caller
from .pending_updates import pending_updates

# What tells imported cameras apart, and what of a known camera its uploads decide.
NOT_IMPORTED = ("folder_path", "status")

Progress = Callable[[int], None]


class CachedBody(NamedTuple):
    """The bytes of an answer, and a tag that no other bytes have."""

    body: bytes
    tag: str


class CameraChange(NamedTuple):
    """A registered ``camera``, and ``changes``: field → ``{"old": …, "new": …}``."""

    camera: Row
    changes: Row


class ImportPlan(NamedTuple):
    """The cameras that are ``new``, those that change, and how many stay as they are."""

    new: list[Row]
    changed: list[CameraChange]
    unchanged: int


class CameraListCache:
    """The list as it is sent, whole and by status, encoded once until a camera changes.

    Keeps at most one answer for each status and one for all. Safe for threads.
    """

    def __init__(self) -> None:
        # One tuple, so that no thread puts what it encodes beside the version of another.
        self._kept: tuple[tuple[int, int] | None, dict[str | None, CachedBody]] = (None, {})

    def get(self, status: str | None = None) -> CachedBody:
        """All cameras as they are now, or those of one status."""
        version, (kept_version, kept) = cache_version(), self._kept
        if version != kept_version:
            kept = {}
            self._kept = (version, kept)
        if status not in kept:
            kept[status] = _encode(status)
        return kept[status]


# Of this process, as the database is; no two databases share a version.
list_cache = CameraListCache()


def list_cameras(status: str | None = None) -> list[Row]:
    """All cameras, or those of one status, as they were last seen, oldest first."""
    if not len(pending_updates):
        return Camera.listing(status)
    shown = [pending_updates.apply_to(camera) for camera in Camera.listing()]
    return [camera for camera in shown if status in (None, camera["status"])]


def cache_version() -> tuple[int, int]:
    """A value that stays the same for as long as `list_cameras` does, for every status.

    To be asked for before the list: a change between the two is then only listed sooner.
    """
    return pending_updates.version, TableVersion.of_cameras()


def get_camera(camera_id: str) -> Row:
    """The camera as it was last seen; raises `models.NotFound`."""
    return pending_updates.apply_to(Camera.one(camera_id))


def count_children(camera_id: str) -> Row:
    """How many detections and events would be deleted with the camera."""
    return child_counts(camera_id)


def create_camera(fields: Row, by: Caller) -> Row:
    """Register a camera with these ``fields``; its row."""
    return writer.run(lambda: _create(fields, by))


def update_camera(camera_id: str, fields: Row, by: Caller) -> Row:
    """Set these ``fields``; the camera's row. Writes no audit entry where nothing differs.

    Raises `models.NotFound`.
    """
    return pending_updates.transact(lambda: _update(camera_id, fields, by))


def delete_camera(camera_id: str, by: Caller, progress: Progress = lambda _: None) -> Row:
    """Delete the camera, its detections and its events; how many of each went.

    Pictures are never touched. ``progress`` gets how many more went. Raises `models.NotFound`.
    """

    def delete() -> Row:
        camera = Camera.one(camera_id)
        went = delete_children(camera_id, progress)
        Camera.remove(camera_id)
        audit.record("camera_deleted", by, "camera", camera, Camera.chosen(camera) | went)
        return went

    return pending_updates.transact(delete, alone=True)


def import_cameras(
    entries: list[Row], base: str, by: Caller, progress: Progress = lambda _: None
) -> ImportPlan:
    """Register or change cameras until every entry is there, all or nothing; what was done.

    ``progress`` gets how many more are done.
    """

    def apply() -> ImportPlan:
        plan = plan_import(entries, base)
        for fields in plan.new:
            _create(fields, by)
            progress(1)
        for camera, changes in plan.changed:
            _update(camera["id"], {field: c["new"] for field, c in changes.items()}, by)
            progress(1)
        return plan

    return pending_updates.transact(apply, alone=True)


def plan_import(entries: list[Row], base: str) -> ImportPlan:
    """What an import of the ``entries`` would do; it removes no camera.

    Folders are compared as they lie below ``base``. Where several cameras share one, those of the
    same name belong together, then the remaining ones in their order. Of a known camera the status
    stays: its uploads tell. Applied twice, an import changes nothing.
    """
    known: dict[str, list[Row]] = defaultdict(list)
    for row in Camera.listing():
        known[normalise(base, row["folder_path"])].append(row)
    pairs = [(entry, _take(known, entry, base, by_name=True)) for entry in entries]
    new: list[Row] = []
    changed: list[CameraChange] = []
    for entry, namesake in pairs:
        camera = namesake or _take(known, entry, base, by_name=False)
        given = {field: value for field, value in entry.items() if field not in NOT_IMPORTED}
        if camera is None:
            new.append(entry)
        elif changes := audit.differences(camera, given):
            changed.append(CameraChange(camera, changes))
    return ImportPlan(new, changed, len(entries) - len(new) - len(changed))


def _take(known: dict[str, list[Row]], entry: Row, base: str, by_name: bool) -> Row | None:
    """The first camera with the entry's folder (and its name), which then meets no other entry."""
    sharing = known[normalise(base, entry["folder_path"])]
    for camera in sharing:
        if not by_name or camera["name"] == entry["name"]:
            sharing.remove(camera)
            return camera
    return None


def _create(fields: Row, by: Caller) -> Row:
    camera = Camera.add(clock.rfc3339(clock.now()), fields)
    audit.record("camera_created", by, "camera", camera, Camera.chosen(camera))
    return camera


def _update(camera_id: str, fields: Row, by: Caller) -> Row:
    camera = Camera.one(camera_id)
    changes = audit.differences(camera, fields)
    if changes:
        Camera.change(camera_id, {field: fields[field] for field in changes})
        audit.record("camera_updated", by, "camera", camera | fields, {"changes": changes})
    return camera | fields


def _encode(status: str | None) -> CachedBody:
    cameras = list_cameras(status)
    body = dump_json({"cameras": cameras, "count": len(cameras)})
    return CachedBody(body, hashlib.sha256(body).hexdigest()[:32])
