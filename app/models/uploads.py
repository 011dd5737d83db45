"""When did a camera upload? Its pictures and clips as short rows, to read thousands of them."""

from typing import Any

from peewee import SQL, Tuple, fn

from ..db.base import Parameter, compiled
from .pictures import Key, Picture

# A picture or a clip: its time, its tag, whether it is a clip (0 or 1), and its own time where
# that is another one.
Upload = tuple[int, bytes, int, int | None]


def uploads_before(camera: int, is_clip: bool, key: Key, limit: int) -> list[Upload]:
    """The next pictures, or clips, that come before a key, newest first."""
    values = {"camera": camera, "is_clip": is_clip, "limit": limit}
    return _uploads_before().tuples(key_us=key[0], key_tag=key[1], **values)


def count_changed(camera: int, before_us: int) -> int:
    """How many pictures and clips last changed before a time; reads through all of them."""
    return int(_count_changed().scalar(camera=camera, before_us=before_us))


def counts_by_time(
    camera: int, is_clip: bool, period: tuple[int, int], origin_us: int, length_us: int
) -> list[tuple[int, int]]:
    """How many pictures, or clips, of a period lie in each part of this length.

    Pairs of the part's number, counted from an origin that is not after the period's start, and
    the count, where there are any.
    """
    values = {"camera": camera, "is_clip": is_clip, "start_us": period[0], "end_us": period[1]}
    return _counts_by_time().tuples(**values, origin_us=origin_us, length_us=length_us)


@compiled
def _uploads_before() -> Any:
    key = Tuple(Parameter("key_us"), Parameter("key_tag"))
    is_before = Tuple(Picture.taken_us, Picture.tag) < key
    query = Picture.select(Picture.taken_us, Picture.tag, Picture.is_clip, Picture.own_us)
    newest_first = Picture.taken_us.desc(), Picture.tag.desc()
    query = query.where(*_of_kind(), is_before).order_by(*newest_first)
    return query.limit(Parameter("limit"))


@compiled
def _count_changed() -> Any:
    is_earlier = Picture.changed_us < Parameter("before_us")
    query = Picture.select(fn.COUNT(SQL("*")))
    return query.where(Picture.camera == Parameter("camera"), is_earlier)


@compiled
def _counts_by_time() -> Any:
    offset = Picture.taken_us - Parameter("origin_us")
    number = (offset / Parameter("length_us")).alias("number")
    query = Picture.select(number, fn.COUNT(SQL("*")))
    start, end = Parameter("start_us"), Parameter("end_us")
    in_period = Picture.taken_us >= start, Picture.taken_us < end
    return query.where(*_of_kind(), *in_period).group_by(SQL("number"))


def _of_kind() -> list[Any]:
    return [Picture.camera == Parameter("camera"), Picture.is_clip == Parameter("is_clip")]
