"""When are pictures that exceed the limits deleted? Once an hour, by one run at a time."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import islice

import peewee
from flask import Flask

from .. import clock, db
from ..clock import rfc3339
from ..db import writer
from ..models import Camera, CameraSettings, PruningRun, RetentionFact, Row
from ..services import database_number
from ..services.audit import Caller
from ..services.health import DEGRADED, HEALTHY, Check
from ..services.settings import BOX_LIMITS
from . import suspension
from .index import NOT_FOLLOWED, PictureIndex
from .prune_plan import Plan, Report
from .prune_record import OUTCOME, RunRecord, recover, unless_full
from .prune_steps import LimitsChanged, Steps, Waiting
from .pruned_box import BASE_PATH, LAST, PrunedBox

# How many files are stored as those that are deleted next.
FILES_AT_ONCE = 200
# The pause between two hourly runs, the time from the start to the first one, and how long ago a
# limit must have been changed to count in them, in seconds.
INTERVAL_SECONDS, FIRST_SECONDS, CHANGED_SECONDS = 3600, 600, 600

STOPPED = (
    "Deleting pictures for keep_free_bytes has stopped, because it did not free the space: find "
    "out what else fills the disk, and whether files have several names or are in snapshots."
)
NOT_DELETABLE = (
    "In the last run {} files that exceed the limits stayed, because the service may not delete "
    "them. Let it write to their folders; the command doctor names them."
)

Progress = Callable[[int], None]


class RetentionRunning(Exception):
    """Another run is deleting pictures."""


class Pruner:
    """Deletes the pictures and clips that exceed the limits. Safe for threads and processes."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._is_stopping = threading.Event()
        self._due_at = time.monotonic() + FIRST_SECONDS
        self._is_numbered = False
        # Ends the records of runs for which the disk was too full.
        self._unended: list[Callable[[], None]] = []

    def stop(self) -> None:
        """Let a run end soon."""
        self._is_stopping.set()

    def run_if_due(self) -> None:
        """Delete once an hour; limits that were changed lately are ignored."""
        if not self._app.extensions["monitor"].leads:
            return
        if not self._is_numbered:
            self._is_numbered = True
            _renew_number()
        if time.monotonic() < self._due_at:
            return
        changed_before = rfc3339(clock.now() - timedelta(seconds=CHANGED_SECONDS))
        with suppress(RetentionRunning):
            if has_limits(self._app) or PruningRun.row_count():
                self.run(Caller("monitor"), changed_before)
            self._due_at = time.monotonic() + INTERVAL_SECONDS

    def close(self) -> None:
        """Change the number of the database, so that earlier copies have another one."""
        if self._is_numbered:
            _renew_number()

    def dry_run(self) -> tuple[Row, int]:
        """Return what a run would delete, and how many files it may not delete.

        Raises `RetentionRunning`.
        """
        with _exclusive_lock():
            pass
        with self._followed_box(LAST) as box:
            plan, report = Plan(box), Report.of(box)
            suspended = suspension.reason(self._app)
            if suspended is None:
                report.count_existing(box)
                for file, _ in plan.files():
                    report.add_file(file)
        return report.to_dict(dry_run=True, suspended=suspended), plan.not_deletable

    def run(
        self, by: Caller, changed_before: str = LAST, progress: Progress = lambda _: None
    ) -> tuple[Row, int]:
        """Delete; return what was deleted, and how many files the service may not delete.

        ``progress`` is called with the number of files since its last call. Raises
        `RetentionRunning`.
        """
        with _exclusive_lock():
            with unless_full("to end the records of earlier runs"):
                self._end_records()
                recover(self._app.extensions["pictures"])
            self._note_facts()
            return self._run(by, changed_before, progress)

    def _run(self, by: Caller, changed_before: str, progress: Progress) -> tuple[Row, int]:
        with self._followed_box(changed_before) as box:
            plan, report = Plan(box), Report.of(box)
            if suspended := suspension.reason(self._app):
                return report.to_dict(dry_run=False, suspended=suspended), 0
            _renew_number()
            report.count_existing(box)
            record = RunRecord(by, report)
            steps = Steps(box, plan, record)
            try:
                with suppress(LimitsChanged):
                    suspended = self._delete(plan, steps, record, progress)
            finally:
                outcome = {"not_deletable": plan.not_deletable, "stopped": steps.has_stopped}
                self._unended.append(partial(record.end, outcome))
                with unless_full("for the audit entry of what was deleted, which follows"):
                    self._end_records()
            return report.to_dict(dry_run=False, suspended=suspended), plan.not_deletable

    def _delete(
        self, plan: Plan, steps: Steps, record: RunRecord, progress: Progress
    ) -> str | None:
        """Delete the files of the plan; return why the run was suspended, if it was."""
        files, batch = plan.files(), list[Waiting]()
        while batch := batch or list(islice(files, FILES_AT_ONCE)):
            number = record.begin([file for file, _ in batch])
            for _ in steps.delete(batch[:number]):
                if suspended := suspension.reason(self._app):
                    return suspended
                if self._is_stopping.is_set():
                    return None
            progress(number)
            batch = batch[number:]
        return None

    def _end_records(self) -> None:
        while self._unended:
            self._unended[0]()
            self._unended.pop(0)

    @contextmanager
    def _followed_box(self, changed_before: str) -> Iterator[PrunedBox]:
        """The box after the latest changes of all folders that can be read."""
        pictures: PictureIndex = self._app.extensions["pictures"]
        for camera in Camera.listing():
            with suppress(*NOT_FOLLOWED):
                pictures.follow(camera)
        with db.watched_version() as read_version:
            yield PrunedBox(self._app, read_version, changed_before)

    def _note_facts(self) -> None:
        """Store what has changed outside of the API: the environment's limits, the base path."""
        base, known = self._app.config["NVR_FOSCAM_BASE_PATH"], RetentionFact.find(name=BASE_PATH)

        def change() -> None:
            self._app.extensions["settings"].note_limits()
            RetentionFact.note(BASE_PATH, base, rfc3339(clock.now()) if known else "")

        if known and RetentionFact.decode(known) != base:
            writer.run(change)  # else files from before would be deleted
        else:
            with unless_full("to note the limits of the environment"):
                writer.run(change)


def init_app(app: Flask) -> None:
    """Create the app's pruner; the server calls its `run_if_due`."""
    app.extensions["pruner"] = Pruner(app)


def has_limits(app: Flask) -> bool:
    """Whether any limit of pictures is set, for the box or a camera."""
    settings = app.extensions["settings"]
    cameras, box = settings.effective(CameraSettings.by_camera()), settings.box()
    own = any(each.keep_days or each.keep_bytes for each in cameras.values())
    return own or any(box[name] for name in BOX_LIMITS)


def last_outcome() -> Row:
    """How many files the last run may not delete, and whether it stopped freeing space."""
    known = RetentionFact.find(name=OUTCOME)
    return RetentionFact.decode(known) if known else {"not_deletable": 0, "stopped": False}


def check(app: Flask) -> Check:
    """Whether the pictures that exceed the limits are deleted."""
    try:
        if not has_limits(app):
            return Check(HEALTHY, "No limit of pictures is set, so none is deleted.")
        suspended, outcome = suspension.reason(app), last_outcome()
    except (peewee.PeeweeException, OSError):
        return Check(DEGRADED, "The limits of pictures cannot be read from the database.")
    if suspended:
        return Check(DEGRADED, suspension.MESSAGES[suspended])
    if outcome["stopped"]:
        return Check(DEGRADED, STOPPED)
    if number := outcome["not_deletable"]:
        return Check(DEGRADED, NOT_DELETABLE.format(number))
    return Check(HEALTHY, "Pictures that exceed the limits are deleted once an hour.")


def _renew_number() -> None:
    with unless_full("to change the number of the database"):
        database_number.renew()


@contextmanager
def _exclusive_lock() -> Iterator[None]:
    """Let no other run delete during the block; raises `RetentionRunning` if one does."""
    lock = db.acquire_pruning_lock()
    if lock is None:
        raise RetentionRunning
    try:
        yield
    finally:
        os.close(lock)
