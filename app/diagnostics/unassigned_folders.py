"""Which folders below the base path does no camera use yet?"""

import os
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from .. import clock
from ..models import UNCLEAN, Row
from ..storage import safe_open
from ..storage.names import as_text, normalised
from ..storage.scan import ask_entry, entries, is_housekeeping
from .camera import DiagnosticsContext
from .survey import Bounds, Survey, survey

# Counting ends at this many pictures in one folder, or after this long in one or in all.
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
    folders that no folder_path leads to are left out. Raises `BaseMissing` and
    `safe_open.StorageNotAnswering`.
    """
    names, used = context.folders.threads.ask(
        lambda: (_folder_names(context.base), set(_used_names(cameras, context.base))),
        context.base,
    )
    counts = Counter(map(normalised, names))
    # A folder_path means the very same name or, where there is none, the only one like it.
    only = {normalised(name): name for name in names if counts[normalised(name)] == 1}
    used |= {only.get(normalised(text), text) for text in used - set(names)}
    deadline = time.monotonic() + TOTAL_SECONDS
    return [
        _row(as_text(name), _count(name, context, now, deadline))
        for name in sorted(names)
        if name not in used and name in (as_text(name), only.get(normalised(name)))
    ]


def _used_names(cameras: Iterable[Row], base: str) -> Iterable[str]:
    """The first component below the base of each camera's folder."""
    for camera in cameras:
        try:
            yield from safe_open.components_below(base, camera["folder_path"])[:1]
        except safe_open.OutsideBase:
            continue


def _folder_names(base: str) -> list[str]:
    try:
        root = safe_open.open_folder(base, ".")
        try:
            return [
                entry.name
                for entry in entries(root)
                if not is_housekeeping(entry.name)
                and not UNCLEAN.search(as_text(entry.name))
                and ask_entry(entry.is_dir)
            ]
        finally:
            os.close(root)
    except safe_open.FolderNotFound:
        raise BaseMissing from None


def _count(name: str, context: DiagnosticsContext, now: datetime, deadline: float) -> Survey:
    """Count the folder's files, as far as the remaining time and its storage allow."""
    bounds = Bounds(MOST_PICTURES, min(FOLDER_SECONDS, deadline - time.monotonic()))

    def count() -> Survey:
        folder = safe_open.open_folder(context.base, name)
        try:
            times = context.folders.clock(folder, now)
            return survey(folder, times, context.most_bytes, bounds)
        finally:
            os.close(folder)

    try:
        if bounds.seconds > 0:
            return context.folders.threads.ask(count, context.base, name, bounds.seconds)
    except (safe_open.FolderNotFound, safe_open.OutsideBase, safe_open.StorageNotAnswering):
        pass  # gone since the base path was listed, or its storage hangs
    return Survey(complete=False)


def _row(name: str, counted: Survey) -> Row:
    unread = counted.skipped["closed_folders"] + counted.skipped["broken_folders"]
    newest = counted.newest
    return {
        "name": name,
        "folder_path": name,
        "pictures": {"count": counted.pictures, "complete": counted.complete and not unread},
        "newest_at": clock.rfc3339(clock.from_ns(newest.time_ns)) if newest else None,
    }
