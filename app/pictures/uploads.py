"""When did a camera upload? Its pictures and clips by time, with unwritten changes."""

from collections.abc import Iterator
from heapq import merge

from ..models.uploads import Upload, counts_by_time, uploads_before
from .listing import Listing
from .overlay import Corrections

# How many are read at first, enough for a few moments, and at once later.
FIRST_UPLOADS, UPLOADS_AT_ONCE = 350, 2000


def newest_first(listing: Listing, before_us: int) -> Iterator[Upload]:
    """All pictures and clips of a camera from before a time."""
    with listing.state() as (camera, corrections):
        number = camera["id"]
    waiting = (
        (row.taken_us, row.tag, row.is_clip, row.own_us)
        for row in corrections.added
        if row.taken_us < before_us
    )
    stored, newest = _stored(number, corrections, before_us), sorted(waiting, reverse=True)
    return merge(newest, stored, reverse=True) if newest else stored


def count_parts(
    listing: Listing, is_clip: bool, period: tuple[int, int], origin_us: int, length_us: int
) -> dict[int, int]:
    """How many pictures, or clips, of a period lie in each part of this length, by its number.

    The parts are counted from an origin that is not after the period's start.
    """
    start_us, end_us = period
    with listing.state() as (camera, corrections):
        counts = dict(counts_by_time(camera["id"], is_clip, period, origin_us, length_us))
    for rows, sign in ((corrections.added, 1), (corrections.removed, -1)):
        for row in rows:
            if row.is_clip == is_clip and start_us <= row.taken_us < end_us:
                part = (row.taken_us - origin_us) // length_us
                counts[part] = counts.get(part, 0) + sign
    return counts


def _stored(number: int, corrections: Corrections, before_us: int) -> Iterator[Upload]:
    hidden, key, limit = corrections.hidden, (before_us, b""), FIRST_UPLOADS
    while some := uploads_before(number, key, limit):
        if hidden:
            yield from (each for each in some if (each[2], each[:2]) not in hidden)
        else:
            yield from some
        key, limit = some[-1][:2], min(2 * limit, UPLOADS_AT_ONCE)
