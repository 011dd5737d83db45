"""Which detections are plainly right? Most are, and then no schema need look at each field."""

from typing import Any

from marshmallow import ValidationError

from ..models.base import UNCLEAN
from .fields import IDENTITY, LARGEST_INTEGER, Moment

LARGEST_PIXEL = 2**31 - 1
SIDES = {"x", "y", "width", "height"}
NOTHING = dict.fromkeys(
    (
        *("camera_id", "event_id", "detected_at", "object_type"),
        *("confidence", "bbox", "file_path", "external_id"),
    )
)
_moment = Moment()


def plain(value: Any) -> dict[str, Any] | None:
    """What `DetectionCreateSchema` makes of ``value``, or None: then it must look itself.

    A third of its time, and a test holds the two together.
    """
    if type(value) is not dict or not value.keys() <= NOTHING.keys():
        return None
    seen: dict[str, Any] = NOTHING | value
    right = (
        type(seen["camera_id"]) is str
        and IDENTITY.fullmatch(seen["camera_id"])
        and is_text(seen["object_type"], 50)
        and type(seen["confidence"]) in (int, float)
        and 0 <= seen["confidence"] <= 1
        and (seen["event_id"] is None or _is_integer(seen["event_id"]))
        and (seen["bbox"] is None or is_box(seen["bbox"]))
        and (seen["file_path"] is None or is_text(seen["file_path"], 500))
        and (seen["external_id"] is None or is_text(seen["external_id"], 100))
    )
    return _with_moment(seen, "detected_at" in value) if right else None


def is_box(value: Any) -> bool:
    """Whether it is a box without a fault."""
    return (
        isinstance(value, dict)
        and value.keys() == SIDES
        and all(type(side) is int and 0 <= side <= LARGEST_PIXEL for side in value.values())
    )


def is_text(value: Any, most: int) -> bool:
    """Whether it is a clean text of one to ``most`` characters."""
    return type(value) is str and 1 <= len(value) <= most and not UNCLEAN.search(value)


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) <= LARGEST_INTEGER


def _with_moment(seen: dict[str, Any], given: bool) -> dict[str, Any] | None:
    try:
        moment = _moment.deserialize(seen["detected_at"]) if given else None
    except ValidationError:
        return None
    return seen | {
        "camera_id": seen["camera_id"].lower(),
        "confidence": float(seen["confidence"]),
        "detected_at": moment,
    }
