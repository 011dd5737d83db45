"""What was published about the box and its cameras, and what must be published again?"""

import re
import time
from typing import NamedTuple

from ..models import Row
from ..serialization import dump_json
from ..services import cameras as camera_service
from .connection import ONLINE, Connection
from .discovery import Origin, Topics, box_config, camera_config
from .object_types import ObjectTypes
from .pictures import PictureReader, Pictures

# Least seconds between two messages about the state of a camera whose status is the same: Home
# Assistant lists each message as an activity.
STATE_SECONDS = 60.0
# Home Assistant subscribes to the topics of new components after 0.1 s or somewhat more, and does
# not get what is published on them before.
SUBSCRIBE_SECONDS = 0.3
# After so many seconds a picture is read again although there was no upload: its file may have
# been deleted, or the camera's file_pattern may have changed.
REREAD_SECONDS = 60.0
# After this many seconds the remaining cameras are left to the next call: counting the types of a
# camera with millions of detections takes long.
MOST_SECONDS = 0.2
CAMERA_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
RETAINED = ("state", "picture")
# At most so many cameras are noted about which the broker has retained messages.
MOST_RETAINED = 10_000


class Published(NamedTuple):
    """What was published of a camera last.

    ``about``: its name and object types; ``picture``: the ETag of its picture; ``source``: its
    folder and the time of its last upload when the picture was published. By the monotonic clock,
    ``announced_at``: when the camera or one of its types was new; ``state_at`` and ``picture_at``:
    when they were published.
    """

    about: tuple[str, list[str]] | None = None
    announced_at: float = float("-inf")
    state: Row | None = None
    state_at: float = float("-inf")
    picture: str | None = None
    source: tuple[str, str] | None = None
    picture_at: float = float("-inf")


class Devices:
    """Publishes the box and each camera if they differ from what was published last."""

    def __init__(self, topics: Topics, origin: Origin, pictures: Pictures, seconds: float) -> None:
        self._topics, self._origin = topics, origin
        self._pictures, self._picture_seconds = pictures, seconds
        self._is_box_published = False
        # The cameras as they were at the last `publish`, and what was published of them.
        self._cameras: dict[str, Row] = {}
        self._published: dict[str, Published] = {}
        self._types: dict[str, ObjectTypes] = {}
        self._reader: PictureReader | None = None
        # The cameras of which the broker has retained messages from an earlier connection.
        self._retained: set[str] = set()

    def forget(self) -> None:
        """Publish everything again: the broker or Home Assistant may have lost it."""
        self._is_box_published = False
        self._retained.update(self._published)
        self._published.clear()
        self._reader = None

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

    def is_subscribed(self, camera_id: str) -> bool:
        """Whether Home Assistant has had the time to subscribe to the camera's topics."""
        published = self._published.get(camera_id, Published())
        return time.monotonic() - published.announced_at >= SUBSCRIBE_SECONDS

    def announce(self, camera_id: str, object_type: str | None, connection: Connection) -> bool:
        """Whether a message about this camera is published, and about this object type where there
        is one; a new type is announced first.
        """
        if camera_id not in self._published or object_type is None:
            return camera_id in self._published  # it may have been deleted
        types = self._types[camera_id]
        if object_type not in types.names and types.is_count_due():
            types.count()
            self._publish_config(self._cameras[camera_id], connection)
        return object_type in types.names

    def _publish_config(self, camera: Row, connection: Connection) -> None:
        key = camera["id"]
        types = self._types.setdefault(key, ObjectTypes(self._topics, key))
        published = self._published.get(key, Published())
        if published.about is None:
            types.count()
        if (camera["name"], types.names) == published.about:
            return
        topic, body = self._topics.config(key), self._config_of(camera, types)
        while len(body) > connection.most_payload(topic) and types.shrink():
            body = self._config_of(camera, types)
        about = camera["name"], types.names
        if about != published.about:
            connection.publish(topic, body, retain=True)
            types.note_published()
            if published.about is None or not set(types.names) <= set(published.about[1]):
                published = published._replace(announced_at=time.monotonic())
        self._published[key] = published._replace(about=about)

    def _config_of(self, camera: Row, types: ObjectTypes) -> bytes:
        return camera_config(self._topics, self._origin, camera, types.names, types.removed())

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
        """Publish the picture that was read, and begin to read the next one that is due."""
        reader = self._reader
        if reader and reader.is_alive():
            return
        if reader and reader.camera["id"] in self._published:
            self._publish_read(reader, connection)
        self._reader = None
        due = [
            (published.picture_at, key)
            for key, camera in self._cameras.items()
            if (published := self._published.get(key)) and self._is_picture_due(camera, published)
        ]
        if due:
            key = min(due)[1]
            topic, published = self._topics.of(key, "picture"), self._published[key]
            self._published[key] = published._replace(picture_at=time.monotonic())
            most_bytes = connection.most_payload(topic)
            self._reader = PictureReader(
                self._pictures, self._cameras[key], published.picture, most_bytes
            )

    def _is_picture_due(self, camera: Row, published: Published) -> bool:
        seconds = time.monotonic() - published.picture_at
        return (
            camera["last_seen_at"] is not None
            and seconds >= self._picture_seconds
            and (_source(camera) != published.source or seconds >= REREAD_SECONDS)
        )

    def _publish_read(self, reader: PictureReader, connection: Connection) -> None:
        """Publish what was read; if a new folder has no picture, remove that of the old one."""
        key, source = reader.camera["id"], _source(reader.camera)
        published = self._published[key]._replace(picture_at=time.monotonic())
        is_moved = published.source is not None and published.source[0] != source[0]
        data = b"" if reader.is_empty and is_moved else reader.data
        if data is not None:
            connection.publish(self._topics.of(key, "picture"), data, retain=True)
        if reader.tag or data is not None:
            published = published._replace(picture=reader.tag, source=source)
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


def _source(camera: Row) -> tuple[str, str]:
    """Where a camera's picture is read, and when the last upload was."""
    return camera["folder_path"], camera["last_seen_at"]
