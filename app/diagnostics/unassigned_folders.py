"""Which folders below the base path does no camera use yet?"""

import os
import time
from collections.abc import Iterable
from datetime import datetime

from ..models import Row
from ..models.base import UNCLEAN
from ..storage import safe_open
from .camera import Box
from .sanitise import moment
from .survey import Bounds, Survey, survey

# Counting ends here: in each folder, and in all together.
MOST_PICTURES = 10_000
FOLDER_SECONDS = 0.2
TOTAL_SECONDS = 2.0


class BaseMissing(Exception):
    """The base path does not exist or may not be listed."""


def vacancies(cameras: Iterable[Row], box: Box, now: datetime) -> list[Row]:
    """The folders directly below the base path that are no camera's and hold no camera's, by name.

    What begins with a dot, links, and names that no folder_path can hold are left out. Raises
    `BaseMissing`.
    """
    try:
        root = safe_open.open_folder(box.base, ".")
    except safe_open.FolderNotFound:
        raise BaseMissing from None
    try:
        used = set(_used(cameras, box.base))
        names = sorted(name for name in _folders(root) if name not in used)
        deadline = time.monotonic() + TOTAL_SECONDS
        return [_shown(name, _count(root, name, box, now, deadline)) for name in names]
    finally:
        os.close(root)


def _used(cameras: Iterable[Row], base: str) -> Iterable[str]:
    """Of each camera's folder, the first component below the base."""
    for camera in cameras:
        try:
            yield from safe_open.components_below(base, camera["folder_path"])[:1]
        except safe_open.OutsideBase:
            continue


def _folders(root: int) -> Iterable[str]:
    with os.scandir(root) as entries:
        for entry in entries:
            hidden = entry.name.startswith(".") or UNCLEAN.search(entry.name)
            if not hidden and entry.is_dir(follow_symlinks=False):
                yield entry.name


def _count(root: int, name: str, box: Box, now: datetime, deadline: float) -> Survey:
    """What is in the folder, as far as the time that is left allows."""
    left = deadline - time.monotonic()
    if left <= 0:
        return Survey(complete=False)
    bounds = Bounds(MOST_PICTURES, min(FOLDER_SECONDS, left))
    return survey(root, now, box.most_bytes, bounds, [name])


def _shown(name: str, counted: Survey) -> Row:
    unseen = counted.passed_over["closed"] + counted.passed_over["broken"]
    complete = counted.complete and not unseen
    return {
        "name": name,
        "folder_path": name,
        "pictures": {"count": counted.pictures, "complete": complete},
        "newest_at": moment(counted.newest.mtime_ns) if counted.newest else None,
    }
