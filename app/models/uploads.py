"""When did a camera upload? Reads its pictures and clips as short rows, because they are many."""

from typing import Any

from peewee import EXCLUDED, SQL, BigIntegerField, CompositeKey, IntegerField, Tuple, fn

from ..db.base import BaseModel, Parameter, Row, compiled
from .picture_folders import PictureCamera
from .pictures import Key, Picture

# A picture or a clip: its time, its tag, whether it is a clip (0 or 1), and the time in its file
# if that is a different one.
Upload = tuple[int, bytes, int, int | None]


class PictureHour(BaseModel):
    """The bytes of the pictures and clips of an hour, so that no request has to add them up."""

    # Hours since the epoch.
    hour = IntegerField()
    # The number of the `PictureCamera`.
    camera = IntegerField()
    bytes = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("hour", "camera")
        without_rowid = True

    @classmethod
    def add(cls, camera: int, differences: dict[int, int]) -> None:
        """Add bytes to hours, and delete those that become empty; call it inside a change."""
        for hour, difference in differences.items():
            _add_to_hour().insert(hour=hour, camera=camera, bytes=difference)
            if difference < 0:
                _delete_empty_hour().change(hour=hour, camera=camera)

    @classmethod
    def bytes_since(cls, hour: int) -> dict[int, int]:
        """The bytes since this hour by the number of the `PictureCamera`."""
        return dict(_bytes_since().tuples(hour=hour))

    @classmethod
    def bytes_of(cls, camera: int, hour: int, hours: int) -> int:
        """The bytes of one `PictureCamera` in this hour and in so many hours after it."""
        names = {f"hour_{n}": hour + n for n in range(hours + 1)}
        return int(_bytes_of(hours + 1).scalar(camera=camera, **names) or 0)

    @classmethod
    def remove_all(cls, camera: int) -> None:
        """Delete the hours of one `PictureCamera`; call it inside a change."""
        _delete_hours().change(camera=camera)


def usage_of_cameras(number: int | None = None) -> list[Row]:
    """Each `PictureCamera`, or the one of this number, with the times of its oldest and newest
    picture and clip.
    """
    if number is None:
        return _select_usage(one=False).rows()
    return _select_usage(one=True).rows(id=number)


def uploads_before(camera: int, key: Key, limit: int) -> list[Upload]:
    """The next pictures and clips that come before a key, newest first."""
    values = {"camera": camera, "key_us": key[0], "key_tag": key[1], "limit": limit}
    return _uploads_before().tuples(**values)


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
    """SQLite merges the pictures and the clips, of which each are in order."""
    key = Tuple(Parameter("key_us"), Parameter("key_tag"))
    columns = Picture.taken_us, Picture.tag, Picture.is_clip, Picture.own_us
    is_before = Picture.camera == Parameter("camera"), Tuple(*columns[:2]) < key
    pictures, clips = (
        Picture.select(*columns).where(Picture.is_clip == is_clip, *is_before)
        for is_clip in (False, True)
    )
    query = pictures.union_all(clips).order_by(SQL("taken_us").desc(), SQL("tag").desc())
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


@compiled
def _add_to_hour() -> Any:
    names = ("hour", "camera", "bytes")
    query = PictureHour.insert({name: Parameter(name) for name in names})
    total = PictureHour.bytes + EXCLUDED.bytes
    return query.on_conflict(
        conflict_target=[PictureHour.hour, PictureHour.camera], update={PictureHour.bytes: total}
    )


@compiled
def _delete_empty_hour() -> Any:
    is_hour = PictureHour.hour == Parameter("hour"), PictureHour.camera == Parameter("camera")
    return PictureHour.delete().where(*is_hour, PictureHour.bytes == 0)


@compiled
def _delete_hours() -> Any:
    return PictureHour.delete().where(PictureHour.camera == Parameter("camera"))


@compiled
def _bytes_since() -> Any:
    query = PictureHour.select(PictureHour.camera, fn.SUM(PictureHour.bytes))
    return query.where(PictureHour.hour >= Parameter("hour")).group_by(PictureHour.camera)


@compiled
def _bytes_of(hours: int) -> Any:
    """Looks each hour up, because the rows of all cameras lie between the first and the last."""
    names = [Parameter(f"hour_{n}") for n in range(hours)]
    query = PictureHour.select(fn.SUM(PictureHour.bytes)).where(PictureHour.hour.in_(names))
    return query.where(PictureHour.camera == Parameter("camera"))


@compiled
def _select_usage(one: bool) -> Any:
    ends = [
        Picture.select(end(Picture.taken_us))
        .where(Picture.camera == PictureCamera.id, Picture.is_clip == is_clip)
        .alias(name)
        for name, end, is_clip in (
            ("oldest_picture_us", fn.MIN, False),
            ("newest_picture_us", fn.MAX, False),
            ("oldest_clip_us", fn.MIN, True),
            ("newest_clip_us", fn.MAX, True),
        )
    ]
    query = PictureCamera.select(PictureCamera, *ends)
    return query.where(PictureCamera.id == Parameter("id")) if one else query
