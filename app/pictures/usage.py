"""How much do the pictures and clips of each camera occupy?"""

import time
from contextlib import suppress
from typing import NamedTuple

from flask import Flask

from .. import clock
from ..clock import HOUR_US
from ..db import database
from ..models import Row
from ..models.picture_folders import TOTALS
from ..models.uploads import PictureHour, usage_of_cameras
from .camera_index import CameraIndex
from .index import NOT_FOLLOWED, PictureIndex
from .listing import Filters, Listing
from .overlay import Corrections, add_to_hours

DAY_US = 24 * HOUR_US
# The rate is that of so many days, or since the camera's first file, but of at least one day.
RATE_DAYS = 7
RATE_HOURS = 24 * RATE_DAYS
# How long a response waits for changes in the cameras' folders, in seconds.
FOLLOW_SECONDS = 1.0
# The columns with the times of the oldest and the newest picture, and of such clips.
ENDS = {
    False: ("oldest_picture_us", "newest_picture_us"),
    True: ("oldest_clip_us", "newest_clip_us"),
}


class Usage(NamedTuple):
    """What the files of a camera occupy; the times are None where it has none.

    ``bytes_per_day``: the rate of the last `RATE_DAYS`, to the hour.
    """

    camera: Row
    pictures: int
    clips: int
    bytes: int
    oldest_us: int | None
    newest_us: int | None
    bytes_per_day: float

    def row(self) -> Row:
        """As the API sends it."""
        return {
            "camera_id": self.camera["id"],
            "name": self.camera["name"],
            "pictures": self.pictures,
            "clips": self.clips,
            "bytes": self.bytes,
            "oldest": _text(self.oldest_us),
            "newest": _text(self.newest_us),
            "bytes_per_day": round(self.bytes_per_day),
        }


def follow_all(pictures: PictureIndex) -> None:
    """Look for changes in the folders of all cameras, for `FOLLOW_SECONDS`."""
    until = time.monotonic() + FOLLOW_SECONDS
    for camera, _ in pictures.all():
        if time.monotonic() >= until:
            return
        with suppress(*NOT_FOLLOWED):
            pictures.follow(camera)


def measure(app: Flask) -> list[Usage]:
    """The usage of every camera, from totals that are maintained."""
    now_us = clock.to_us(clock.now())
    first_hour = -(-(now_us - RATE_DAYS * DAY_US) // HOUR_US)  # the first whole one
    with database.atomic():
        rows = {row["camera_id"]: row for row in usage_of_cameras()}
        recent = PictureHour.bytes_since(first_hour)
    found = []
    for camera, index in app.extensions["pictures"].all():
        row, corrections = rows.get(camera["id"], {}), index.lookups.overlay.corrections()
        if (row.get("folder_path"), row.get("file_pattern")) != index.found_by:
            row = {}
        known = index.lookups.number, corrections.version
        is_unused = known == (0, 0) and not corrections.hidden
        if not is_unused and known != (row.get("id"), row.get("version")):  # it was written since
            with index.state() as (current, corrections):
                row = next(iter(usage_of_cameras(current["id"])), {})
                recent[current["id"]] = PictureHour.bytes_of(current["id"], first_hour, RATE_HOURS)
        recent_bytes = recent.get(row.get("id", 0), 0) + _since(first_hour, corrections)
        found.append(_usage(camera, index, row, corrections, recent_bytes, now_us))
    return found


def _since(first_hour: int, corrections: Corrections) -> int:
    """The difference that unwritten changes make to the bytes since an hour."""
    hours: dict[int, int] = {}
    for rows, sign in ((corrections.added, 1), (corrections.removed, -1)):
        for row in rows:
            add_to_hours(hours, row, sign)
    return sum(size for hour, size in hours.items() if hour >= first_hour)


def _usage(
    camera: Row,
    index: CameraIndex,
    row: Row,
    corrections: Corrections,
    recent_bytes: int,
    now_us: int,
) -> Usage:
    pictures, picture_bytes, clips, clip_bytes = (
        row.get(name, 0) + corrections.totals.get(name, 0) for name in TOTALS
    )
    oldest_us, newest_us = _ends(index, row, corrections)
    days = (now_us - (now_us if oldest_us is None else oldest_us)) / DAY_US
    per_day = recent_bytes / min(max(days, 1), RATE_DAYS)
    size = picture_bytes + clip_bytes
    return Usage(camera, pictures, clips, size, oldest_us, newest_us, per_day)


def _ends(index: CameraIndex, row: Row, corrections: Corrections) -> tuple[int | None, int | None]:
    """The times of the oldest and of the newest file."""
    stored = {(is_clip, row.get(name)) for is_clip, names in ENDS.items() for name in names}
    if stored & {(each.is_clip, each.taken_us) for each in corrections.removed}:
        pages = [Listing(index).page(Filters(newest_first=newest), 1) for newest in (False, True)]
        moments = [row.taken_us for page in pages for row in page.rows]
    else:
        moments = [moment for _, moment in stored if moment is not None]
        moments += [added.taken_us for added in corrections.added]
    return min(moments, default=None), max(moments, default=None)


def _text(moment_us: int | None) -> str | None:
    return None if moment_us is None else clock.rfc3339_us(moment_us)
