"""Rows that are inserted into the tables directly, without the API's checks."""

from typing import Any

from app.db import database
from app.models import AUDIT, Camera, Detection, Event, Row

MOMENT = "2025-12-23T10:00:00.000000Z"
MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"


def add_camera(name: str = "Front Door", created_at: str = MOMENT) -> str:
    """A camera's id."""
    fields = {"name": name, "folder_path": name.lower(), "status": "online"}
    return Camera.add(created_at, fields)["id"]


def add_event(camera: str) -> int:
    """An event's id."""
    return Event.insert(
        camera=camera, started_at=MOMENT, summary="", reasoning="", reviewed=False
    ).execute()


def add_detection(camera: str, event: int | None = None, external_id: str | None = None) -> int:
    """A detection's id."""
    return Detection.insert(
        camera=camera,
        event=event,
        detected_at=MOMENT,
        object_type="person",
        confidence=0.9,
        external_id=external_id,
    ).execute()


def add_many(camera: str, detections: int, events: int) -> None:
    """Insert this many detections, spread over this many events."""
    with database.atomic():
        database.execute_sql(
            f"{MANY} INSERT INTO event (camera_id, started_at, summary, reasoning, reviewed)"
            " SELECT ?, ?, '', '', 0 FROM n",
            (events, camera, MOMENT),
        )
        (newest,) = database.execute_sql("SELECT max(id) FROM event").fetchone()
        database.execute_sql(
            f"{MANY} INSERT INTO detection (camera_id, event_id, detected_at, object_type,"
            " confidence) SELECT ?, ? - i % ?, ?, 'person', 0.9 FROM n",
            (detections, camera, newest, events, MOMENT),
        )


def rows(query: Any) -> list[Row]:
    """The rows that a peewee query finds, by column name."""
    return list(query.dicts())


def entries_of(resource_id: str) -> list[Row]:
    """Everything that the audit log says of one resource, oldest first."""
    return list(AUDIT.iterate({"resource_id": resource_id}))[::-1]
