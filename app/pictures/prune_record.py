"""What has a run deleted? Stored before and while it deletes, because it may be cut off."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import NamedTuple

from .. import clock
from ..db import writer
from ..models import Camera, PruningRun, RetentionFact, Row
from ..services import audit
from ..services.audit import Caller
from ..storage.removal import bring_back_left
from .camera_index import CameraIndex
from .index import UNREADABLE, PictureIndex
from .prune_plan import Report
from .pruned_box import File

# As an entry of the audit log names it.
RETENTION = {"id": "retention", "name": None}
OUTCOME, PRUNED = "outcome", "pruned"
COUNTED = ("pictures", "clips", "bytes")


class Pending(NamedTuple):
    """A file that is deleted next: its ``camera_id``, its path below that one's folder, and what a
    report counts.
    """

    camera_id: str
    path: str
    camera_ids: list[str]
    is_clip: bool
    size: int
    taken_us: int

    @classmethod
    def of(cls, file: File) -> "Pending":
        """The file as it is stored."""
        row, cameras = file.row, [camera.id for camera, _ in file.rows]
        return cls(file.owner.id, row.path, cameras, row.is_clip, row.size, row.taken_us)

    def add_to(self, report: Report) -> None:
        """Count the file."""
        report.add(*self[2:])


@dataclass(slots=True)
class Record:
    """The record of one run; ``by``: who began it."""

    by: Caller
    report: Report
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    _is_stored: bool = False

    def begin(self, files: list[File]) -> None:
        """Store which files are deleted next, and what was deleted before."""
        pending = [Pending.of(file) for file in files]
        writer.run(partial(self._store, pending))
        self._is_stored = True

    def end(self, outcome: Row) -> None:
        """Write the audit entry if something went, and remember the outcome for the health."""
        writer.run(partial(self._end, outcome))

    def _store(self, pending: list[Pending]) -> None:
        PruningRun.remove(self.token)
        values = {"by": self.by, "report": asdict(self.report), "pending": pending}
        PruningRun.insert_row({"token": self.token, **_as_json(values)})

    def _end(self, outcome: Row) -> None:
        PruningRun.remove(self.token)
        RetentionFact.note(OUTCOME, outcome, clock.rfc3339(clock.now()))
        _audit(self.report, self.by)


def recover(pictures: PictureIndex) -> None:
    """End the records of runs that were cut off.

    A record whose files cannot be found out about now is ended by a later call.
    """
    for run in map(PruningRun.shape, PruningRun.find_all()):
        report, is_known = Report(**run["report"]), True
        for pending in (Pending(*values) for values in run["pending"]):
            try:
                if not _is_there(pictures, pending):
                    pending.add_to(report)
            except UNREADABLE:
                is_known = False
        if is_known:
            writer.run(partial(_end_recovered, run["token"], report, Caller(*run["by"])))


def _is_there(pictures: PictureIndex, pending: Pending) -> bool:
    """Whether the file is there, hidden or not; that of a deleted camera counts as there."""
    camera = Camera.find(id=pending.camera_id)
    if camera is None:
        return True
    index = pictures.of(camera)
    return index.work(partial(_exists, index, *os.path.split(pending.path)))


def _exists(index: CameraIndex, folder: str, name: str) -> bool:
    with index.opened():
        reached = index.lookups.reach(folder)
        if reached is None:
            return False
        try:
            bring_back_left(reached)
            return os.access(name, os.F_OK, dir_fd=reached, follow_symlinks=False)
        finally:
            os.close(reached)
            index.lookups.look_at(folder, [name])


def _end_recovered(token: str, report: Report, by: Caller) -> None:
    PruningRun.remove(token)
    _audit(report, by)


def _audit(report: Report, by: Caller) -> None:
    if report.pictures or report.clips:
        details = report.to_dict(dry_run=False, suspended=None)
        audit.record("pictures_pruned", by, "system", RETENTION, details)
        before = pruned()
        total = {name: before[name] + getattr(report, name) for name in before}
        RetentionFact.note(PRUNED, total, clock.rfc3339(clock.now()))


def pruned() -> Row:
    """How many ``pictures``, ``clips`` and ``bytes`` all runs together have deleted."""
    known = RetentionFact.find(name=PRUNED)
    return RetentionFact.decode(known) if known else dict.fromkeys(COUNTED, 0)


def _as_json(values: Row) -> Row:
    return {name: json.dumps(value) for name, value in values.items()}
