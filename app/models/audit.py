"""Which changes were made?"""

import json
from typing import Any

from peewee import TextField, fn

from ..db.base import AutoIncrementField, BaseModel, Parameter, Row, compiled


class AuditEntry(BaseModel):
    """One change and who made it; outlives what it speaks of, so it refers to nothing by key."""

    id = AutoIncrementField()
    timestamp = TextField()
    action = TextField()
    resource_type = TextField()
    resource_id = TextField()
    # The name as it was when the change was made.
    resource_name = TextField(null=True)
    # `anonymous`, a token's name, `monitor` or `cli`.
    actor = TextField()
    ip_address = TextField(null=True)
    user_agent = TextField(null=True)
    # A JSON object; what it holds depends on the action.
    details = TextField()

    class Meta:
        # They end with what the other filters look at, as an event's do.
        indexes = (
            (("timestamp", "id", "action", "resource_type", "actor"), False),
            (("action", "timestamp", "id", "resource_type", "actor"), False),
            (("resource_id", "timestamp", "id", "action", "resource_type", "actor"), False),
        )

    @classmethod
    def shape(cls, row: Row) -> Row:
        """The entry with its details as an object."""
        return row | {"details": json.loads(row["details"])}

    @classmethod
    def newest_of(cls, resource_id: str, action: str) -> Row | None:
        """The newest entry of this action on this resource, if there is one."""
        entry = _newest_entry().one(resource_id=resource_id, action=action)
        return cls.shape(entry) if entry else None

    @classmethod
    def last_timestamp(cls) -> str | None:
        """When the newest entry was written."""
        found = _last_timestamp().scalar()
        return None if found is None else str(found)


@compiled
def _newest_entry() -> Any:
    query = AuditEntry.select().where(
        AuditEntry.resource_id == Parameter("resource_id"),
        AuditEntry.action == Parameter("action"),
    )
    return query.order_by(AuditEntry.timestamp.desc(), AuditEntry.id.desc()).limit(1)


@compiled
def _last_timestamp() -> Any:
    return AuditEntry.select(fn.MAX(AuditEntry.timestamp))
