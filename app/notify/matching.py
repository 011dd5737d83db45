"""Which occurrences does a rule match, by its filters, its quiet hours and its cool-down?"""

from datetime import datetime, tzinfo

from .. import clock
from ..models import RISK_LEVELS, NotificationCooldown, Row
from ..services.occurrences import Occurrence, has_risen

# Stands for the object type of an occurrence that has none.
NO_TYPE = ""


def should_report(rule: Row, occurrence: Occurrence, now: datetime, zone: tzinfo) -> bool:
    """Whether a message is to be written; if so, begin the cool-down. Call it inside a change."""
    return (
        passes_filters(rule, occurrence)
        and not is_quiet(rule["quiet_hours"], now.astimezone(zone).strftime("%H:%M"))
        and _begin_cooldown(rule, occurrence, now)
    )


def passes_filters(rule: Row, occurrence: Occurrence) -> bool:
    """Whether kind, camera, object types, confidence and risk level match."""
    camera, data = occurrence.camera, occurrence.data
    if occurrence.kind not in rule["kinds"]:
        return False
    if camera and rule["cameras"] is not None and camera["id"] not in rule["cameras"]:
        return False
    has_types = bool(data.keys() & {"detection", "event"}) and rule["object_types"] is not None
    if has_types and not occurrence.object_types & set(rule["object_types"]):
        return False
    if "detection" in data:
        return bool(data["detection"]["confidence"] >= (rule["min_confidence"] or 0))
    if "event" in data and rule["min_risk_level"]:
        level, least = data["event"]["risk_level"], rule["min_risk_level"]
        return level is not None and RISK_LEVELS.index(level) >= RISK_LEVELS.index(least)
    return True


def is_quiet(hours: Row | None, time: str) -> bool:
    """Whether a time of the day (``HH:MM``) lies in the quiet hours."""
    if hours is None:
        return False
    begin, end = hours["from"], hours["to"]
    return bool(begin <= time < end if begin < end else time >= begin or time < end)


def _begin_cooldown(rule: Row, occurrence: Occurrence, now: datetime) -> bool:
    """Begin the cool-down of every object type; False if each of them is still in one."""
    if not rule["cooldown_seconds"]:
        return True
    camera = occurrence.camera["id"] if occurrence.camera else ""
    level = occurrence.data.get("event", {}).get("risk_level")
    keys = [
        {
            "notification": rule["id"],
            "camera": camera,
            "kind": occurrence.kind,
            "object_type": object_type,
        }
        for object_type in sorted(occurrence.object_types) or [NO_TYPE]
    ]
    if all(_is_cooling(key, rule["cooldown_seconds"], level, now) for key in keys):
        return False
    for key in keys:
        NotificationCooldown.note(key, clock.rfc3339(now), level)
    return True


def _is_cooling(key: Row, seconds: int, level: str | None, now: datetime) -> bool:
    """Whether the last message with this key is so recent that one of this level must wait."""
    last = NotificationCooldown.last(key)
    if last is None or has_risen(last["risk_level"], level):
        return False
    # Where the clock was set back, the last message seems to lie in the future.
    return 0 <= (now - clock.parse(last["sent_at"])).total_seconds() < seconds
