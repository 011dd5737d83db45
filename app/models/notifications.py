"""Which occurrences does each rule report to whom, and what was reported last?"""

import json
from typing import Any

from peewee import (
    BooleanField,
    CompositeKey,
    FloatField,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from ..db.base import AutoIncrementField, BaseModel, Parameter, Row, compiled

KINDS = (
    *("camera_online", "camera_offline", "camera_error", "moment_started"),
    *("detection", "event", "event_reviewed", "storage_low", "storage_ok"),
)
# The columns that hold a list as JSON.
LISTS = ("kinds", "cameras", "object_types")


class Notification(BaseModel):
    """A rule: which occurrences are reported to whom."""

    id = AutoIncrementField()
    name = TextField()
    # A webhook if it begins with http or https. It may hold passwords, which
    # `notify.urls.redact` hides.
    url = TextField()
    # The key that a webhook is signed with; it is never shown again.
    secret = TextField()
    # These three are lists as JSON; null stands for all.
    kinds = TextField()
    cameras = TextField(null=True)
    object_types = TextField(null=True)
    min_confidence = FloatField(null=True)
    min_risk_level = TextField(null=True)
    # The quiet hours as HH:MM in the box's time zone; either both are null or none is.
    quiet_from = TextField(null=True)
    quiet_to = TextField(null=True)
    cooldown_seconds = IntegerField()
    with_picture = BooleanField()
    enabled = BooleanField()

    @classmethod
    def shape(cls, row: Row) -> Row:
        """The rule with its lists and quiet hours as objects."""
        quiet = {side: row.pop(f"quiet_{side}") for side in ("from", "to")}
        lists = {name: row[name] and json.loads(row[name]) for name in LISTS}
        last = {"cooldown_seconds": row.pop("cooldown_seconds")}
        last |= {name: bool(row.pop(name)) for name in ("with_picture", "enabled")}
        return row | lists | {"quiet_hours": quiet if quiet["from"] else None} | last

    @classmethod
    def stored(cls, fields: Row) -> Row:
        """These fields of a rule as columns: the inverse of `shape`."""
        row = {name: value for name, value in fields.items() if name != "quiet_hours"}
        if "quiet_hours" in fields:
            quiet = fields["quiet_hours"] or {}
            row |= {f"quiet_{side}": quiet.get(side) for side in ("from", "to")}
        for name in LISTS:
            if row.get(name) is not None:
                row[name] = json.dumps(row[name], ensure_ascii=False)
        return row

    @classmethod
    def listing(cls) -> list[Row]:
        """All rules, oldest first."""
        return [cls.shape(row) for row in _select_rules(False).rows()]

    @classmethod
    def enabled_rules(cls) -> list[Row]:
        """The rules that are switched on, oldest first."""
        return [cls.shape(row) for row in _select_rules(True).rows()]


class NotificationCooldown(BaseModel):
    """When a rule last reported something of a camera, by kind and object type."""

    notification = ForeignKeyField(Notification, on_delete="CASCADE", index=False)
    # Empty where the message concerns no camera, or has no object type.
    camera = TextField()
    kind = TextField()
    object_type = TextField()
    sent_at = TextField()
    risk_level = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("notification", "camera", "kind", "object_type")
        without_rowid = True

    @classmethod
    def last(cls, key: Row) -> Row | None:
        return cls.find(**key)

    @classmethod
    def delete_until(cls, rule_id: int, moment: str) -> None:
        """Delete what was sent for a rule until this time."""
        _delete_cooldowns_until().change(rule_id=rule_id, moment=moment)

    @classmethod
    def note(cls, key: Row, sent_at: str, risk_level: str | None) -> None:
        """Store what was sent; call it inside a change."""
        _delete_cooldown().change(**key)
        cls.insert_row({**key, "sent_at": sent_at, "risk_level": risk_level})


class BoxState(BaseModel):
    """What was last reported about the box, so that a restart does not repeat it."""

    name = TextField(primary_key=True)
    value = TextField()

    @classmethod
    def write(cls, name: str, value: str) -> None:
        """Store a value; call it inside a change."""
        cls.remove(name)
        cls.insert_row({"name": name, "value": value})


@compiled
def _select_rules(only_enabled: bool) -> Any:
    query = Notification.select().order_by(Notification.id)
    return query.where(Notification.enabled) if only_enabled else query


@compiled
def _delete_cooldowns_until() -> Any:
    is_over = NotificationCooldown.sent_at <= Parameter("moment")
    of_rule = NotificationCooldown.notification == Parameter("rule_id")
    return NotificationCooldown.delete().where(of_rule, is_over)


@compiled
def _delete_cooldown() -> Any:
    names = ("notification", "camera", "kind", "object_type")
    matches = [getattr(NotificationCooldown, name) == Parameter(name) for name in names]
    return NotificationCooldown.delete().where(*matches)
