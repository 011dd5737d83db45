"""Which folders below the base path does no camera use yet?"""

import os
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from .. import clock
from ..models import UNCLEAN, Row
from ..storage import safe_open
from ..storage.names import as_text, reading
from ..storage.scan import is_housekeeping
from .camera import DiagnosticsContext
from .survey import Bounds, Survey, survey

# Counting ends at so many pictures in one folder, or after so many seconds in one or in all.
MOST_PICTURES = 10_000
FOLDER_SECONDS = 0.2
TOTAL_SECONDS = 2.0


class BaseMissing(Exception):
    """The base path does not exist or may not be listed."""


def find_unassigned(
    cameras: Iterable[Row], context: DiagnosticsContext, now: datetime
) -> list[Row]:
    """The folders directly below the base path that no camera uses, by name.

    A folder is used when it is a camera's folder or contains one. Housekeeping folders, links, and
    folders that no folder_path leads to are left out. Raises `BaseMissing`.
    """
    try:
        root = safe_open.open_folder(context.base, ".")
    except safe_open.FolderNotFound:
        raise BaseMissing from None
    try:
        names = _folder_names(root)
        counts = Counter(map(reading, names))
        # A folder_path means the very same name or, where there is none, the only one like it.
        only = {reading(name): name for name in names if counts[reading(name)] == 1}
        used = set(_used_names(cameras, context.base))
        used |= {only.get(reading(text), text) for text in used - set(names)}
        deadline = time.monotonic() + TOTAL_SECONDS
        return [
            _row(as_text(name), _count(root, name, context, now, deadline))
            for name in sorted(names)
            if name not in used and name in (as_text(name), only.get(reading(name)))
        ]
    finally:
        os.close(root)


def _used_names(cameras: Iterable[Row], base: str) -> Iterable[str]:
    """The first component below the base of each camera's folder."""
    for camera in cameras:
        try:
            yield from safe_open.components_below(base, camera["folder_path"])[:1]
        except safe_open.OutsideBase:
            continue


def _folder_names(root: int) -> list[str]:
    with os.scandir(root) as entries:
        return [
            entry.name
            for entry in entries
            if not is_housekeeping(entry.name)
            and not UNCLEAN.search(as_text(entry.name))
            and entry.is_dir(follow_symlinks=False)
        ]


def _count(
    root: int, name: str, context: DiagnosticsContext, now: datetime, deadline: float
) -> Survey:
    """What is in the folder, as far as the remaining time allows."""
    seconds = min(FOLDER_SECONDS, deadline - time.monotonic())
    if seconds <= 0:
        return Survey(complete=False)
    return survey(root, now, context.most_bytes, Bounds(MOST_PICTURES, seconds), [name])


def _row(name: str, counted: Survey) -> Row:
    unread = counted.skipped["closed_folders"] + counted.skipped["broken_folders"]
    newest = counted.newest
    return {
        "name": name,
        "folder_path": name,
        "pictures": {"count": counted.pictures, "complete": counted.complete and not unread},
        "newest_at": clock.rfc3339(clock.from_ns(newest.mtime_ns)) if newest else None,
    }
