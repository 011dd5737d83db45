"""How are cameras listed, created, changed, deleted and imported?

Each change is one transaction together with its audit entry.
"""

import hashlib
from collections import defaultdict
from typing import NamedTuple

from .. import clock
from ..db import writer
from ..models import (
    Camera,
    CameraEvidence,
    CameraRetention,
    CameraSettings,
    Progress,
    Row,
    TableVersion,
    delete_children,
)
from ..serialization import dump_json
from ..storage.safe_open import normalise
from . import audit, occurrences
from .audit import Caller
from .camera_status import pending_updates
from .settings import change_settings

# An import identifies a camera by its folder, and does not change the status of a known one.
NOT_IMPORTED = ("folder_path", "status", "settings")
# Prefix of the names of settings in the changes of an import.
SETTING = "settings."


class CachedBody(NamedTuple):
    """The body of a response, and a tag that no other body has."""

    body: bytes
    tag: str


class CameraChange(NamedTuple):
    """A known ``camera``, and ``changes``: field → ``{"old": …, "new": …}``."""

    camera: Row
    changes: Row


class ImportPlan(NamedTuple):
    """The ``new`` cameras, those that change, and how many stay as they are."""

    new: list[Row]
    changed: list[CameraChange]
    unchanged: int


class CameraListCache:
    """The list as JSON, whole and by status, encoded once until a camera changes.

    Safe for threads.
    """

    def __init__(self) -> None:
        # One tuple, so that no thread stores its list under a version that another thread has
        # read.
        self._kept: tuple[tuple[int, int] | None, dict[str | None, CachedBody]] = (None, {})

    def get(self, status: str | None = None) -> CachedBody:
        """All cameras as they are now, or those of one status."""
        version, (kept_version, kept) = cache_version(), self._kept
        if version != kept_version:
            kept = {}
            self._kept = (version, kept)
        if status not in kept:
            cameras = list_cameras(status)
            body = dump_json({"cameras": cameras, "count": len(cameras)})
            kept[status] = CachedBody(body, hashlib.sha256(body).hexdigest()[:32])
        return kept[status]


# One for the process, like the database; no two databases have the same version.
list_cache = CameraListCache()


def list_cameras(status: str | None = None) -> list[Row]:
    """All cameras, or those of one status, with pending updates, oldest first."""
    if not len(pending_updates):
        return Camera.listing(status)
    shown = [pending_updates.apply_to(camera) for camera in Camera.listing()]
    return [camera for camera in shown if status in (None, camera["status"])]


def cache_version() -> tuple[int, int]:
    """A value that stays the same for as long as `list_cameras` does, for every status.

    Read it before the list: a change in between then only causes the list to be encoded again.
    """
    return pending_updates.version, TableVersion.of_cameras()


def get_camera(camera_id: str) -> Row:
    """The camera with its pending update; raises `models.NotFound`."""
    return pending_updates.apply_to(Camera.one(camera_id))


def create_camera(fields: Row, by: Caller) -> Row:
    """Create a camera with these ``fields`` and return its row."""
    camera = writer.run(lambda: _create(fields, by))
    # What it uploads from now on is not from before it.
    clock.wait_for_tick(clock.parse(camera["created_at"]))
    return camera


def update_camera(camera_id: str, fields: Row, by: Caller, settings: Row | None = None) -> Row:
    """Set the ``fields`` that differ and return the camera's row. Raises `models.NotFound`."""

    def change() -> Row:
        if settings:
            change_settings(camera_id, settings, by)
        return _update(camera_id, fields, by)

    camera = pending_updates.transact(change)
    if "folder_path" in fields:
        clock.wait_for_tick(clock.now())
    return camera


def delete_camera(camera_id: str, by: Caller, progress: Progress = lambda _: None) -> Row:
    """Delete the camera, its detections and events, and return how many of each. Pictures stay.

    ``progress`` is called with the number of rows deleted since its last call. Raises
    `models.NotFound`.
    """

    def delete() -> Row:
        camera = Camera.one(camera_id)
        deleted = delete_children(camera_id, progress)
        Camera.remove(camera_id)
        audit.record("camera_deleted", by, "camera", camera, Camera.chosen(camera) | deleted)
        occurrences.report_camera("camera_deleted", camera)
        return deleted

    return pending_updates.transact(delete, alone=True)


def import_cameras(
    entries: list[Row], base: str, by: Caller, progress: Progress = lambda _: None
) -> ImportPlan:
    """Create or change a camera for every entry, all or nothing, and return what was done.

    ``progress`` is called with 1 after each camera.
    """

    def apply() -> ImportPlan:
        plan = plan_import(entries, base)
        for fields in plan.new:
            _create(fields, by)
            progress(1)
        for camera, changes in plan.changed:
            _apply(camera["id"], changes, by)
            progress(1)
        return plan

    return pending_updates.transact(apply, alone=True)


def plan_import(entries: list[Row], base: str) -> ImportPlan:
    """What an import of the ``entries`` would do; it deletes no camera.

    An entry belongs to the camera of its folder, joined with ``base``. Where several cameras share
    the folder it is the one of the same name, else the first that no entry has yet.
    """
    known: dict[str, list[Row]] = defaultdict(list)
    for row in Camera.listing():
        known[normalise(base, row["folder_path"])].append(row)
    settings = CameraSettings.by_camera()
    pairs = [(entry, _take(known, entry, base, by_name=True)) for entry in entries]
    new: list[Row] = []
    changed: list[CameraChange] = []
    for entry, namesake in pairs:
        camera = namesake or _take(known, entry, base, by_name=False)
        if camera is None:
            new.append(entry)
        elif changes := _differences(camera, settings.get(camera["id"], {}), entry):
            changed.append(CameraChange(camera, changes))
    return ImportPlan(new, changed, len(entries) - len(new) - len(changed))


def _take(known: dict[str, list[Row]], entry: Row, base: str, by_name: bool) -> Row | None:
    """Remove the first camera with the entry's folder (and name) from ``known`` and return it."""
    sharing = known[normalise(base, entry["folder_path"])]
    for camera in sharing:
        if not by_name or camera["name"] == entry["name"]:
            sharing.remove(camera)
            return camera
    return None


def _differences(camera: Row, settings: Row, entry: Row) -> Row:
    """What an entry of an import changes; names of settings are prefixed with `SETTING`."""
    given = {field: value for field, value in entry.items() if field not in NOT_IMPORTED}
    chosen = audit.differences(CameraSettings.defaults | settings, entry.get("settings", {}))
    changes = audit.differences(camera, given)
    return changes | {SETTING + name: change for name, change in chosen.items()}


def _apply(camera_id: str, changes: Row, by: Caller) -> None:
    """Make the changes that `_differences` found."""
    new = {field: change["new"] for field, change in changes.items()}
    names = [name for name in CameraSettings.defaults if SETTING + name in new]
    change_settings(camera_id, {name: new.pop(SETTING + name) for name in names}, by)
    _update(camera_id, new, by)


def _create(fields: Row, by: Caller) -> Row:
    settings = fields.get("settings", {})
    fields = {name: value for name, value in fields.items() if name != "settings"}
    camera = Camera.add(clock.rfc3339(clock.now()), fields)
    CameraRetention.write(camera["id"], {"folder_since": camera["created_at"]})
    audit.record("camera_created", by, "camera", camera, Camera.chosen(camera))
    change_settings(camera["id"], settings, by)
    occurrences.report_camera("camera_created", camera)
    return camera


def _update(camera_id: str, fields: Row, by: Caller) -> Row:
    camera = Camera.one(camera_id)
    changes = audit.differences(camera, fields)
    if "status" in fields and CameraEvidence.of(camera_id)["status_before"]:
        CameraEvidence.write(camera_id, {"status_before": None})  # this status is to stay
    if changes:
        Camera.change(camera_id, {field: fields[field] for field in changes})
        if "folder_path" in changes:
            CameraRetention.write(camera_id, {"folder_since": clock.rfc3339(clock.now())})
        audit.record("camera_updated", by, "camera", camera | fields, {"changes": changes})
        occurrences.report_camera("camera_updated", camera | fields)
    if "status" in changes:
        occurrences.report_status(camera | fields, camera["status"], fields["status"])
    return camera | fields
