"""Which data does the service keep about itself? Audit log, tokens, settings, clock, versions."""

import json
import secrets
from typing import Any

from peewee import BooleanField, Check, IntegerField, TextField, fn

from ..db.base import AutoIncrementField, BaseModel, Parameter, Row, compiled


class AuditEntry(BaseModel):
    """One change and who made it. It outlives the changed row, so it has no foreign key."""

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
        # Each ends with the columns of the other filters, like those of `Event`.
        indexes = (
            (("timestamp", "id", "action", "resource_type", "actor"), False),
            (("action", "timestamp", "id", "resource_type", "actor"), False),
            (("resource_id", "timestamp", "id", "action", "resource_type", "actor"), False),
        )

    @classmethod
    def shape(cls, row: Row) -> Row:
        return row | {"details": json.loads(row["details"])}

    @classmethod
    def last_timestamp(cls, until: str = "9999") -> str | None:
        """When the newest entry was written; entries after ``until`` do not count."""
        found = _last_timestamp().scalar(until=until)
        return None if found is None else str(found)


class Token(BaseModel):
    """An access token with a name; its secret is not stored, only a hash."""

    # Never used again, so that the audit log tells two tokens of one name apart.
    id = AutoIncrementField()
    name = TextField(unique=True)
    role = TextField(constraints=[Check("role IN ('read', 'write')")])
    # SHA-256 of the secret, 64 hexadecimal digits.
    hash = TextField(unique=True)
    created_at = TextField()
    # Accurate to an hour; null before the first use.
    last_used_at = TextField(null=True)

    @classmethod
    def listing(cls) -> list[Row]:
        """All tokens by name, their hashes left out."""
        return _all_tokens().rows()

    @classmethod
    def note_use(cls, token_id: int, used_at: str, due_before: str) -> None:
        """Store when the token was used, unless a use since ``due_before`` is stored."""
        _note_use().change(id=token_id, used_at=used_at, due_before=due_before)


class Secret(BaseModel):
    """A random key of the service, which is backed up and restored with the database."""

    name = TextField(primary_key=True)
    # 64 hexadecimal digits.
    value = TextField()

    @classmethod
    def named(cls, name: str) -> str:
        """The key of this name."""
        secret = cls.find(name=name)
        if secret is None:
            raise LookupError(f"the database holds no secret named {name}")
        return str(secret["value"])

    @classmethod
    def write_nothing(cls) -> None:
        """Write no row; fails where the file cannot be written."""
        cls.remove("")


class BoxSetting(BaseModel):
    """A setting of the box that was changed while the service ran."""

    name = TextField(primary_key=True)
    # As JSON.
    value = TextField()

    @classmethod
    def stored(cls) -> Row:
        """The value of each setting that was changed."""
        return {row["name"]: json.loads(row["value"]) for row in cls.find_all()}

    @classmethod
    def write(cls, name: str, value: Any) -> None:
        """Store a value; None deletes the stored one. Call it inside a change."""
        cls.remove(name)
        if value is not None:
            cls.insert_row({"name": name, "value": json.dumps(value, ensure_ascii=False)})


class TableVersion(BaseModel):
    """A version of a table's content: while it stays the same, so do the rows.

    Triggers (migration 0004) change it, so changes by other processes count too. It is random and
    no counter, so that after a restore no earlier version occurs again.
    """

    # The table's.
    name = TextField(primary_key=True)
    # 64 bits.
    value = IntegerField()

    class Meta:
        table_name = "revision"

    @classmethod
    def of_cameras(cls) -> int:
        """The current version of all cameras; a new one each time where the row is missing."""
        version = cls.find(name="camera")
        return int(version["value"]) if version else secrets.randbits(64)


class ClockNote(BaseModel):
    """A time at which the clock was plausible, or since which it is not."""

    moment = TextField(primary_key=True)
    # Whether the clock is implausible since then; at most one row.
    is_doubt = BooleanField()

    @classmethod
    def note(cls, moment: str) -> None:
        """Store that the clock is plausible. Later times stay: it was further ahead then."""
        _delete_notes().change(moment=moment)
        cls.insert_row({"moment": moment, "is_doubt": False})

    @classmethod
    def mark_implausible(cls, moment: str, reference: str) -> None:
        """Store that the clock is implausible, and the time that it is compared with, because the
        rows that are written from now on have the implausible clock's times.
        """
        cls.note(reference)
        cls.insert_row({"moment": moment, "is_doubt": True})

    @classmethod
    def is_implausible(cls) -> bool:
        """Whether the leader finds the clock implausible."""
        return cls.find(is_doubt=True) is not None

    @classmethod
    def latest(cls, until: str) -> str | None:
        """The latest stored time that is not after ``until``."""
        found = _latest_note().scalar(until=until)
        return None if found is None else str(found)


@compiled
def _delete_notes() -> Any:
    is_past = ClockNote.moment <= Parameter("moment")
    return ClockNote.delete().where(is_past | ClockNote.is_doubt)


@compiled
def _latest_note() -> Any:
    is_past = ClockNote.moment <= Parameter("until")
    return ClockNote.select(fn.MAX(ClockNote.moment)).where(is_past, ~ClockNote.is_doubt)


@compiled
def _all_tokens() -> Any:
    shown = (Token.id, Token.name, Token.role, Token.created_at, Token.last_used_at)
    return Token.select(*shown).order_by(Token.name)


@compiled
def _note_use() -> Any:
    is_due = Token.last_used_at.is_null() | (Token.last_used_at < Parameter("due_before"))
    update = Token.update({Token.last_used_at: Parameter("used_at")})
    return update.where(Token.id == Parameter("id"), is_due)


@compiled
def _last_timestamp() -> Any:
    newest = fn.MAX(AuditEntry.timestamp)
    return AuditEntry.select(newest).where(AuditEntry.timestamp <= Parameter("until"))
