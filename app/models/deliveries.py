"""Which messages wait, were delivered, or were given up? These tables are the outbox."""

from typing import Any

from peewee import SQL, Check, ForeignKeyField, IntegerField, TextField, fn

from ..db.base import AutoIncrementField, BaseModel, Parameter, Row, compiled
from .keyset import KeysetQuery
from .notifications import Notification

# How long messages are kept, whatever became of them.
DELIVERY_DAYS = 7
# The event type, by MQTT, of an event without a score, which has no risk level.
NO_LEVEL = "event"
WAITING, DELIVERED, GIVEN_UP = DELIVERY_STATES = ("waiting", "delivered", "given_up")


class Delivery(BaseModel):
    """A message for one rule and its delivery; the ids are in the order of the commits."""

    id = AutoIncrementField()
    notification = ForeignKeyField(Notification, on_delete="CASCADE", index=False)
    kind = TextField()
    created_at = TextField()
    state = TextField(constraints=[Check("state IN ('waiting', 'delivered', 'given_up')")])
    attempts = IntegerField()
    first_tried_at = TextField(null=True)
    # When it was delivered or given up.
    ended_at = TextField(null=True)
    # Why the last attempt failed.
    error = TextField(null=True)
    # Of Standard Webhooks; the same for every attempt.
    message_id = TextField()
    # The message as JSON.
    body = TextField()

    class Meta:
        indexes = (
            (("created_at", "id", "state"), False),
            (("notification", "created_at", "id", "state"), False),
        )

    @classmethod
    def columns(cls) -> list[Any]:
        """What the API shows."""
        shown = (cls.id, cls.notification, cls.kind, cls.created_at, cls.state, cls.attempts)
        return [*shown, cls.ended_at, cls.error]

    @classmethod
    def shape(cls, row: Row) -> Row:
        ended_at, error = row.pop("ended_at"), row.pop("error")
        delivered_at = ended_at if row["state"] == DELIVERED else None
        return row | {"delivered_at": delivered_at, "error": error}

    @classmethod
    def next_waiting(cls, rule_id: int, after_id: int = 0) -> Row | None:
        """The oldest waiting message of a rule, of those after this id."""
        return _next_waiting().one(rule_id=rule_id, after_id=after_id)

    @classmethod
    def rules_waited_for(cls) -> list[int]:
        """The enabled rules that have a waiting message."""
        return [row["id"] for row in _rules_waited_for().rows()]

    @classmethod
    def note_failure(cls, row_id: int, error: str, now: str) -> None:
        """Count an attempt that failed."""
        _note_failure().change(row_id=row_id, error=error, now=now)

    @classmethod
    def end(cls, row_id: int, state: str, error: str | None, now: str) -> None:
        """Count the last attempt and store its result."""
        _end().change(row_id=row_id, state=state, error=error, now=now)

    @classmethod
    def give_up_oldest(cls, rule_id: int, most: int, error: str, now: str) -> None:
        """Give up the oldest messages of a rule, so that at most this many wait."""
        newest = _last_beyond(most).scalar(rule_id=rule_id)
        if newest is not None:
            _give_up_to().change(rule_id=rule_id, newest=newest, error=error, now=now)

    @classmethod
    def counts_by_state(cls) -> dict[str, int]:
        counts = {row["state"]: row["count"] for row in _count_by_state().rows()}
        return {state: counts.get(state, 0) for state in DELIVERY_STATES}

    @classmethod
    def given_up_since(cls, moment: str) -> int:
        return int(_given_up_since().scalar(moment=moment))

    @classmethod
    def oldest_waiting(cls) -> str | None:
        """When the oldest message that waits was written."""
        found = _oldest_waiting().scalar()
        return None if found is None else str(found)


Delivery.add_index(Delivery.notification, Delivery.id, where=SQL("state = 'waiting'"))
Delivery.add_index(Delivery.ended_at, where=SQL("state = 'given_up'"))


class MqttMessage(BaseModel):
    """A detection or an event that waits to be published by MQTT; the ids are in the order of the
    commits.
    """

    id = AutoIncrementField()
    created_at = TextField()
    # Not a foreign key: a message about a deleted camera is left out when it is its turn.
    camera_id = TextField()
    kind = TextField()
    # The message as JSON.
    body = TextField()

    @classmethod
    def after(cls, row_id: int, limit: int) -> list[Row]:
        """The oldest messages after this id."""
        return _mqtt_after().rows(row_id=row_id, limit=limit)

    @classmethod
    def delete_up_to(cls, row_id: int) -> None:
        _delete_mqtt().change(row_id=row_id)


DELIVERIES = KeysetQuery(
    model=Delivery,
    moment=Delivery.created_at,
    filters={
        "notification_id": Delivery.notification == Parameter("notification_id"),
        "state": Delivery.state == Parameter("state"),
    },
)


def _is_waiting() -> Any:
    # As in the index, which is not used for a parameter.
    return SQL("state = 'waiting'")


@compiled
def _next_waiting() -> Any:
    query = Delivery.select().where(Delivery.notification == Parameter("rule_id"), _is_waiting())
    return query.where(Delivery.id > Parameter("after_id")).order_by(Delivery.id).limit(1)


@compiled
def _rules_waited_for() -> Any:
    waiting = Delivery.select(SQL("1")).where(
        Delivery.notification == Notification.id, _is_waiting()
    )
    return Notification.select(Notification.id).where(Notification.enabled, fn.EXISTS(waiting))


@compiled
def _note_failure() -> Any:
    fields = {
        Delivery.attempts: Delivery.attempts + 1,
        Delivery.error: Parameter("error"),
        Delivery.first_tried_at: fn.COALESCE(Delivery.first_tried_at, Parameter("now")),
    }
    return Delivery.update(fields).where(Delivery.id == Parameter("row_id"), _is_waiting())


@compiled
def _end() -> Any:
    fields = {
        Delivery.attempts: Delivery.attempts + 1,
        Delivery.state: Parameter("state"),
        Delivery.error: Parameter("error"),
        Delivery.ended_at: Parameter("now"),
    }
    return Delivery.update(fields).where(Delivery.id == Parameter("row_id"))


@compiled
def _last_beyond(most: int) -> Any:
    query = Delivery.select(Delivery.id).where(
        Delivery.notification == Parameter("rule_id"), _is_waiting()
    )
    return query.order_by(Delivery.id.desc()).limit(1).offset(most)


@compiled
def _give_up_to() -> Any:
    fields = {
        Delivery.state: GIVEN_UP,
        Delivery.error: Parameter("error"),
        Delivery.ended_at: Parameter("now"),
    }
    is_old = Delivery.notification == Parameter("rule_id"), Delivery.id <= Parameter("newest")
    return Delivery.update(fields).where(*is_old, _is_waiting())


@compiled
def _count_by_state() -> Any:
    count = fn.COUNT(SQL("*")).alias("count")
    return Delivery.select(Delivery.state, count).group_by(Delivery.state)


@compiled
def _given_up_since() -> Any:
    query = Delivery.select(fn.COUNT(SQL("*"))).where(SQL("state = 'given_up'"))
    return query.where(Delivery.ended_at >= Parameter("moment"))


@compiled
def _oldest_waiting() -> Any:
    return Delivery.select(fn.MIN(Delivery.created_at)).where(_is_waiting())


@compiled
def _mqtt_after() -> Any:
    query = MqttMessage.select().where(MqttMessage.id > Parameter("row_id"))
    return query.order_by(MqttMessage.id).limit(Parameter("limit"))


@compiled
def _delete_mqtt() -> Any:
    return MqttMessage.delete().where(MqttMessage.id <= Parameter("row_id"))
