"""Which files exceed a limit, and in which order are they deleted? Used by dry runs too."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge

from .. import clock
from ..clock import HOUR_US
from ..models import Row
from ..models.pictures import IndexedPicture, Key
from .prune_rules import NEVER_US, PrunedCamera
from .pruned_box import PrunedBox, PrunedFile

# Only files that are older than this are deleted to free space, in microseconds.
FREE_SPACE_AGE_US = 24 * HOUR_US
# A key before those of all files, and one after them.
START, END = (-NEVER_US, b""), (NEVER_US, b"")


@dataclass(slots=True)
class ExcessBytes:
    """How many bytes exceed a limit, and the key of the newest file that exceeds it."""

    size: int
    last_key: Key = START

    def __post_init__(self) -> None:
        self.last_key = END if self.size > 0 else START

    def note(self, row: IndexedPicture, size: int) -> None:
        """Subtract the bytes of a file that is deleted."""
        self.size -= size
        if self.size <= 0:
            self.last_key = min(self.last_key, row.key)

    def includes(self, row: IndexedPicture) -> bool:
        """Whether the file exceeds the limit."""
        return row.key <= self.last_key


class Plan:
    """The files to delete by the limits of the box and of its cameras.

    ``not_deletable``: how many files exceed a limit, but stay because the service has no right to
    delete them.
    """

    def __init__(self, box: PrunedBox) -> None:
        self.box, self.not_deletable = box, 0
        self._camera_excess: dict[str, ExcessBytes] = defaultdict(lambda: ExcessBytes(0))
        self._box_excess = ExcessBytes(0)
        self._device_excess: dict[int, ExcessBytes] = {}
        # The free bytes of each device before the run, and how many are freed there.
        self._free: dict[int, int] = {}
        self._freed: Counter[int] = Counter()
        self._gone_bytes = 0

    def files(self) -> Iterator[tuple[PrunedFile, bool]]:
        """Each file to delete, and whether it is deleted to free space.

        If one cannot be deleted, no other file is deleted in its place.
        """
        keep = self.box.limits["keep_bytes"]
        total = self.box.bytes_of_all() if keep else 0
        yield from ((file, False) for file in self._by_cameras())
        if keep:
            self._box_excess = ExcessBytes(total - self._gone_bytes - keep)
            yield from ((file, False) for file in self._by_bytes())
        if keep := self.box.limits["keep_free_bytes"]:
            yield from ((file, True) for file in self._by_free_space(keep))

    def _by_cameras(self) -> Iterator[PrunedFile]:
        """The files that exceed the limits of each camera that has them."""
        for camera in self.box.cameras.values():
            keep, totals = camera.limits.keep_bytes, camera.listing.totals()
            total = totals["picture_bytes"] + totals["clip_bytes"]
            self._camera_excess[camera.id] = ExcessBytes(total - keep if keep else 0)
        for group in self.box.groups():
            for file in _merged(self._exceeding(each) for each in group if each.limits):
                if self._exceeds(file) and self._take(file):
                    for camera, row in file.rows:
                        self._camera_excess[camera.id].note(row, row.size)
                    yield file

    def _exceeding(self, camera: PrunedCamera) -> Iterator[PrunedFile]:
        """The files of a camera up to the first one that exceeds none of its limits."""
        excess, before_us = self._camera_excess[camera.id], camera.limits.before_us
        for file in self.box.stream(camera, before_us if excess.last_key == START else NEVER_US):
            if file.row.taken_us >= before_us and not excess.includes(file.row):
                return
            yield file

    def _exceeds(self, file: PrunedFile) -> bool:
        """Whether the file exceeds a limit of each camera that has it."""
        return all(
            row.taken_us < camera.limits.before_us or self._camera_excess[camera.id].includes(row)
            for camera, row in file.rows
        )

    def _by_bytes(self) -> Iterator[PrunedFile]:
        """The oldest files of all cameras, until the box keeps no more than its bytes."""
        for file in _merged(map(self.box.stream, self.box.cameras.values())):
            if not self._box_excess.includes(file.row):
                return
            if not self._exceeds(file) and self._take(file):
                self._box_excess.note(file.row, file.row.size)
                yield file

    def _by_free_space(self, keep: int) -> Iterator[PrunedFile]:
        """The oldest files of each file system that lacks free space, but none of the last day."""
        until_us = clock.to_us(self.box.now) - FREE_SPACE_AGE_US
        for file in _merged(
            self._until_enough(each, keep, until_us) for each in self._short_of_space(keep)
        ):
            excess = self._excess_of(file.device, file.free, keep)
            is_gone = self._exceeds(file) or self._box_excess.includes(file.row)
            if excess.includes(file.row) and not is_gone and self._take(file):
                excess.note(file.row, file.occupied)
                yield file

    def _short_of_space(self, keep: int) -> Iterator[PrunedCamera]:
        """The cameras with files on a file system that may lack free space."""
        for camera in self.box.cameras.values():
            device = camera.only_device
            if device is None or self._excess_of(*device, keep).size > 0:
                yield camera

    def _until_enough(
        self, camera: PrunedCamera, keep: int, until_us: int
    ) -> Iterator[PrunedFile]:
        """The files of a camera, until its file system lacks no more space."""
        device = camera.only_device
        for file in self.box.stream(camera, until_us):
            if device and not self._excess_of(*device, keep).includes(file.row):
                return
            yield file

    def _excess_of(self, device: int, free: int, keep: int) -> ExcessBytes:
        """How many bytes a file system lacks to have ``keep`` free ones."""
        if device not in self._device_excess:
            free = self._free.get(device, free)
            self._device_excess[device] = ExcessBytes(keep - free - self._freed[device])
        return self._device_excess[device]

    def _take(self, file: PrunedFile) -> bool:
        """Note that the file is to be deleted; False where the service may not delete it."""
        if not file.may_delete:
            self.not_deletable += 1
            return False
        self._free.setdefault(file.device, file.free)
        self._freed[file.device] += file.occupied
        self._gone_bytes += file.row.size
        return True


@dataclass(slots=True)
class Report:
    """What was deleted, or would be, in all and for each camera by its id.

    ``oldest`` and ``newest`` of a camera are times in microseconds, None where nothing is deleted.
    """

    cameras: dict[str, Row]
    pictures: int = 0
    clips: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, box: PrunedBox) -> "Report":
        """A report of nothing."""
        numbers, times = dict.fromkeys(("pictures", "clips", "bytes"), 0), ("oldest", "newest")
        row = numbers | dict.fromkeys(times) | {"existing": 0}
        return cls(
            {
                camera.id: {"camera_id": camera.id, "name": camera.camera["name"], **row}
                for camera in box.cameras.values()
            }
        )

    def count_existing(self, box: PrunedBox) -> None:
        """Count the files that stay because they are older than their camera."""
        for camera in box.cameras.values():
            self.cameras[camera.id]["existing"] = camera.count_existing()

    def add_file(self, file: PrunedFile) -> None:
        """Count a file."""
        row, cameras = file.row, [camera.id for camera, _ in file.rows]
        self.add(cameras, row.is_clip, row.size, row.taken_us)

    def add(self, camera_ids: list[str], is_clip: bool, size: int, taken_us: int) -> None:
        """Count a file of these cameras."""
        kind = "clips" if is_clip else "pictures"
        self.pictures, self.clips = self.pictures + (not is_clip), self.clips + is_clip
        self.bytes += size
        for row in (self.cameras[each] for each in camera_ids if each in self.cameras):
            row[kind], row["bytes"] = row[kind] + 1, row["bytes"] + size
            row["oldest"] = min(row["oldest"] or taken_us, taken_us)
            row["newest"] = max(row["newest"] or taken_us, taken_us)

    def to_dict(self, dry_run: bool, suspended: str | None) -> Row:
        """The body of the response, and the details of the audit entry."""
        totals = {"pictures": self.pictures, "clips": self.clips, "bytes": self.bytes}
        cameras = [
            row
            | {name: row[name] and clock.rfc3339_us(row[name]) for name in ("oldest", "newest")}
            for row in self.cameras.values()
        ]
        return {"dry_run": dry_run, "suspended": suspended, **totals, "cameras": cameras}


def _merged(streams: Iterable[Iterator[PrunedFile]]) -> Iterator[PrunedFile]:
    """The files of all streams, oldest first."""
    return merge(*streams, key=lambda file: file.row.key)
