"""Which message is written for which rule when something happens?"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from flask import Flask
from peewee import PeeweeException

from .. import clock
from ..models import NO_LEVEL, WAITING, Delivery, MqttMessage, Notification, Row
from ..pictures.reading import first_upload
from ..serialization import dump_json
from ..services.health import DEGRADED, HEALTHY, Check
from ..services.occurrences import Observer, Occurrence, add_observer
from ..services.settings import Settings
from . import matching, messages, rules, signing
from .cleaning import Cleaning
from .deliveries import Deliveries
from .sending import Sender
from .storage_watch import StorageWatch

# How many messages of one rule may wait; the oldest are given up first.
MOST_WAITING = 1000
# How many messages wait for the MQTT broker at most; the oldest are dropped. It is enough for 200
# detections a second for the minute after which they are too old to be published.
MOST_MQTT = 12_000
TOO_MANY = f"more than {MOST_WAITING} messages waited for this receiver"


def init_app(app: Flask) -> None:
    """Create the outbox and its deliveries; the server starts the deliveries."""
    monitor = app.extensions["monitor"]
    monitor.find_moment = partial(first_upload, app.extensions["pictures"])
    cleaning, watch = Cleaning(app.extensions["clock_guard"]), StorageWatch(app)
    jobs = (cleaning.run_if_due, watch.run_if_due)
    deliveries = Deliveries(Sender(app), lambda: monitor.leads, jobs)
    app.extensions["deliveries"] = deliveries
    address = partial(messages.public_address, app)
    add_observer(Outbox(app.extensions["settings"], address, deliveries.wake))
    if app.config["NVR_MQTT_URL"]:
        add_observer(MqttOutbox())


def check_deliveries() -> Check:
    """Whether no message was given up within the last day."""
    since = clock.rfc3339(clock.now() - timedelta(hours=24))
    try:
        given_up = Delivery.given_up_since(since)
    except (PeeweeException, OSError):
        return Check(DEGRADED, "The deliveries cannot be read from the database.")
    if given_up:
        return Check(
            DEGRADED,
            f"Messages that were given up within 24 hours: {given_up}. GET "
            "/api/deliveries?state=given_up says why; check the URL and its receiver.",
        )
    return Check(HEALTHY, "No message was given up within 24 hours.")


class Outbox(Observer):
    """Writes a message for each rule that matches an occurrence, in the change's transaction.

    ``address`` returns the service's URL; ``wake`` is called when messages are committed.
    """

    def __init__(
        self, settings: Settings, address: Callable[[], str], wake: Callable[[], None]
    ) -> None:
        self._settings, self._address, self._wake = settings, address, wake

    def wants(self, kind: str) -> bool:
        """Whether an enabled rule has this kind, or a rule may name the camera that is deleted."""
        if kind == "camera_deleted":
            return bool(Notification.row_count())
        # Most boxes have no rule: one query is all that this costs them.
        if Notification.find(enabled=True) is None:
            return False
        return any(kind in rule["kinds"] for rule in Notification.enabled_rules())

    def record(self, occurrences: list[Occurrence]) -> None:
        """Write the messages for all rules."""
        now, zone = clock.now(), clock.zone(self._settings.box()["timezone"])
        enabled = Notification.enabled_rules()
        for occurrence in occurrences:
            if occurrence.kind == "camera_deleted" and occurrence.camera:
                rules.forget_camera(occurrence.camera["id"])
            for rule in enabled:
                if matching.should_report(rule, occurrence, now, zone):
                    self._write(rule["id"], occurrence, clock.rfc3339(now))

    def committed(self, occurrences: list[Occurrence]) -> None:
        """Begin to deliver what was written."""
        self._wake()

    def _write(self, rule_id: int, occurrence: Occurrence, now: str) -> None:
        Delivery.insert_row(
            {
                "notification": rule_id,
                "kind": occurrence.kind,
                "created_at": now,
                "state": WAITING,
                "attempts": 0,
                "message_id": signing.make_message_id(),
                "body": messages.body(occurrence, now, self._address()),
            }
        )
        Delivery.give_up_oldest(rule_id, MOST_WAITING, TOO_MANY, now)


class MqttOutbox(Observer):
    """Writes a message for the MQTT broker, which the process that leads publishes."""

    def wants(self, kind: str) -> bool:
        return kind in ("detection", "event")

    def record(self, occurrences: list[Occurrence]) -> None:
        """Write the messages, and drop the oldest ones beyond `MOST_MQTT`."""
        now = clock.rfc3339(clock.now())
        for occurrence in occurrences:
            row_id = MqttMessage.insert_row(
                {
                    "created_at": now,
                    "camera_id": (occurrence.camera or {})["id"],
                    "kind": occurrence.kind,
                    "body": dump_json(_mqtt_body(occurrence)).decode(),
                }
            )
            MqttMessage.delete_up_to(row_id - MOST_MQTT)


def _mqtt_body(occurrence: Occurrence) -> Row:
    row = occurrence.data[occurrence.kind]
    if occurrence.kind == "detection":
        shown = {"event_type": row["object_type"]}
        return shown | {name: row[name] for name in ("confidence", "detected_at", "id")}
    shown = {"event_type": row["risk_level"] or NO_LEVEL}
    return shown | {name: row[name] for name in ("id", "started_at", "risk_score", "summary")}
