"""What does the service keep for itself? Audit log, tokens, secrets, table versions, the clock."""

import json
import secrets
from typing import Any

from peewee import BooleanField, Check, IntegerField, TextField, fn

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
    def last_timestamp(cls, until: str = "9999") -> str | None:
        """When the newest entry was written; entries after ``until`` do not count."""
        found = _last_timestamp().scalar(until=until)
        return None if found is None else str(found)


class Token(BaseModel):
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
        return _all_tokens().rows()

    @classmethod
    def note_use(cls, token_id: int, used_at: str, due_before: str) -> None:
        """Write when the token was used, unless a use since ``due_before`` is written."""
        _note_use().change(id=token_id, used_at=used_at, due_before=due_before)


class Secret(BaseModel):
    """A random key that the service made for itself; it goes where the database goes."""

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
        """A write of no row, which fails where the file cannot be written."""
        cls.remove("")


class BoxSetting(BaseModel):
    """A setting of the box that somebody changed while the service ran."""

    name = TextField(primary_key=True)
    # As JSON.
    value = TextField()

    @classmethod
    def stored(cls) -> Row:
        """The value of each setting that was changed."""
        return {row["name"]: json.loads(row["value"]) for row in cls.find_all()}

    @classmethod
    def write(cls, name: str, value: Any) -> None:
        """Store a value; None forgets what is stored. To be called inside a change."""
        cls.remove(name)
        if value is not None:
            cls.insert_row({"name": name, "value": json.dumps(value, ensure_ascii=False)})


class TableVersion(BaseModel):
    """A mark of a table's content: while it stays the same, so do the rows.

    Triggers (migration 0004) change it, so that it knows changes of other processes too. Random
    and no counter, so that a restored backup goes on with marks that nobody has seen.
    """

    # The table's.
    name = TextField(primary_key=True)
    # 64 bits.
    value = IntegerField()

    class Meta:
        table_name = "revision"

    @classmethod
    def of_cameras(cls) -> int:
        """The mark of all cameras as they are now; a new one each time where the row is gone."""
        version = cls.find(name="camera")
        return int(version["value"]) if version else secrets.randbits(64)


class ClockNote(BaseModel):
    """A time that the clock showed while it was plausible, or the one since which it is not."""

    moment = TextField(primary_key=True)
    # Whether the clock is implausible since then; at most one row.
    is_doubt = BooleanField()

    @classmethod
    def note(cls, moment: str) -> None:
        """The clock is plausible. Later times stay: they were noted when it was further ahead."""
        _delete_notes().change(moment=moment)
        cls.insert_row({"moment": moment, "is_doubt": False})

    @classmethod
    def begin_doubt(cls, moment: str, reference: str) -> None:
        """The clock is implausible. Keep the time that it is compared with, because what is
        written from now on has the implausible clock's times.
        """
        cls.note(reference)
        cls.insert_row({"moment": moment, "is_doubt": True})

    @classmethod
    def is_doubted(cls) -> bool:
        """Whether the process that leads finds its clock implausible."""
        return cls.find(is_doubt=True) is not None

    @classmethod
    def latest(cls, until: str) -> str | None:
        """The latest time noted that is not after ``until``."""
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
