"""What do the answers about detections, events, the audit log and the box look like?"""

from typing import Any

CAMERA_ID = "123e4567-e89b-12d3-a456-426614174000"
DETECTION_CREATE = {
    "camera_id": CAMERA_ID,
    "detected_at": "2025-12-23T13:00:00+01:00",
    "object_type": "person",
    "confidence": 0.93,
    "bbox": {"x": 120, "y": 80, "width": 64, "height": 128},
    "file_path": "20251223/120000.jpg",
    "external_id": "yolo-000001",
}
DETECTION = {
    "id": 1,
    "camera_id": CAMERA_ID,
    "event_id": None,
    **DETECTION_CREATE,
    "detected_at": "2025-12-23T12:00:00.000000Z",
}
DETECTIONS = {"detections": [DETECTION], "count": 1, "next_cursor": None}
CLAIMED = DETECTIONS | {"detections": [DETECTION | {"event_id": 1}]}
ONE_OR_MANY: dict[str, Any] = {
    "one": {"value": DETECTION_CREATE},
    "batch": {"value": {"detections": [DETECTION_CREATE]}},
}
STORED: dict[str, Any] = {"one": {"value": DETECTION}, "batch": {"value": {"ids": [1, 2, 3]}}}
EVENT_CREATE = {
    "camera_id": CAMERA_ID,
    "started_at": "2025-12-23T12:00:00Z",
    "ended_at": "2025-12-23T12:00:40Z",
    "risk_score": 72,
    "summary": "A person at the front door",
    "detection_ids": [1, 2],
}
EVENT = {
    "id": 1,
    "camera_id": CAMERA_ID,
    "started_at": "2025-12-23T12:00:00.000000Z",
    "ended_at": "2025-12-23T12:00:40.000000Z",
    "risk_score": 72,
    "risk_level": "high",
    "summary": "A person at the front door",
    "reasoning": "",
    "reviewed": False,
    "notes": None,
    "detection_count": 2,
}
EVENTS = {"events": [EVENT], "count": 1, "next_cursor": None}
EVENT_UPDATE = {"reviewed": True, "notes": "The postman"}
EVENT_UPDATED = EVENT | EVENT_UPDATE
EVENT_STATS = {
    "total_events": 3,
    "events_by_risk_level": {"low": 2, "medium": 0, "high": 1, "critical": 0},
    "events_by_camera": [
        {"camera_id": CAMERA_ID, "camera_name": "Front Door Camera", "event_count": 3}
    ],
}
ENTRY = {
    "id": 2,
    "timestamp": "2025-12-23T12:05:00.000000Z",
    "action": "event_updated",
    "resource_type": "event",
    "resource_id": "1",
    "resource_name": None,
    "actor": "anonymous",
    "ip_address": "192.168.1.20",
    "user_agent": "curl/8.5.0",
    "details": {"changes": {"reviewed": {"old": False, "new": True}}},
}
ENTRIES = {"entries": [ENTRY], "count": 1, "next_cursor": None}
ALIVE = {"status": "alive"}
HEALTH = {
    "status": "healthy",
    "checks": {
        "database": {"status": "healthy", "message": "The database can be written."},
        "base_path": {
            "status": "healthy",
            "message": "The base path of the uploads can be read.",
        },
        "free_space": {"status": "healthy", "message": "20480 MiB are free for uploads."},
        "watcher": {
            "status": "healthy",
            "message": "The kernel tells of every new picture in the folders in use.",
        },
        "server": {"status": "healthy", "message": "Requests are answered."},
    },
    "timestamp": "2025-12-23T12:00:00.000000Z",
}
STATS = {
    "total_cameras": 3,
    "cameras_by_status": {"online": 2, "offline": 1, "error": 0},
    "total_detections": 1200,
    "total_events": 37,
    "uptime_seconds": 86400,
    "version": "0.1.0",
}
STORAGE = {
    "free_bytes": 21474836480,
    "used_bytes": 10737418240,
    "database_bytes": 1048576,
    "rows": {"camera": 3, "event": 37, "detection": 1200, "audit_entry": 51},
}
