"""What crosses the wire about detections?"""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from .common import CLEAN_PATTERN, PageQuerySchema, PageSchema, PeriodQuerySchema
from .fields import Identity, Moment, Number, QueryNumber, QueryWhole, Text, Whole
from .glance import LARGEST_PIXEL, is_box, plain

MOST_AT_ONCE = 1000


class BoxSchema(Schema):
    """Where in the picture, in pixels from its top left corner."""

    x = Whole(required=True, validate=validate.Range(0, LARGEST_PIXEL))
    y = Whole(required=True, validate=validate.Range(0, LARGEST_PIXEL))
    width = Whole(required=True, validate=validate.Range(0, LARGEST_PIXEL))
    height = Whole(required=True, validate=validate.Range(0, LARGEST_PIXEL))


class Box(fields.Nested):
    """A box; one without a fault is known at a glance."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if is_box(value) else super()._deserialize(value, *args, **kwargs)


class DetectionCreateSchema(Schema):
    """What a detector saw."""

    camera_id = Identity(required=True, metadata={"description": "The camera that saw it"})
    event_id = Whole(
        load_default=None,
        allow_none=True,
        metadata={"description": "The event that it belongs to, of the same camera"},
    )
    detected_at = Moment(
        load_default=None,
        allow_none=False,
        metadata={"description": "When; the moment of storing if left out"},
    )
    object_type = Text(
        required=True,
        validate=validate.Length(1, 50),
        metadata={"description": "What: person, car, …", **CLEAN_PATTERN},
    )
    confidence = Number(
        required=True, validate=validate.Range(0, 1), metadata={"description": "How sure"}
    )
    bbox = Box(BoxSchema, load_default=None, allow_none=True)
    file_path = Text(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 500),
        metadata={
            "description": "The picture: absolute, or relative to the camera's folder",
            **CLEAN_PATTERN,
        },
    )
    external_id = Text(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 100),
        metadata={
            "description": "The detector's own name for it, unique per camera",
            **CLEAN_PATTERN,
        },
    )


class Seen(fields.Nested):
    """A detection of a batch; one that is plainly right is known at a glance."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return plain(value) or super()._deserialize(value, *args, **kwargs)


class DetectionBatchSchema(Schema):
    """Many detections at once; all are stored or none."""

    detections = fields.List(
        Seen(DetectionCreateSchema),
        required=True,
        validate=validate.Length(1, MOST_AT_ONCE),
    )


class PostedDetectionsSchema(DetectionBatchSchema):
    """One detection, or a batch; ``single`` says which it was."""

    def load(self, data: Any, **options: Any) -> Any:
        """``detections``: a list in either case."""
        if not isinstance(data, Mapping) or "detections" in data:
            return {**super().load(data, **options), "single": False}
        return {"detections": [DetectionCreateSchema().load(data, **options)], "single": True}


class DetectionSchema(DetectionCreateSchema):
    """A detection as it is answered."""

    id = fields.Integer(required=True)


class StoredSchema(Schema):
    """The ids of a batch, in its order; those known already by their external_id included."""

    ids = fields.List(fields.Integer(), required=True)


class DetectionListSchema(PageSchema):
    """A page of detections, newest first."""

    detections = fields.List(fields.Nested(DetectionSchema), required=True)


class EventDetectionsQuerySchema(PageQuerySchema, PeriodQuerySchema):
    """What the detections of one event can be filtered by."""

    camera_id = Identity()
    object_type = fields.String()
    min_confidence = QueryNumber(validate=validate.Range(0, 1))


class DetectionQuerySchema(EventDetectionsQuerySchema):
    """What the detections can be filtered by."""

    event_id = QueryWhole(validate=validate.Range(min=0))
