"""Who is let in?"""

from peewee import Check, TextField
from playhouse.sqlite_ext import AutoIncrementField

from .base import Record, Row, fetch, rows


class Token(Record):
    """What lets its bearer in, under a name; the secret itself is stored nowhere."""

    # Never used again, so that the audit log tells two tokens of one name apart.
    id = AutoIncrementField()
    name = TextField(unique=True)
    role = TextField(constraints=[Check("role IN ('read', 'write')")])
    # SHA-256 of the secret, 64 hexadecimal digits.
    hash = TextField(unique=True)
    created_at = TextField()
    # Right within an hour; null before the first use.
    last_used_at = TextField(null=True)

    @classmethod
    def listing(cls) -> list[Row]:
        """All tokens by name, their hashes left out."""
        shown = (cls.id, cls.name, cls.role, cls.created_at, cls.last_used_at)
        return rows(cls.select(*shown).order_by(cls.name))

    @classmethod
    def of_hash(cls, digest: str) -> list[Row]:
        """The token of this hash, if there is one."""
        columns = "id, name, role, hash, last_used_at"
        return fetch(f"SELECT {columns} FROM token WHERE hash = ?", [digest])  # noqa: S608

    @classmethod
    def note_use(cls, token_id: int, used_at: str, due_before: str) -> None:
        """Write when the token was used, unless a use since ``due_before`` is written."""
        is_due = cls.last_used_at.is_null() | (cls.last_used_at < due_before)
        cls.update(last_used_at=used_at).where(cls.id == token_id, is_due).execute()
