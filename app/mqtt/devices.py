"""What was published about the box and its cameras, and what must be published again?"""

import re
import time
from datetime import timedelta
from typing import NamedTuple

from .. import clock
from ..models import Detection, Row
from ..serialization import dump_json
from ..services import cameras as camera_service
from .connection import ONLINE, Connection
from .discovery import Origin, Topics, box_config, camera_config, components
from .pictures import MISSING, Pictures

# Least seconds between two messages about the state of a camera whose status is the same: Home
# Assistant lists each message as an activity.
STATE_SECONDS = 60.0
# How many object types of a camera are published: the most frequent ones of a period.
MOST_TYPES, TYPES_PERIOD, MOST_COUNTED = 32, timedelta(days=30), 1000
# Where there are more, they are counted again when another one is seen, but not more often than
# this, and so that counting takes at most a hundredth of the time.
RECOUNT_SECONDS, RECOUNT_SHARE = 30.0, 100
# How many components that a device no longer has are named as such, the latest ones.
MOST_REMOVED = 2 * MOST_TYPES
# After this many seconds the remaining cameras are left to the next call: counting the types of a
# camera with millions of detections takes long.
MOST_SECONDS = 0.2
CAMERA_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RETAINED = ("state", "picture")
# How many cameras are noted that the broker has retained messages of.
MOST_RETAINED = 10_000


class Published(NamedTuple):
    """What was published of a camera last.

    ``about``: its name and object types; ``picture``: the ETag of its picture; ``seen``: the time
    of its last upload when the picture was published; ``state_at`` and ``picture_at``: when they
    were published, by the monotonic clock.
    """

    about: tuple[str, list[str]] | None = None
    state: Row | None = None
    state_at: float = float("-inf")
    picture: str | None = None
    seen: str | None = None
    picture_at: float = float("-inf")


class Types:
    """The object types of one camera that are published."""

    def __init__(self, camera_id: str) -> None:
        # `_ranked` has the most frequent ones first; `names` are in alphabetical order.
        self._ranked: list[str] = []
        self.names: list[str] = []
        # The keys and platforms of components that were published for other types before.
        self.removed: dict[str, str] = {}
        self._camera_id = camera_id
        self._has_all, self._recount_at = False, float("-inf")

    def count(self, topics: Topics) -> None:
        """Read from the database which types are the most frequent."""
        began = time.monotonic()
        since = clock.rfc3339(clock.now() - TYPES_PERIOD)
        counts = Detection.frequent_types(self._camera_id, since, MOST_COUNTED)
        # Of types that are as frequent, those that are published already stay.
        ranked = sorted(counts, key=lambda name: (-counts[name], name not in self.names, name))
        self._set(topics, ranked[:MOST_TYPES])
        self._has_all = len(ranked) <= MOST_TYPES
        took = time.monotonic() - began
        self._recount_at = began + max(RECOUNT_SECONDS, took * RECOUNT_SHARE)

    def halve(self, topics: Topics) -> None:
        """Keep the more frequent half; without any type, what was removed before is forgotten."""
        if self.names:
            self._set(topics, self._ranked[: len(self._ranked) // 2])
            self._has_all = False
        else:
            self.removed = {}

    def _set(self, topics: Topics, ranked: list[str]) -> None:
        before = components(topics, self._camera_id, self.names)
        self._ranked, self.names = ranked, sorted(ranked)
        now = components(topics, self._camera_id, self.names)
        all_before = self.removed | {key: row["platform"] for key, row in before.items()}
        removed = [(key, name) for key, name in all_before.items() if key not in now]
        self.removed = dict(removed[-MOST_REMOVED:])

    def is_count_due(self) -> bool:
        """Whether to count again because a type that is not published may have become frequent."""
        return self._has_all or time.monotonic() >= self._recount_at


class Devices:
    """Publishes the box and each camera if they differ from what was published last."""

    def __init__(self, topics: Topics, origin: Origin, pictures: Pictures, seconds: float) -> None:
        self._topics, self._origin = topics, origin
        self._pictures, self._picture_seconds = pictures, seconds
        self._is_box_published = False
        # The cameras as they were at the last `publish`, and what was published of them.
        self._cameras: dict[str, Row] = {}
        self._published: dict[str, Published] = {}
        self._types: dict[str, Types] = {}
        # The cameras of which the broker has retained messages from an earlier connection.
        self._retained: set[str] = set()

    def forget(self) -> None:
        """Publish everything again: the broker or Home Assistant may have lost it."""
        self._is_box_published = False
        self._retained.update(self._published)
        self._published.clear()

    def note_retained(self, topic: str) -> None:
        """Note the camera that a retained message is about; it may have been deleted."""
        found = re.fullmatch(f"{self._topics.prefix}/({CAMERA_ID})/state", topic)
        if found and len(self._retained) < MOST_RETAINED:
            self._retained.add(found[1])

    def publish(self, connection: Connection) -> bool:
        """Publish what has changed, at most one picture, and no more than the broker takes.

        Return whether every camera is announced; otherwise the next call goes on.
        """
        if not self._is_box_published:
            box = box_config(self._topics, self._origin)
            connection.publish(self._topics.config("box"), box, retain=True)
            connection.publish(self._topics.status, ONLINE.encode(), retain=True)
            self._is_box_published = True
        cameras = {camera["id"]: camera for camera in camera_service.list_cameras()}
        self._cameras = cameras
        for camera_id in (self._published.keys() | self._retained) - cameras.keys():
            if connection.has_room:
                self._remove(camera_id, connection)
        deadline = time.monotonic() + MOST_SECONDS
        for camera in cameras.values():
            if connection.has_room and time.monotonic() < deadline:
                self._publish_config(camera, connection)
                self._publish_state(camera, connection)
        if connection.has_room:
            self._publish_picture(connection)
        return cameras.keys() == self._published.keys()

    def announce(self, camera_id: str, object_type: str | None, connection: Connection) -> bool:
        """Whether a message about this camera is published, and about this object type where there
        is one; a new type is announced first.
        """
        if camera_id not in self._published or object_type is None:
            return camera_id in self._published  # it may have been deleted
        types = self._types[camera_id]
        if object_type not in types.names and types.is_count_due():
            types.count(self._topics)
            self._publish_config(self._cameras[camera_id], connection)
        return object_type in types.names

    def _publish_config(self, camera: Row, connection: Connection) -> None:
        key = camera["id"]
        types = self._types.setdefault(key, Types(key))
        published = self._published.get(key, Published())
        if published.about is None:
            types.count(self._topics)
        about = camera["name"], types.names
        if about == published.about:
            return
        topic, body = self._topics.config(key), self._config_of(camera, types)
        while (types.names or types.removed) and not connection.fits(topic, body):
            types.halve(self._topics)
            body = self._config_of(camera, types)
        connection.publish(topic, body, retain=True)
        about = camera["name"], types.names
        self._published[key] = published._replace(about=about)

    def _config_of(self, camera: Row, types: Types) -> bytes:
        return camera_config(self._topics, self._origin, camera, types.names, types.removed)

    def _publish_state(self, camera: Row, connection: Connection) -> None:
        published, now = self._published[camera["id"]], time.monotonic()
        state = {name: camera[name] for name in ("status", "last_seen_at")}
        before = published.state or {"status": None, "last_seen_at": None}
        is_due = (
            state["status"] != before["status"]
            or before["last_seen_at"] is None
            or now - published.state_at >= STATE_SECONDS
        )
        if state != before and is_due:
            topic = self._topics.of(camera["id"], "state")
            connection.publish(topic, dump_json(state), retain=True)
            self._published[camera["id"]] = published._replace(state=state, state_at=now)

    def _publish_picture(self, connection: Connection) -> None:
        """Publish the picture of the camera that has waited the longest, if one is due."""
        now = time.monotonic()
        due = [
            (published.picture_at, camera["id"], camera)
            for camera in self._cameras.values()
            if (published := self._published.get(camera["id"]))
            and camera["last_seen_at"] not in (None, published.seen)
            and now - published.picture_at >= self._picture_seconds
        ]
        if not due:
            return
        camera = min(due)[2]
        key, topic = camera["id"], self._topics.of(camera["id"], "picture")
        published = self._published[key]._replace(picture_at=now)
        try:
            tag, data = self._pictures.newest(
                camera, published.picture, lambda data: connection.fits(topic, data)
            )
            published = published._replace(picture=tag, seen=camera["last_seen_at"])
            if data:
                connection.publish(topic, data, retain=True)
        except MISSING:
            pass  # it is tried again after the next pause
        self._published[key] = published

    def _remove(self, camera_id: str, connection: Connection) -> None:
        for topic in (
            self._topics.config(camera_id),
            *(self._topics.of(camera_id, name) for name in RETAINED),
        ):
            connection.publish(topic, b"", retain=True)
        self._retained.discard(camera_id)
        self._published.pop(camera_id, None)
        self._types.pop(camera_id, None)
