"""How is a message, or a test message, sent to the receiver of a rule, and with which picture?"""

import json
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from flask import Flask

from .. import clock
from ..clock import pause
from ..db import database
from ..images import resize
from ..images.resize import JPEG_SIGNATURE, MaxSize
from ..models import Camera, CameraSettings, NotFound, Notification, Row
from ..pictures.listing import KINDS, Filters, Listing
from ..pictures.reading import read_picture
from ..storage import safe_open, snapshots
from ..storage.checks import StoredPicture
from ..storage.mount_threads import FolderBusy
from ..storage.snapshots import SnapshotRequest
from . import apprise_sender, messages, signing, urls, webhook
from .deliveries import Send
from .webhook import Outcome, run_within

# Why a camera may have no picture for a message.
MISSING = (
    *(NotFound, FolderBusy, safe_open.OutsideBase, safe_open.OutsideFolder),
    *(safe_open.FolderNotFound, safe_open.StorageNotAnswering),
    *(snapshots.NoSnapshot, snapshots.PictureIncomplete, snapshots.PictureNotFound),
)
WIDTH = 1280
# Pictures that cannot be made smaller are attached up to this size, in bytes.
MOST_BYTES = 1024 * 1024
# How much older than the occurrence its picture may be; how long the service waits for it, and
# after how long it looks again, both in seconds.
BEFORE, WAIT_SECONDS, STEP_SECONDS = timedelta(seconds=30), 5.0, 0.25

# The limit for a whole test, the lookup of the host's name included. The API promises 15 s.
TRIAL_SECONDS = 13.0
# How many tests run at once: each occupies one of the threads that answer requests.
MOST_TRIALS = 4
_free_for_trial = threading.BoundedSemaphore(MOST_TRIALS)
# From one time to another.
Period = tuple[datetime, datetime]


class Sender:
    """Sends messages: to webhooks by HTTP, to all other receivers by Apprise."""

    def __init__(self, app: Flask) -> None:
        self._base = app.config["NVR_FOSCAM_BASE_PATH"]
        self._folders, self._settings = app.extensions["folders"], app.extensions["settings"]
        self._pictures = app.extensions["pictures"]

    def __call__(self, rule: Row, row: Row) -> Outcome:
        """Make one attempt to send the message of a row of `Delivery`."""
        if urls.is_webhook(rule["url"]):
            send = partial(webhook.send, rule, row)
        else:
            message = json.loads(row["body"])
            zone = clock.zone(self._settings.box()["timezone"])
            title, text = messages.title_and_text(message, zone)
            picture = self._picture(message) if rule["with_picture"] else None
            send = partial(apprise_sender.send, rule["url"], title, text, picture)
        database.close()  # while a receiver hangs, its thread must not keep a connection
        return send()

    def _picture(self, message: Row) -> bytes | None:
        """The picture of the occurrence, made smaller; None where all are older, or too new."""
        data = message["data"]
        if "camera" not in data:
            return None
        detection, event = data.get("detection", {}), data.get("event", {})
        happened_at = detection.get("detected_at") or event.get("started_at")
        happened_at = happened_at or data.get("moment", {}).get("start") or message["timestamp"]
        # A later picture shows another moment, and an attempt may be hours late.
        last = clock.parse(message["timestamp"]) + timedelta(seconds=WAIT_SECONDS)
        period = clock.parse(happened_at) - BEFORE, last
        left = min(WAIT_SECONDS, (last - clock.now()).total_seconds())
        until = time.monotonic() + left
        while True:
            with suppress(*MISSING):
                camera = Camera.one(data["camera"]["id"])
                return _smaller(self._take(camera, detection.get("file_path"), period))
            if time.monotonic() >= until:
                return None
            pause(STEP_SECONDS)

    def _take(self, camera: Row, file_path: str | None, period: Period) -> StoredPicture:
        """The picture at this path, or else the newest one of the period. Raises `MISSING`."""
        folder_path = camera["folder_path"]
        pattern = CameraSettings.of(camera["id"])["file_pattern"]
        request = SnapshotRequest(
            self._base, folder_path, clock.now(), self._folders, file_pattern=pattern
        )
        if file_path is not None:
            with suppress(snapshots.PictureNotFound, safe_open.OutsideFolder):
                take = partial(snapshots.open_by_path, request, file_path)
                named: StoredPicture = self._folders.ask(take, self._base, folder_path)
                if _taken_at(named) <= period[1]:  # else it was overwritten meanwhile
                    return named
        take = partial(snapshots.latest, request)
        picture: StoredPicture = self._folders.ask(take, self._base, folder_path)
        if _taken_at(picture) < period[0]:
            raise snapshots.NoSnapshot
        return picture if _taken_at(picture) <= period[1] else self._indexed(camera, period)

    def _indexed(self, camera: Row, period: Period) -> StoredPicture:
        """The newest picture of the period, by the index. Raises `MISSING`."""
        index = self._pictures.follow(camera)
        start_us, end_us = (clock.to_us(each) for each in period)
        for row in Listing(index).page(Filters(start_us, end_us, kind=KINDS[False]), 1).rows:
            return read_picture(index, row, lambda _: False)
        raise snapshots.NoSnapshot


def send_trial(rule_id: int, send: Send) -> Row:
    """Send a test message at once, whatever the rule's filters; return ``ok``, ``status`` and
    ``error``. Raises `NotFound`.
    """
    rule = Notification.one(rule_id)
    if not _free_for_trial.acquire(blocking=False):
        return _shown(Outcome(error="other tests are running; try again in a few seconds"))
    body = messages.trial_body(clock.rfc3339(clock.now()))
    message = {"kind": messages.TEST, "message_id": signing.make_message_id(), "body": body}

    def work() -> Outcome:
        try:
            return send(rule, message)
        finally:
            _free_for_trial.release()

    try:
        return _shown(run_within(TRIAL_SECONDS, work, f"trial of {rule_id}"))
    except TimeoutError:
        return _shown(Outcome(error=f"no answer within {TRIAL_SECONDS:.0f} seconds"))


def _shown(outcome: Outcome) -> Row:
    return {"ok": outcome.ok, "status": outcome.status, "error": outcome.error}


def _taken_at(picture: StoredPicture) -> datetime:
    return clock.from_ns(picture.time_ns - picture.ahead_ns)


def _smaller(picture: StoredPicture) -> bytes | None:
    """The picture as a JPEG of at most `WIDTH`; else a JPEG up to `MOST_BYTES`."""
    try:
        return resize.to_jpeg(picture, MaxSize(WIDTH, None))
    except (resize.NotResizable, resize.NotInstalled):
        data = picture.data or b""
        return data if len(data) <= MOST_BYTES and data.startswith(JPEG_SIGNATURE) else None
