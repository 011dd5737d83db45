"""What has just happened? Changes report occurrences to observers.

A change calls one of the functions below inside its transaction. An observer records it in the
same transaction, and is called again once that is committed. Without an observer that wants the
kind, nothing is read or built.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import NamedTuple

from flask import Flask

from .. import clock
from ..db import writer
from ..models import RISK_LEVELS, Camera, Detection, Event, Row, decode_types

log = logging.getLogger(__name__)

MOMENT = "moment_started"
# What is posted later than this after it happened is not reported.
LATEST = timedelta(hours=1)


class Occurrence(NamedTuple):
    """One thing that happened.

    ``kind``: ``detection``, ``event``, ``event_reviewed``, ``camera_online``, ``camera_offline``,
    ``camera_error``, ``camera_created``, ``camera_updated``, ``camera_deleted``,
    ``moment_started``, ``storage_low``, ``storage_ok``; ``camera``: its
    id and name, with ``status`` and ``previous_status`` where the status moved; ``data``: an
    object of the API by its name (``detection`` has the ``count`` of all that it stands for);
    ``object_types``: of the detection, or of the event's detections.
    """

    kind: str
    happened_at: str
    camera: Row | None
    data: Row
    object_types: frozenset[str] = frozenset()


class Observer:
    """Receives occurrences; the thread that writes calls each method."""

    def wants(self, kind: str) -> bool:
        """Whether to report this kind; called inside the change."""
        raise NotImplementedError

    def record(self, occurrences: list[Occurrence]) -> None:
        """Write to the database what must commit together with the change."""

    def committed(self, occurrences: list[Occurrence]) -> None:
        """Act on what is committed, without waiting for anything."""


_observers: list[Observer] = []


def init_app(_app: Flask) -> None:
    """Forget the observers of an app that this process made before."""
    _observers.clear()


def add_observer(observer: Observer) -> None:
    _observers.append(observer)


def is_wanted(kind: str) -> bool:
    """Whether an observer wants this kind, so that it is worth looking for."""
    return any(observer.wants(kind) for observer in _observers)


def report(kind: str, make: Callable[[], Iterable[Occurrence]]) -> None:
    """Report what ``make`` returns, which is called if an observer wants this kind.

    Call it inside a change.
    """
    wanting = [observer for observer in _observers if observer.wants(kind)]
    if not wanting or not (occurrences := list(make())):
        return
    for observer in wanting:
        observer.record(occurrences)
    writer.after_commit(lambda: _committed(wanting, occurrences))


def report_detections(detections: list[Row], ids: list[int]) -> None:
    """Report new detections, those of each camera and object type as one."""
    report("detection", lambda: _detections(detections, ids))


def report_event(kind: str, event: Row) -> None:
    """Report an event: it was created, its risk level has risen, or it was reviewed."""
    report(kind, lambda: [_event(kind, event)])


def is_recent(happened_at: str) -> bool:
    """Whether it is not too late to report what happened then."""
    return happened_at >= clock.rfc3339(clock.now() - LATEST)


def has_risen(old: str | None, new: str | None) -> bool:
    """Whether a risk level is higher than another; every level is higher than none."""
    return _rank(new) > _rank(old)


def report_status(camera: Row, old: str, new: str) -> None:
    """Report that a camera's status moved."""
    moved = {"status": new, "previous_status": old}
    report(f"camera_{new}", lambda: [_camera(f"camera_{new}", camera, moved)])


def report_moment(camera: Row, moment: Row) -> None:
    """Report the first upload of a camera after a pause."""
    shown = {"id": camera["id"], "name": camera["name"]}
    report(MOMENT, lambda: [Occurrence(MOMENT, moment["start"], shown, {"moment": moment})])


def report_storage(kind: str, storage: Row) -> None:
    """Report that the space for pictures is low, or enough again."""
    now = clock.rfc3339(clock.now())
    report(kind, lambda: [Occurrence(kind, now, None, {"storage": storage})])


def report_camera(kind: str, camera: Row) -> None:
    """Report that a camera was created, updated or deleted."""
    report(kind, lambda: [_camera(kind, camera, {})])


def _camera(kind: str, camera: Row, more: Row) -> Occurrence:
    shown = {"id": camera["id"], "name": camera["name"], **more}
    return Occurrence(kind, clock.rfc3339(clock.now()), shown, {})


def _event(kind: str, event: Row) -> Occurrence:
    types = decode_types((Event.find(id=event["id"]) or {})["object_types"])
    camera = _shown(event["camera_id"])
    return Occurrence(kind, event["started_at"], camera, {"event": event}, frozenset(types))


def _detections(detections: list[Row], ids: list[int]) -> Iterable[Occurrence]:
    groups: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for detection, row_id in zip(detections, ids, strict=True):
        if is_recent(detection["detected_at"]):
            key = detection["camera_id"], detection["object_type"]
            # The surest is the greatest, of two equals the first.
            groups.setdefault(key, []).append((detection["confidence"], -row_id))
    for (camera_id, object_type), group in groups.items():
        surest = Detection.one(-max(group)[1])
        data = {"detection": surest | {"count": len(group)}}
        types, camera = frozenset({object_type}), _shown(camera_id)
        yield Occurrence("detection", surest["detected_at"], camera, data, types)


def _shown(camera_id: str) -> Row:
    return {"id": camera_id, "name": Camera.one(camera_id)["name"]}


def _rank(level: str | None) -> int:
    return -1 if level is None else RISK_LEVELS.index(level)


def _committed(observers: list[Observer], occurrences: list[Occurrence]) -> None:
    for observer in observers:
        try:
            observer.committed(occurrences)
        except Exception:  # an observer's failure must not end the thread that writes
            log.exception("what has happened could not be passed on")
