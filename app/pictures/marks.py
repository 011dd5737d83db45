"""Where is the file of each mark? A mark stands for a kept picture and follows its file.

A mark whose file is gone is forgotten after `OUTLIVES`.
"""

import errno
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from .. import clock
from ..db import writer
from ..models import KeptPicture, Row
from ..storage import safe_open
from .lookups import Lookups

# How often the file of each mark is looked for, in seconds, and of how many marks in one step.
CHECK_SECONDS, MARKS_AT_ONCE = 3600.0, 100
# How long a mark outlives its file.
OUTLIVES = timedelta(days=30)
# Errors which mean that there is no such file. After others it may be there.
IS_GONE = (errno.ENOENT, errno.ENOTDIR)
# The fields to change by the id of a mark; None for one that is to be forgotten.
MarkChanges = dict[int, Row | None]


class Marks:
    """The marks of one camera's kept pictures. For one thread at a time.

    ``is_plausible``: whether the clock is.
    """

    def __init__(self, lookups: Lookups, base: str, is_plausible: Callable[[], bool]) -> None:
        self._lookups, self._base, self._is_plausible = lookups, base, is_plausible
        self._after, self._check_at = 0, 0.0

    def follow(self, has_folder: bool = True) -> None:
        """Write where kept files are now and, once an hour, since when others are gone.

        ``has_folder``: whether the camera's folder is there, opened in `Lookups`.
        """
        moved = self._lookups.moved.items()
        changes: MarkChanges = {n: place | {"missing_since": None} for n, place in moved}
        if time.monotonic() >= self._check_at:
            changes = self._check_some(has_folder) | changes
        if changes:
            writer.run(partial(_write, changes))
        self._lookups.moved = {}

    def _check_some(self, has_folder: bool) -> MarkChanges:
        """What has to change in the next marks."""
        camera_id = self._lookups.finder.camera_id
        marks = KeptPicture.of_camera(camera_id, self._after, MARKS_AT_ONCE)
        self._after = marks[-1]["id"] if len(marks) == MARKS_AT_ONCE else 0
        if not self._after:
            self._check_at = time.monotonic() + CHECK_SECONDS
        there = {mark["id"]: self._is_there(mark) if has_folder else False for mark in marks}
        changes: MarkChanges = {
            mark["id"]: {"missing_since": None}
            for mark in marks
            if there[mark["id"]] and mark["missing_since"]
        }
        gone = [mark for mark in marks if there[mark["id"]] is False]
        if gone and self._is_plausible() and _has_entries(self._base):
            now = clock.now()
            changes |= {mark["id"]: _of_missing(mark, now) for mark in gone if _is_due(mark, now)}
        return changes

    def _is_there(self, mark: Row) -> bool | None:
        """Whether the mark's path has its file; None if that cannot be known now."""
        *above, name = os.fsdecode(mark["path"]).split("/")
        try:
            parent = safe_open.open_below(self._lookups.opened.folder, above)
        except safe_open.OutsideBase:
            return False
        except safe_open.FolderNotFound as missing:
            return False if missing.reason in IS_GONE else None
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            return False if error.errno in IS_GONE else None
        finally:
            os.close(parent)
        return (status.st_size, status.st_mtime_ns) == (mark["size"], mark["mtime_ns"])


def _is_due(mark: Row, now: datetime) -> bool:
    """Whether the mark of a missing file must be changed."""
    since = mark["missing_since"]
    return since is None or now - clock.parse(since) > OUTLIVES


def _of_missing(mark: Row, now: datetime) -> Row | None:
    return {"missing_since": clock.rfc3339(now)} if mark["missing_since"] is None else None


def _has_entries(base: str) -> bool:
    """Whether anything is in the base path; where a disk is not mounted, nothing is."""
    try:
        with os.scandir(base) as found:
            return any(found)
    except OSError:
        return False


def _write(changes: MarkChanges) -> None:
    for mark_id, fields in changes.items():
        if fields is None:
            KeptPicture.remove(mark_id)
        else:
            KeptPicture.change(mark_id, fields)
