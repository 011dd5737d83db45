"""Which moments do cameras have, with which detections? Newest first, page by page."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import tzinfo
from heapq import merge
from itertools import islice
from typing import NamedTuple

from .. import clock
from ..clock import HOUR_US, SECOND_US
from ..models import Row
from ..models.lists import UNLIMITED, detections_between, events_between
from ..models.uploads import Upload
from ..storage import safe_open
from .files import FileFacts
from .listing import Listing
from .moments import Moment, group
from .uploads import newest_first

# After the last moment that can have an upload.
NEVER_US = clock.LATEST_SECONDS * SECOND_US + 1
# How many detections, or events, of several moments are read together, those between included.
MOST_TOGETHER = 1000


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


class PlacedMoment(NamedTuple):
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
    return _rows(found[:limit]), key


def _placed(source: Source, period: Period, zone: tzinfo) -> Iterator[PlacedMoment]:
    """The moments of one camera that start in the period."""
    after = period.after
    bounds = [period.end_us, None if after is None else after[0] + 1]
    end_us = min((bound for bound in bounds if bound is not None), default=NEVER_US)
    # No moment is longer than an hour, and whether a run is cut shows within the hour before.
    read_from = min(end_us + 2 * HOUR_US + source.gap_us, NEVER_US)
    moments = group(newest_first(source.listing, read_from), source.gap_us, zone)
    newer, moment = None, next(moments, None)
    while moment is not None and (period.start_us is None or moment.start_us >= period.start_us):
        older = next(moments, None)
        placed = PlacedMoment(source, moment, newer, older)
        is_after = after is None or placed.order > (-after[0], after[1])
        if moment.start_us < end_us and is_after:
            yield placed
        newer, moment = moment, older


def _rows(placed: list[PlacedMoment]) -> list[Row]:
    """Moments of any cameras as they are sent, in the same order."""
    cameras: dict[str, list[PlacedMoment]] = {}
    for each in placed:
        cameras.setdefault(each.source.camera["id"], []).append(each)
    rows = {key: row for some in cameras.values() for key, row in _rows_of_camera(some[::-1])}
    return [rows[each.order] for each in placed]


def _rows_of_camera(placed: list[PlacedMoment]) -> Iterator[tuple[tuple[int, str], Row]]:
    """Moments of one camera, oldest first, as they are sent, each with its place in the list."""
    detections = _by_moment(placed, detections_between, "detected_at")
    events = _by_moment(placed, events_between, "started_at")
    surest = {
        order: max(some, key=lambda each: (each["confidence"], each["detected_at"]))
        for order, some in detections.items()
    }
    named = _uploads_at(placed[0].source, [each["file_path"] for each in surest.values()])
    for each in placed:
        order, moment = each.order, each.moment
        clips = moment.clips
        row = {
            "camera_id": order[1],
            "start": clock.rfc3339_us(moment.start_us),
            "end": clock.rfc3339_us(moment.end_us),
            "pictures": len(moment.uploads) - clips,
            "clips": clips,
            "cover": _id_of(_cover(moment, surest.get(order), named)),
            "object_types": sorted({d["object_type"] for d in detections.get(order, ())}),
            "event_ids": sorted({event["id"] for event in events.get(order, ())}),
            "continuous": moment.continuous,
        }
        yield order, row


def _by_moment(
    placed: list[PlacedMoment], between: Callable[..., list[Row]], field: str
) -> dict[tuple[int, str], list[Row]]:
    """The rows between the moments' start and end, gaps included, each at its nearest moment."""
    found: dict[tuple[int, str], list[Row]] = {}
    for row in _near(placed, between):
        at_us = clock.microseconds(row[field])
        later = bisect_right(placed, at_us, key=lambda each: each.moment.start_us)
        for each in placed[max(later - 1, 0) : later + 1]:
            if each.moment.distance(at_us) <= each.source.gap_us and each.is_nearest(at_us):
                found.setdefault(each.order, []).append(row)
    return found


def _near(placed: list[PlacedMoment], between: Callable[..., list[Row]]) -> list[Row]:
    """The rows around these moments; some twice, and some others between two moments.

    One query reads them, unless that would be more than `MOST_TOGETHER` for several moments.
    """
    first, last = placed[0], placed[-1]
    # One microsecond is added because the end of a period is exclusive.
    start_us, end_us = (
        first.moment.start_us - first.source.gap_us,
        last.moment.end_us + last.source.gap_us + 1,
    )
    limit = MOST_TOGETHER if len(placed) > 1 else UNLIMITED
    rows = between(
        first.source.camera["id"], clock.rfc3339_us(start_us), clock.rfc3339_us(end_us), limit
    )
    if len(rows) < limit or len(placed) == 1:
        return rows
    half = len(placed) // 2
    return _near(placed[:half], between) + _near(placed[half:], between)


def _cover(moment: Moment, surest: Row | None, named: dict[str, Upload]) -> Upload:
    """The picture of the detection with the highest confidence, else the middle one."""
    if surest is None:
        return moment.middle()
    cover = named.get(surest["file_path"])
    if cover is not None and cover in moment.representatives():
        return cover
    return moment.nearest(clock.microseconds(surest["detected_at"]))


def _uploads_at(source: Source, file_paths: list[str | None]) -> dict[str, Upload]:
    """The indexed pictures and clips at the paths that detections name, by that path."""
    paths = {}
    for file_path in filter(None, file_paths):
        with suppress(safe_open.OutsideBase, safe_open.OutsideFolder):
            components = safe_open.components_within(
                source.base, source.camera["folder_path"], file_path
            )
            paths[file_path] = "/".join(components)
    rows = source.listing.at(set(paths.values()))
    return {
        file_path: (row.taken_us, row.tag, row.is_clip, row.own_us)
        for file_path, path in paths.items()
        if (row := rows.get(path))
    }


def _id_of(upload: Upload) -> str:
    taken_us, tag, _, own_us = upload
    return FileFacts(tag, taken_us if own_us is None else own_us).picture_id
