"""Which filters does each long list have, and how are events counted?"""

from typing import Any

from peewee import SQL, fn

from ..db.base import Parameter, Row, compiled, has_line
from .cameras import Camera
from .events import CONFIDENCE_BUCKETS, Detection, Event, confidence_bucket, encode_types
from .keyset import KeysetQuery, Union
from .system import AuditEntry

# As a limit (sqlite.org/lang_select.html#limitoffset).
UNLIMITED = -1
# With more different sets of object types than this, the index on them is not used.
MOST_SETS_OF_TYPES = 100
BY_TYPES = "event_object_types_started_at_id_camera_id_risk_level_reviewed"


def event_counts_by_level(period: Row) -> dict[str | None, int]:
    """How many events that began in the ``period`` have each risk level, or none."""
    rows = _count_by_level(tuple(period)).rows(**period)
    return {row["risk_level"]: row["count"] for row in rows}


def event_counts_by_camera(period: Row) -> list[Row]:
    """How many events began in the ``period`` in front of each camera, most first."""
    return _count_by_camera(tuple(period)).rows(**period)


def detections_between(camera_id: str, start: str, end: str, limit: int) -> list[Row]:
    """What was detected in front of a camera in a period: when, what, how surely and where.

    At most ``limit``, in any order.
    """
    values = {"camera_id": camera_id, "start_date": start, "end_date": end, "limit": limit}
    return _detections_between().rows(**values)


def events_between(camera_id: str, start: str, end: str, limit: int) -> list[Row]:
    """The id and the beginning of each event of a camera that began in a period.

    At most ``limit``, in any order.
    """
    values = {"camera_id": camera_id, "start_date": start, "end_date": end, "limit": limit}
    return _events_between().rows(**values)


def counts_by_time(
    listing: KeysetQuery, camera_id: str, start: str, end: str, characters: int
) -> dict[str, int]:
    """How many rows of a camera each minute or hour of a period has, by the text that its times
    begin with: the first 16 ``characters`` are a minute, the first 13 an hour.
    """
    given = {"camera_id": camera_id, "start_date": start, "end_date": end}
    rows = _counts_by_time(listing, characters).rows(**given)
    return {row["begin"]: row["count"] for row in rows}


def _bucket_union(given: Row) -> Union | None:
    """The buckets from the least confidence up; None for one event, whose detections are few."""
    if "event_id" in given or not given.keys() & {"camera_id", "object_type", "min_confidence"}:
        return None
    least = confidence_bucket(given.get("min_confidence", 0))
    return Union("confidence_bucket", CONFIDENCE_BUCKETS[least:])


def _type_union(given: Row) -> Union | None:
    """The sets of object types that hold the one asked for, where they are few.

    Where none does, a set that no event has, so that no row is read.
    """
    known = Event.sets_of_types(MOST_SETS_OF_TYPES) if "object_type" in given else None
    if known is None:
        return None
    asked = encode_types([given["object_type"]])
    return Union("object_types", [text for text in known if asked in text] or [asked], BY_TYPES)


DETECTIONS = KeysetQuery(
    model=Detection,
    moment=Detection.detected_at,
    filters={
        "camera_id": Detection.camera == Parameter("camera_id"),
        "event_id": Detection.event == Parameter("event_id"),
        "object_type": Detection.object_type == Parameter("object_type"),
        "min_confidence": Detection.confidence >= Parameter("min_confidence"),
        "start_date": Detection.detected_at >= Parameter("start_date"),
        "end_date": Detection.detected_at < Parameter("end_date"),
    },
    union=_bucket_union,
)
EVENTS = KeysetQuery(
    model=Event,
    moment=Event.started_at,
    filters={
        "camera_id": Event.camera == Parameter("camera_id"),
        "risk_level": Event.risk_level == Parameter("risk_level"),
        "reviewed": Event.reviewed == Parameter("reviewed"),
        "object_type": has_line(Event.object_types, Parameter("object_type")),
        "start_date": Event.started_at >= Parameter("start_date"),
        "end_date": Event.started_at < Parameter("end_date"),
    },
    union=_type_union,
)
AUDIT = KeysetQuery(
    model=AuditEntry,
    moment=AuditEntry.timestamp,
    filters={
        "action": AuditEntry.action == Parameter("action"),
        "resource_type": AuditEntry.resource_type == Parameter("resource_type"),
        "resource_id": AuditEntry.resource_id == Parameter("resource_id"),
        "actor": AuditEntry.actor == Parameter("actor"),
        "start_date": AuditEntry.timestamp >= Parameter("start_date"),
        "end_date": AuditEntry.timestamp < Parameter("end_date"),
    },
)


@compiled
def _count_by_level(names: tuple[str, ...]) -> Any:
    query = Event.select(Event.risk_level, fn.COUNT(SQL("*")).alias("count"))
    return _where(query, names).group_by(Event.risk_level)


@compiled
def _count_by_camera(names: tuple[str, ...]) -> Any:
    count = fn.COUNT(SQL("*")).alias("count")
    counts = _where(Event.select(Event.camera, count), names).group_by(Event.camera)
    columns = (
        Camera.id.alias("camera_id"),
        Camera.name.alias("camera_name"),
        counts.c.count.alias("event_count"),
    )
    query = Camera.select(*columns).join(counts, on=counts.c.camera_id == Camera.id)
    return query.order_by(counts.c.count.desc(), Camera.name, Camera.id)


def _where(query: Any, names: tuple[str, ...]) -> Any:
    return query.where(*[EVENTS.filters[name] for name in names]) if names else query


@compiled
def _detections_between() -> Any:
    columns = (
        *(Detection.detected_at, Detection.object_type),
        *(Detection.confidence, Detection.file_path),
    )
    return _between(Detection.select(*columns), DETECTIONS).limit(Parameter("limit"))


@compiled
def _events_between() -> Any:
    query = _between(Event.select(Event.id, Event.started_at), EVENTS)
    return query.limit(Parameter("limit"))


@compiled
def _counts_by_time(listing: KeysetQuery, characters: int) -> Any:
    begin = fn.SUBSTR(listing.moment, 1, characters).alias("begin")
    query = listing.model.select(begin, fn.COUNT(SQL("*")).alias("count"))
    return _between(query, listing).group_by(SQL("begin"))


def _between(query: Any, listing: KeysetQuery) -> Any:
    """The rows of one camera and period; an index has each bucket of confidence by time."""
    names = ("camera_id", "start_date", "end_date")
    conditions = [listing.filters[name] for name in names]
    if listing.model is Detection:
        conditions.append(Detection.confidence_bucket.in_(CONFIDENCE_BUCKETS))
    return query.where(*conditions)
