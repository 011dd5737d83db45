"""For how many days is there room for more pictures?"""

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from flask import Flask

from .. import clock
from ..models import CameraRetention, CameraSettings, Row
from ..services import stats
from ..services.health import Room
from ..services.settings import BOX_LIMITS, EffectiveSettings
from ..storage import safe_open
from ..storage.filesystems import mounts
from ..storage.mount_threads import StorageThreads
from . import suspension
from .listing import Filters, Listing
from .usage import DAY_US, Usage, measure


class Growth(NamedTuple):
    """How many bytes a camera's files grow by in a day, and in all at most."""

    per_day: float
    most: float = float("inf")


def find_room(app: Flask, usages: list[Usage] | None = None) -> Room:
    """For how many days there is room on the file system that is full first.

    Computed from the present rates and limits; while retention is suspended, without limits. The
    ``usages`` are measured where they are not given.
    """
    usages = measure(app) if usages is None else usages
    base, settings = app.config["NVR_FOSCAM_BASE_PATH"], app.extensions["settings"]
    effective = settings.effective(usage.camera["id"] for usage in usages)
    own = _without_shared(base, usages, effective)
    is_in_force = suspension.reason_without_base(app) is None
    box = settings.box() if is_in_force else dict.fromkeys(BOX_LIMITS, 0)
    growths = _growths(app, own, effective if is_in_force else {})
    days = _days_until_full(base, own, growths, app.extensions["folders"].threads)
    if days is not None and box["keep_bytes"]:
        left = box["keep_bytes"] - sum(usage.bytes for usage in own)
        until = _days_until(left, growths)
        days = None if until is not None and until <= days else days
    has_limit = any(box[name] for name in BOX_LIMITS)
    return Room(None if box["keep_free_bytes"] else days, has_limit)


def figures(app: Flask) -> Row:
    """How full the disk is, what each camera occupies, and for how many days there is room.

    Raises `safe_open.StorageNotAnswering`.
    """
    base, threads = app.config["NVR_FOSCAM_BASE_PATH"], app.extensions["folders"].threads
    found, usages = stats.storage(base, threads), measure(app)
    left = find_room(app, usages).days_left
    return found | {
        "cameras": [usage.row() for usage in usages],
        "days_left": None if left is None else int(left * 10) / 10,
    }


def _without_shared(
    base: str, usages: list[Usage], effective: dict[str, EffectiveSettings]
) -> list[Usage]:
    """The cameras without those whose files all belong to another camera too."""
    # The cameras of each path, with their places in the list.
    places: dict[str, list[tuple[int, str | None]]] = {}
    paths = [safe_open.normalise(base, usage.camera["folder_path"]) for usage in usages]
    patterns = [effective[usage.camera["id"]].file_pattern for usage in usages]
    for place, (path, pattern) in enumerate(zip(paths, patterns, strict=True)):
        places.setdefault(path, []).append((place, pattern and pattern.lower()))

    def is_shared(place: int) -> bool:
        path, pattern = paths[place], patterns[place] and str(patterns[place]).lower()
        for other, wider in places[path]:
            is_same = wider == pattern
            if (is_same and other < place) or (wider is None and not is_same):
                return True
        while path != "/":
            path = os.path.dirname(path)
            if any(wider in (None, pattern) for _, wider in places.get(path, ())):
                return True
        return False

    return [usage for place, usage in enumerate(usages) if not is_shared(place)]


def _growths(
    app: Flask, usages: list[Usage], effective: dict[str, EffectiveSettings]
) -> list[Growth]:
    """The growth of each camera; a camera that is not in ``effective`` has no limits."""
    now_us, dates = clock.to_us(clock.now()), CameraRetention.by_camera()
    growths, chosen = [], CameraSettings.by_camera()
    for usage in usages:
        limits, most = effective.get(usage.camera["id"]), float("inf")
        if limits and limits.keep_days:
            # Files from before the camera stay, unless it lets them go.
            since = dates.get(usage.camera["id"], {}).get("folder_since")
            may_go = chosen.get(usage.camera["id"], {}).get("prune_existing")
            first_us = now_us if usage.oldest_us is None else usage.oldest_us
            since_us = clock.microseconds(since) if since and not may_go else first_us
            if first_us < since_us and _has_old_files(app, usage, since_us):
                first_us = since_us
            days = limits.keep_days - (now_us - first_us) / DAY_US
            most = usage.bytes_per_day * max(0.0, days)
        if limits and limits.keep_bytes:
            most = min(most, max(0, limits.keep_bytes - usage.bytes))
        growths.append(Growth(usage.bytes_per_day, most))
    return growths


def _has_old_files(app: Flask, usage: Usage, since_us: int) -> bool:
    """Whether the camera's oldest file was there before, and was not only taken before."""
    index = app.extensions["pictures"].of(usage.camera)
    return any(
        row.changed_us < since_us for row in Listing(index).first(Filters(newest_first=False), 1)
    )


def _days_until_full(
    base: str, usages: list[Usage], growths: list[Growth], threads: StorageThreads
) -> float | None:
    """When the first of the file systems is full; one that does not answer is left out.

    None while the base path is missing, because the free space is unknown then.
    """
    with suppress(safe_open.StorageNotAnswering):
        if not threads.ask(partial(os.path.isdir, base), base):
            return None
    by_mount: dict[str, list[Growth]] = {}
    folders: dict[str, str] = {}
    real = mounts.table().without_links(base)
    for usage, growth in zip(usages, growths, strict=True):
        folder = usage.camera["folder_path"]
        components = safe_open.below(safe_open.normalise(base, folder), base, real)
        path = os.path.join(real, *(components or []))
        point = mounts.table().way(path)[-1].point
        by_mount.setdefault(point, []).append(growth)
        folders[point] = folder
    days = []
    for point, some in by_mount.items():
        with suppress(OSError, safe_open.StorageNotAnswering):
            system = threads.ask(partial(os.statvfs, point), base, folders[point])
            until = _days_until(system.f_bavail * system.f_frsize, some)
            days += [] if until is None else [until]
    return min(days, default=None)


def _days_until(size: int, growths: Iterable[Growth]) -> float | None:
    """When the files have grown by ``size`` bytes; None if they never do."""
    left, days = float(size), 0.0
    growing = sorted(
        (each.most / each.per_day, each.per_day) for each in growths if each.per_day > 0
    )
    per_day = sum(each for _, each in growing)
    for until, ended in growing:
        if left <= per_day * (until - days):
            return max(0.0, days + left / per_day)
        left -= per_day * (until - days)
        days, per_day = until, per_day - ended
    return None
