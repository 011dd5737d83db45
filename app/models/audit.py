"""Which changes were made?"""

import json

from peewee import TextField
from playhouse.sqlite_ext import AutoIncrementField

from .base import Record, Row, insert, rows


class AuditEntry(Record):
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
    def add(cls, entry: Row) -> None:
        """A new entry."""
        insert("audit_entry", entry)

    @classmethod
    def newest_of(cls, resource_id: str, action: str) -> list[Row]:
        """The newest entry of this action on this resource, if any, ``details`` as an object."""
        query = cls.select().where(cls.resource_id == resource_id, cls.action == action)
        newest = query.order_by(cls.timestamp.desc(), cls.id.desc()).limit(1)
        return [{**row, "details": json.loads(row["details"])} for row in rows(newest)]
