"""What crosses the wire about detections?"""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from .cameras import EXAMPLE_CAMERA
from .common import (
    BoundedList,
    CleanString,
    PageQuerySchema,
    PageSchema,
    PeriodQuerySchema,
    QueryFloat,
    QueryInteger,
    ResponseSchema,
    RFC3339DateTime,
    StrictFloat,
    StrictInteger,
    UUIDString,
)

LARGEST_BATCH = 1000
EXAMPLE_CREATE = {
    "camera_id": EXAMPLE_CAMERA["id"],
    "detected_at": "2025-12-23T13:00:00+01:00",
    "object_type": "person",
    "confidence": 0.93,
    "bbox": {"x": 120, "y": 80, "width": 64, "height": 128},
    "file_path": "20251223/120000.jpg",
    "external_id": "yolo-000001",
}
EXAMPLE_DETECTION = {
    "id": 1,
    "camera_id": EXAMPLE_CAMERA["id"],
    "event_id": None,
    **EXAMPLE_CREATE,
    "detected_at": "2025-12-23T12:00:00.000000Z",
}
EXAMPLE_LIST = {"detections": [EXAMPLE_DETECTION], "count": 1, "next_cursor": None}
EXAMPLE_EVENT_LIST = EXAMPLE_LIST | {"detections": [EXAMPLE_DETECTION | {"event_id": 1}]}
EXAMPLES_REQUEST: dict[str, Any] = {
    "one": {"value": EXAMPLE_CREATE},
    "batch": {"value": {"detections": [EXAMPLE_CREATE]}},
}
EXAMPLES_RESPONSE: dict[str, Any] = {
    "one": {"value": EXAMPLE_DETECTION},
    "batch": {"value": {"ids": [1, 2, 3]}},
}


# Where in the picture, in pixels from its top left corner.
BoundingBoxSchema = Schema.from_dict(
    {
        side: StrictInteger(required=True, validate=validate.Range(0, 2**31 - 1))
        for side in ("x", "y", "width", "height")
    },
    name="BoundingBoxSchema",
)


class DetectionCreateSchema(Schema):
    camera_id = UUIDString(required=True, metadata={"description": "The camera that saw it"})
    event_id = StrictInteger(
        load_default=None,
        allow_none=True,
        metadata={"description": "The event that it belongs to, of the same camera"},
    )
    detected_at = RFC3339DateTime(
        load_default=None,
        allow_none=False,
        metadata={"description": "When it was detected; by default the time of the request"},
    )
    object_type = CleanString(
        required=True,
        validate=validate.Length(1, 50),
        metadata={"description": "What was detected: person, car, …"},
    )
    confidence = StrictFloat(
        required=True,
        validate=validate.Range(0, 1),
        metadata={"description": "How sure the detector is"},
    )
    bbox = fields.Nested(BoundingBoxSchema, load_default=None, allow_none=True)
    file_path = CleanString(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 500),
        metadata={"description": "The picture: absolute, or relative to the camera's folder"},
    )
    external_id = CleanString(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 100),
        metadata={"description": "The detector's own id, unique per camera"},
    )


class DetectionBatchSchema(Schema):
    """Many detections at once; all are stored or none."""

    detections = BoundedList(
        fields.Nested(DetectionCreateSchema),
        required=True,
        validate=validate.Length(1, LARGEST_BATCH),
    )


class PostedDetectionsSchema(DetectionBatchSchema):
    """One detection, or a batch."""

    def load(self, data: Any, **options: Any) -> Any:
        """``detections``, a list in either case, and ``single``: whether it was one object."""
        if not isinstance(data, Mapping) or "detections" in data:
            return {**super().load(data, **options), "single": False}
        return {"detections": [DetectionCreateSchema().load(data, **options)], "single": True}


class DetectionSchema(ResponseSchema, DetectionCreateSchema):
    id = fields.Integer()


class BatchResultSchema(ResponseSchema):
    """The ids of a batch in its order, also of those that were stored before."""

    ids = fields.List(fields.Integer())


class DetectionListSchema(PageSchema):
    detections = fields.List(fields.Nested(DetectionSchema), required=True)


class EventDetectionsQuerySchema(PageQuerySchema, PeriodQuerySchema):
    camera_id = UUIDString()
    object_type = fields.String()
    min_confidence = QueryFloat(validate=validate.Range(0, 1))


class DetectionQuerySchema(EventDetectionsQuerySchema):
    event_id = QueryInteger(validate=validate.Range(min=0))
