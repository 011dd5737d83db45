"""Which picture of a camera is published? The one of its snapshot, as a JPEG of limited width."""

import threading

from .. import clock
from ..db import database
from ..images import resize
from ..images.clip_frame import ClipFrames
from ..images.resize import MaxSize
from ..models import CameraSettings, Row
from ..storage import safe_open, snapshots
from ..storage.checks import StoredPicture
from ..storage.clips import ClipChanged
from ..storage.folders import Folders
from ..storage.mount_threads import FolderBusy
from ..storage.snapshots import SnapshotRequest

# Why a camera may have no picture now; another attempt is made later.
MISSING = (
    *(safe_open.OutsideBase, safe_open.FolderNotFound, safe_open.StorageNotAnswering),
    *(snapshots.NoSnapshot, snapshots.PictureIncomplete, ClipChanged, FolderBusy),
    resize.NotResizable,
)
# A picture that is too large for the broker is halved in width at most so many times.
HALVINGS = 4


class Pictures:
    """Reads the pictures of the cameras below ``base``; at most ``width`` pixels wide."""

    def __init__(self, base: str, folders: Folders, frames: ClipFrames, width: int) -> None:
        self._base, self._folders, self._frames = base, folders, frames
        self._width = width

    def newest(self, camera: Row, known: str | None, most_bytes: int) -> tuple[str, bytes | None]:
        """The ETag of the camera's picture, and its JPEG; None where the ETag is ``known``.

        The JPEG is made smaller until it has at most ``most_bytes``. Raises `MISSING`.
        """
        request = SnapshotRequest(
            self._base,
            camera["folder_path"],
            clock.now(),
            self._folders,
            file_pattern=CameraSettings.of(camera["id"])["file_pattern"],
            is_not_modified=lambda picture: picture.etag == known,
        )
        picture = self._frames.newest_picture(request, snapshots.latest)
        if picture.data is None:
            return picture.etag, None
        return picture.etag, self._fitting(picture, most_bytes)

    def _fitting(self, picture: StoredPicture, most_bytes: int) -> bytes:
        data = b""
        for halving in range(HALVINGS + 1):
            data = resize.to_jpeg(picture, MaxSize(max(1, self._width >> halving), None))
            if len(data) <= most_bytes:
                break
        return data


class PictureReader(threading.Thread):
    """Reads the newest picture of a camera, so that slow storage delays no message.

    ``tag`` and ``data``: its ETag and the JPEG, as `Pictures.newest` returns them. Without a tag
    there was no picture; ``is_empty``: because the folder holds none or does not exist.
    """

    def __init__(
        self, pictures: Pictures, camera: Row, known: str | None, most_bytes: int
    ) -> None:
        super().__init__(name="mqtt picture", daemon=True)
        self.camera = camera
        self._pictures, self._arguments = pictures, (camera, known, most_bytes)
        self.tag: str | None = None
        self.data: bytes | None = None
        self.is_empty = False
        self.start()

    def run(self) -> None:
        try:
            self.tag, self.data = self._pictures.newest(*self._arguments)
        except MISSING as error:
            self.is_empty = isinstance(error, snapshots.NoSnapshot | safe_open.FolderNotFound)
        finally:
            database.close()
