"""How does an event come, and what do people make of it? Each call is one transaction."""

from ..db import database, writer
from ..models import Event, Refused, Row, fetch, types_text
from ..models.listings import EVENTS
from . import audit
from .audit import Caller
from .detections import marks, refuse_strangers

NO_DETECTION = "There is no unclaimed detection with this id of the same camera: {}."
ENDS_FIRST = "Must not be before started_at, {}."


def store_event(event: Row) -> Row:
    """A new event that claims its ``detection_ids``; raises `Refused`."""
    claimed = sorted(set(event.pop("detection_ids")))

    def create() -> Row:
        refuse_strangers([event])
        _refuse_wrong_end(event["started_at"], event["ended_at"])
        types = types_text(_unclaimed_types(claimed, event["camera_id"]))
        event_id = int(Event.insert(event | {"object_types": types}).execute())
        _claim(claimed, event_id)
        return EVENTS.one(event_id)

    return writer.run(create)


def review_event(event_id: int, fields: Row, by: Caller) -> Row:
    """The event after ``fields`` were set, with an audit entry of what differs.

    Raises `models.NotFound` and `Refused`.
    """

    def update() -> Row:
        event = EVENTS.one(event_id)
        _refuse_wrong_end(event["started_at"], fields.get("ended_at"))
        changes = audit.differences(event, fields)
        if changes:
            Event.update({name: fields[name] for name in changes}).where(
                Event.id == event_id
            ).execute()
            audit.record("event_updated", by, "event", event, {"changes": changes})
        return EVENTS.one(event_id)

    return writer.run(update)


def _unclaimed_types(detection_ids: list[int], camera_id: str) -> list[str]:
    """What the detections showed; `Refused` names those that cannot be claimed."""
    found = fetch(
        f"SELECT id, object_type FROM detection WHERE id IN ({marks(detection_ids)}) "  # noqa: S608
        "AND camera_id = ? AND event_id IS NULL",
        [*detection_ids, camera_id],
    )
    free = {row["id"] for row in found}
    strangers = [str(detection_id) for detection_id in detection_ids if detection_id not in free]
    if strangers:
        raise Refused({"detection_ids": [NO_DETECTION.format(", ".join(strangers))]})
    return [row["object_type"] for row in found]


def _claim(detection_ids: list[int], event_id: int) -> None:
    if detection_ids:
        sql = f"UPDATE detection SET event_id = ? WHERE id IN ({marks(detection_ids)})"  # noqa: S608
        database.execute_sql(sql, [event_id, *detection_ids])


def _refuse_wrong_end(started_at: str, ended_at: str | None) -> None:
    if ended_at is not None and ended_at < started_at:
        raise Refused({"ended_at": [ENDS_FIRST.format(started_at)]})
