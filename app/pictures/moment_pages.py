"""Which moments are there, with which detections? Newest first, page by page."""

from collections.abc import Iterator
from datetime import tzinfo
from heapq import merge
from itertools import islice
from typing import NamedTuple

from .. import clock
from ..models import Row
from ..models.lists import detections_between, events_between
from ..models.uploads import Upload
from ..storage import safe_open
from .files import Facts
from .listing import Listing
from .moments import HOUR_US, SECOND_US, Moment, group
from .uploads import newest_first

# After the last moment that can have an upload.
NEVER_US = clock.LATEST_SECONDS * SECOND_US + 1


class Source(NamedTuple):
    """A camera, its pictures, and the longest time between two uploads of one moment.

    ``base``: the base path.
    """

    camera: Row
    listing: Listing
    gap_us: int
    base: str


class Period(NamedTuple):
    """The moments to list: those that start from ``start_us`` to before ``end_us``, and in the
    list come after the moment ``after``, given by its start and its camera's id.
    """

    start_us: int | None = None
    end_us: int | None = None
    after: tuple[int, str] | None = None


class Placed(NamedTuple):
    """A moment of a camera between its neighbours in time; None where there is none."""

    source: Source
    moment: Moment
    newer: Moment | None
    older: Moment | None

    @property
    def order(self) -> tuple[int, str]:
        """Its place in the list: newest first, then by the camera's id."""
        return -self.moment.start_us, self.source.camera["id"]

    def is_nearest(self, moment_us: int) -> bool:
        """Whether this moment is the nearest to a time, of two the older."""
        own = self.moment.distance(moment_us)
        is_before = self.newer is None or own <= self.newer.distance(moment_us)
        return is_before and (self.older is None or own < self.older.distance(moment_us))


def page(
    sources: list[Source], period: Period, limit: int, zone: tzinfo
) -> tuple[list[Row], tuple[int, str] | None]:
    """At most ``limit`` moments as they are sent, and where the next page begins."""
    streams = [_placed(source, period, zone) for source in sources]
    found = list(islice(merge(*streams, key=lambda placed: placed.order), limit + 1))
    last = found[limit - 1] if len(found) > limit else None
    key = None if last is None else (last.moment.start_us, last.source.camera["id"])
    return [_shown(placed) for placed in found[:limit]], key


def _placed(source: Source, period: Period, zone: tzinfo) -> Iterator[Placed]:
    """The moments of one camera that start in the period."""
    bounds = [period.end_us, None if period.after is None else period.after[0] + 1]
    end_us = min((bound for bound in bounds if bound is not None), default=NEVER_US)
    # No moment is longer than an hour, and whether a run is cut shows within the hour before.
    read_from = min(end_us + 2 * HOUR_US + source.gap_us, NEVER_US)
    moments = group(newest_first(source.listing, read_from), source.gap_us, zone)
    newer, moment = None, next(moments, None)
    while moment is not None and (period.start_us is None or moment.start_us >= period.start_us):
        older = next(moments, None)
        placed = Placed(source, moment, newer, older)
        if moment.start_us < end_us and _comes_after(placed, period):
            yield placed
        newer, moment = moment, older


def _comes_after(placed: Placed, period: Period) -> bool:
    return period.after is None or placed.order > (-period.after[0], period.after[1])


def _shown(placed: Placed) -> Row:
    source, moment = placed.source, placed.moment
    camera_id, gap_us = source.camera["id"], source.gap_us
    # One microsecond is added because the end of a period is exclusive.
    around = _text(moment.start_us - gap_us), _text(moment.end_us + gap_us + 1)
    detections = [
        each
        for each in detections_between(camera_id, *around)
        if placed.is_nearest(clock.microseconds(each["detected_at"]))
    ]
    events = [
        each["id"]
        for each in events_between(camera_id, *around)
        if placed.is_nearest(clock.microseconds(each["started_at"]))
    ]
    return {
        "camera_id": camera_id,
        "start": _text(moment.start_us),
        "end": _text(moment.end_us),
        "pictures": len(moment.uploads) - moment.clips,
        "clips": moment.clips,
        "cover": _id_of(_cover(placed, detections)),
        "object_types": sorted({each["object_type"] for each in detections}),
        "event_ids": sorted(events),
        "continuous": moment.continuous,
    }


def _cover(placed: Placed, detections: list[Row]) -> Upload:
    """The picture of the detection with the highest confidence, else the middle one."""
    if not detections:
        return placed.moment.middle()
    surest = max(detections, key=lambda each: (each["confidence"], each["detected_at"]))
    named = _upload_at(placed.source, surest["file_path"])
    if named is not None and named in placed.moment.shown():
        return named
    return placed.moment.nearest(clock.microseconds(surest["detected_at"]))


def _upload_at(source: Source, file_path: str | None) -> Upload | None:
    """The indexed picture or clip at the path that a detection names, if there is one."""
    if file_path is None:
        return None
    try:
        components = safe_open.components_within(
            source.base, source.camera["folder_path"], file_path
        )
    except (safe_open.OutsideBase, safe_open.OutsideFolder):
        return None
    row = source.listing.at("/".join(components[:-1]), components[-1])
    return None if row is None else (row.taken_us, row.tag, row.is_clip, row.own_us)


def _id_of(upload: Upload) -> str:
    taken_us, tag, _, own_us = upload
    return Facts(tag, taken_us if own_us is None else own_us).picture_id


def _text(moment_us: int) -> str:
    return clock.rfc3339(clock.from_ns(moment_us * 1000))
