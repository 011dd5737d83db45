"""What must be known before a picture may be deleted, and which run deletes pictures now?"""

import json
from typing import Any

from peewee import TextField

from ..db.base import BaseModel, Row


class RetentionFact(BaseModel):
    """A value that retention depends on, and when it was last changed."""

    name = TextField(primary_key=True)
    # The value as JSON.
    value = TextField()
    changed_at = TextField()

    @classmethod
    def note(cls, name: str, value: Any, changed_at: str) -> None:
        """Store the value and the time, unless it is the stored one; call it inside a change."""
        text, known = cls.encode(value), cls.find(name=name)
        if known is None or known["value"] != text:
            cls.remove(name)
            cls.insert_row({"name": name, "value": text, "changed_at": changed_at})

    @staticmethod
    def encode(value: Any) -> str:
        """The value as it is stored."""
        return json.dumps(value, ensure_ascii=False)

    @staticmethod
    def decode(row: Row) -> Any:
        """The value of a row."""
        return json.loads(row["value"])


class PruningRun(BaseModel):
    """A run that deletes pictures, or one that was cut off before its audit entry was written."""

    # A random text that identifies the run.
    token = TextField(primary_key=True)
    # Who began it, what has been deleted so far, and which files are deleted next, as JSON.
    by = TextField()
    report = TextField()
    pending = TextField()

    @classmethod
    def shape(cls, row: Row) -> Row:
        return row | {name: json.loads(row[name]) for name in ("by", "report", "pending")}
