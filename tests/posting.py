"""What do tests post? The smallest valid camera, detection and event, with added fields."""

from typing import Any

from flask.testing import FlaskClient

from app.models import Row


def detection(camera: Row, **fields: Any) -> Row:
    """The body of a detection."""
    return {"camera_id": camera["id"], "object_type": "person", "confidence": 0.5, **fields}


def event(camera: Row, **fields: Any) -> Row:
    """The body of an event."""
    return {"camera_id": camera["id"], "started_at": "2025-12-23T12:00:00Z", **fields}


def post_camera(client: FlaskClient, name: str = "Garden", folder: str = "garden") -> Row:
    """Create a camera; returns the response's JSON."""
    return _created(client, "/api/cameras", {"name": name, "folder_path": folder})


def post_detection(client: FlaskClient, camera: Row, **fields: Any) -> Row:
    """Create a detection; returns the response's JSON."""
    return _created(client, "/api/detections", detection(camera, **fields))


def post_detections(client: FlaskClient, *bodies: Row) -> list[int]:
    """Create detections as one batch; returns their ids."""
    ids = _created(client, "/api/detections", {"detections": list(bodies)})["ids"]
    return [int(detection_id) for detection_id in ids]


def post_event(client: FlaskClient, camera: Row, **fields: Any) -> Row:
    """Create an event; returns the response's JSON."""
    return _created(client, "/api/events", event(camera, **fields))


def _created(client: FlaskClient, url: str, body: Row) -> Row:
    answer = client.post(url, json=body)
    assert answer.status_code == 201, answer.get_json()
    created: Row = answer.get_json()
    return created
