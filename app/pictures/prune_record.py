"""What has a run deleted? Stored before each batch of files, because a run may be cut off.

On a full disk the first files are deleted before anything can be stored.
"""

import errno
import json
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import NamedTuple

import peewee

from .. import clock, db
from ..db import writer
from ..models import Camera, PruningRun, RetentionFact, Row
from ..services import audit
from ..services.audit import Caller
from ..storage.removal import restore_hidden
from .camera_index import CameraIndex
from .index import UNREADABLE, PictureIndex
from .prune_plan import Report
from .pruned_box import PrunedFile

# The resource of the audit entries.
RETENTION = {"id": "retention", "name": None}
OUTCOME, PRUNED = "outcome", "pruned"
COUNTED = ("pictures", "clips", "bytes")
# How many files are deleted at a time while the record cannot be stored, and at the most in a run.
FEW_FILES, MOST_UNRECORDED = 20, 200

log = logging.getLogger(__name__)


class PendingFile(NamedTuple):
    """A file that is deleted next: its ``camera_id``, its path below that camera's folder, and
    what a report counts.
    """

    camera_id: str
    path: str
    camera_ids: list[str]
    is_clip: bool
    size: int
    taken_us: int

    @classmethod
    def of(cls, file: PrunedFile) -> "PendingFile":
        """The file as it is stored."""
        row, cameras = file.row, [camera.id for camera, _ in file.rows]
        return cls(file.owner.id, row.path, cameras, row.is_clip, row.size, row.taken_us)

    def add_to(self, report: Report) -> None:
        """Count the file."""
        report.add(*self[2:])


@dataclass(slots=True)
class RunRecord:
    """The record of one run; ``by``: who began it."""

    by: Caller
    report: Report
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    _unrecorded: int = 0

    def begin(self, files: list[PrunedFile]) -> int:
        """Store which files are deleted next, and what was deleted before.

        Return how many of the files may be deleted: on a full disk only a few, which are logged.
        """
        pending = [PendingFile.of(file) for file in files]
        try:
            writer.run(partial(self._store, pending))
        except peewee.PeeweeException as error:
            few = [[each.camera_id, each.path] for each in pending[:FEW_FILES]]
            if not is_full(error) or self._unrecorded + len(few) > MOST_UNRECORDED:
                raise
            self._unrecorded += len(few)
            log.warning("the disk is full; deleted before it is recorded: %s", json.dumps(few))
            return len(few)
        return len(pending)

    def end(self, outcome: Row) -> None:
        """Write the audit entry if something was deleted; store the outcome for the health."""
        writer.run(partial(self._end, outcome))

    def _store(self, pending: list[PendingFile]) -> None:
        PruningRun.remove(self.token)
        values = {"by": self.by, "report": asdict(self.report), "pending": pending}
        encoded = {name: json.dumps(value) for name, value in values.items()}
        PruningRun.insert_row({"token": self.token, **encoded})

    def _end(self, outcome: Row) -> None:
        PruningRun.remove(self.token)
        RetentionFact.note(OUTCOME, outcome, clock.rfc3339(clock.now()))
        _audit(self.report, self.by)


def is_full(error: BaseException) -> bool:
    """Whether nothing could be stored because the disk is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, peewee.PeeweeException) and db.failure_of(error) == "full"


@contextmanager
def unless_full(what: str) -> Iterator[None]:
    """Log that the disk is too full for ``what``, which the block does, and go on."""
    try:
        yield
    except (OSError, peewee.PeeweeException) as error:
        if not is_full(error):
            raise
        log.warning("the disk is too full %s", what)


def recover(pictures: PictureIndex) -> None:
    """End the records of runs that were cut off.

    Where it cannot be known now whether a file was deleted, a later call ends the record.
    """
    for run in map(PruningRun.shape, PruningRun.find_all()):
        report, is_known = Report(**run["report"]), True
        for pending in (PendingFile(*values) for values in run["pending"]):
            try:
                if not _is_there(pictures, pending):
                    pending.add_to(report)
            except UNREADABLE:
                is_known = False
        if is_known:
            writer.run(partial(_end_recovered, run["token"], report, Caller(*run["by"])))


def _is_there(pictures: PictureIndex, pending: PendingFile) -> bool:
    """Whether the file exists, hidden or not; that of a deleted camera counts as existing."""
    camera = Camera.find(id=pending.camera_id)
    if camera is None:
        return True
    index = pictures.of(camera)
    return index.ask_in_background(partial(_exists, index, *os.path.split(pending.path)))


def _exists(index: CameraIndex, folder: str, name: str) -> bool:
    with index.opened():
        reached = index.lookups.reach(folder)
        if reached is None:
            return False
        try:
            restore_hidden(reached)
            return os.access(name, os.F_OK, dir_fd=reached, follow_symlinks=False)
        finally:
            os.close(reached)
            index.lookups.compare_files(folder, [name])


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
