"""Which files of the box may be deleted? Oldest first, a file of several cameras once."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from flask import Flask

from .. import clock
from ..clock import pause
from ..models import Camera, CameraRetention, CameraSettings, RetentionFact, Row
from ..models.pictures import IndexedPicture
from ..services.settings import EffectiveSettings
from ..storage.folder_entry import folder_key
from .index import UNREADABLE, PictureIndex
from .listing import Filters
from .prune_rules import NEVER_US, PictureLimits, PrunedCamera

# How many rows of each camera are in memory, and the pause after them in seconds.
ROWS_AT_ONCE, PAUSE_SECONDS = 50, 0.002
BASE_PATH = "base_path"
# Earlier than every time that is stored, and later than every one.
FIRST, LAST = "", "9999-12-31T23:59:59.999999Z"


class PrunedFile(NamedTuple):
    """A file with the row of each camera that has it, in the order of the cameras.

    ``device``: the device of its folder; ``free``: the free bytes there; ``occupied``: the bytes
    that it takes there; ``may_delete``: whether the service has the right to delete it.
    """

    rows: tuple[tuple[PrunedCamera, IndexedPicture], ...]
    device: int
    free: int
    occupied: int
    may_delete: bool

    @property
    def owner(self) -> PrunedCamera:
        """The camera through whose folder the file is reached."""
        return self.rows[0][0]

    @property
    def row(self) -> IndexedPicture:
        """The row of the `owner`."""
        return self.rows[0][1]


class PrunedBox:
    """The cameras, their limits and those of the box at one moment.

    ``read_version``: the function of `db.watched_version`; ``changed_before``: limits that were
    changed later than this are ignored.
    """

    def __init__(
        self, app: Flask, read_version: Callable[[], int], changed_before: str = LAST
    ) -> None:
        self._app, self._read_version, self._changed_before = app, read_version, changed_before
        self.now, self._version = clock.now(), -1
        self.cameras: dict[str, PrunedCamera] = {}
        self.limits: Row = {}
        self._related: dict[str, list[tuple[PrunedCamera, str, str]]] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read everything anew if the database has changed; return whether it has."""
        version = self._read_version()
        if version == self._version:
            return False
        self._read()
        self._relate()
        self._version = version
        return True

    @property
    def all_limits(self) -> tuple[Row, dict[str, PictureLimits]]:
        """The limits of the box and those of each camera."""
        return self.limits, {camera.id: camera.limits for camera in self.cameras.values()}

    def stream(self, camera: PrunedCamera, until_us: int = NEVER_US) -> Iterator[PrunedFile]:
        """The files of a camera, from before a time, that no camera needs; oldest first.

        A file that several cameras have is only in the stream of the first of them.
        """
        filters = Filters(end_us=until_us, newest_first=False)
        for rows in camera.listing.parts(filters, ROWS_AT_ONCE):
            try:
                yield from camera.index.ask_in_background(partial(self._deletable, camera, rows))
            except UNREADABLE:
                return
            pause(PAUSE_SECONDS)

    def file(self, camera: PrunedCamera, row: IndexedPicture) -> PrunedFile | None:
        """A camera's file; None if another camera comes first, or does not know it yet."""
        rows = [(camera, row)]
        for other, added, removed in self._related.get(camera.id, ()):
            path = added + row.path
            if not path.startswith(removed) or not other.has_name(path[len(removed) :]):
                continue
            found = other.at(path[len(removed) :])
            if found is None:
                return None
            rows.append((other, found))
        order = list(self.cameras)
        if len(rows) > 1:
            rows.sort(key=lambda each: order.index(each[0].id))
        folder = camera.folder_facts(row.folder)
        if folder is None or rows[0][0] is not camera:
            return None
        place = folder.device, folder.free, -(-row.size // folder.block) * folder.block
        return PrunedFile(tuple(rows), *place, camera.may_delete(row))

    def is_needed(self, file: PrunedFile, status: os.stat_result | None = None) -> bool:
        """Whether one of the file's cameras needs it; call it inside `opened`."""
        if status is None and len(file.rows) > 1:
            status = file.owner.status(file.row)
        return any(camera.needs(row, status, events=True) for camera, row in file.rows)

    def bytes_of_all(self) -> int:
        """The bytes of all cameras together, each file counted once."""
        return sum(map(self._own_bytes, self.cameras.values()))

    def is_camera_folder(self, camera: PrunedCamera, components: list[str]) -> bool:
        """Whether a folder below the camera's is a camera's too, or is gone. Inside `opened`."""
        self.refresh()
        folder = camera.index.lookups.reach("/".join(components))
        if folder is None:
            return True
        try:
            return folder_key(folder)[:2] in {each.place.key for each in self.cameras.values()}
        finally:
            os.close(folder)

    def find_newest_again(self, opened: PrunedCamera) -> None:
        """Read again which files of the camera, and of those that share files, are the newest.

        ``opened``: the camera whose folder is open; it may have another one now.
        """
        camera = self.cameras.get(opened.id)
        if camera and camera.index is opened.index:
            camera.check_newest()
        for other, _, _ in self._related.get(opened.id, ()):
            other.forget_newest()

    def groups(self) -> list[list[PrunedCamera]]:
        """The cameras; those that may have the same files are in one group."""
        groups: dict[str, list[PrunedCamera]] = {}
        for camera in self.cameras.values():
            group = [camera]
            for other, _, _ in self._related.get(camera.id, ()):
                known = groups.get(other.id, [])
                group += [each for each in known if each not in group]
            groups |= dict.fromkeys([each.id for each in group], group)
        return list({id(group): group for group in groups.values()}.values())

    def _deletable(self, camera: PrunedCamera, rows: list[IndexedPicture]) -> list[PrunedFile]:
        """The files of these rows that no camera needs."""
        with camera.index.opened():
            events = camera.has_event(rows[0].taken_us, rows[-1].taken_us, is_clip=True)
            free = [row for row in rows if not camera.needs(row, None, events)]
            files = [file for row in free if (file := self.file(camera, row))]
            return [file for file in files if len(file.rows) == 1 or not self.is_needed(file)]

    def _own_bytes(self, camera: PrunedCamera) -> int:
        """The bytes of those files of a camera that no earlier camera has."""
        totals = camera.listing.totals()
        total = totals["picture_bytes"] + totals["clip_bytes"]
        order = list(self.cameras)
        earlier = [
            each
            for each in self._related.get(camera.id, ())
            if order.index(each[0].id) < order.index(camera.id)
        ]
        if not earlier:
            return int(total)
        for rows in camera.listing.parts(Filters(), ROWS_AT_ONCE):
            for row in rows:
                paths = ((other, added + row.path, removed) for other, added, removed in earlier)
                if any(
                    path.startswith(removed) and other.has_name(path[len(removed) :])
                    for other, path, removed in paths
                ):
                    total -= row.size
            pause(PAUSE_SECONDS)
        return int(total)

    def _read(self) -> None:
        settings, retention = self._app.extensions["settings"], CameraRetention.by_camera()
        listed, chosen = Camera.listing(), CameraSettings.by_camera()
        effective, box = settings.effective(camera["id"] for camera in listed), settings.box()
        facts = {row["name"]: row for row in RetentionFact.find_all()}
        is_recent = self._is_recent(facts.get("limits", {}).get("changed_at"))
        self.limits = dict.fromkeys(box, 0) if is_recent else box
        base_since = self._base_since(facts.get(BASE_PATH))
        self.cameras = {}
        for camera in listed:
            dates = CameraRetention.defaults | retention.get(camera["id"], {})
            own = CameraSettings.defaults | chosen.get(camera["id"], {})
            limits = self._limits(effective[camera["id"]], is_recent and own["keep_days"] is None)
            may_go, since = own["prune_existing"], max(dates["folder_since"] or LAST, base_since)
            if self._is_recent(dates["limits_changed_at"]):
                limits, may_go = PictureLimits(), False
            self._add(camera, limits, -NEVER_US if may_go else clock.microseconds(since))

    def _add(self, camera: Row, limits: PictureLimits, since_us: int) -> None:
        pictures: PictureIndex = self._app.extensions["pictures"]
        facts = camera, pictures.of(camera), limits, since_us
        self.cameras[camera["id"]] = PrunedCamera(self._app, self.now, *facts)

    def _is_recent(self, changed_at: str | None) -> bool:
        """Whether a limit was changed too lately. A time in the future is a wrong one."""
        return self._changed_before < (changed_at or FIRST) <= clock.rfc3339(self.now)

    def _limits(self, effective: EffectiveSettings, without_days: bool) -> PictureLimits:
        days = 0 if without_days else effective.keep_days
        before = clock.to_us(self.now - timedelta(days=days))
        return PictureLimits(before if days else -NEVER_US, effective.keep_bytes)

    def _base_since(self, known: Row | None) -> str:
        """Since when this is the base path: below another one the folders were different ones."""
        if known is None:
            return FIRST
        base = RetentionFact.encode(self._app.config["NVR_FOSCAM_BASE_PATH"])
        return str(known["changed_at"]) if known["value"] == base else LAST

    def _relate(self) -> None:
        """Find the cameras whose folders are the same, or lie one in the other."""
        self._related, by_path, paths = {}, dict[str, list[PrunedCamera]](), dict[object, str]()
        for camera in self.cameras.values():
            key, path = camera.place
            path = paths.setdefault(key or path, path)
            by_path.setdefault(path, []).append(camera)
        for path, cameras in by_path.items():
            above = path
            while above:
                way = f"{path[len(above) + 1 :]}/".lstrip("/")
                for outer in by_path.get(above, ()):
                    for inner in cameras:
                        self._note(inner, outer, way)
                above = above.rpartition("/")[0]

    def _note(self, inner: PrunedCamera, outer: PrunedCamera, way: str) -> None:
        if inner is not outer:
            self._related.setdefault(inner.id, []).append((outer, way, ""))
            if way:
                self._related.setdefault(outer.id, []).append((inner, "", way))
