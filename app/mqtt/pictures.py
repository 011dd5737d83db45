"""Which picture of a camera is published? The one of its snapshot, as a JPEG of limited width."""

from collections.abc import Callable

from .. import clock
from ..images import resize
from ..images.clip_frame import ClipFrames
from ..images.resize import MaxSize
from ..models import CameraSettings, Row
from ..storage import safe_open, snapshots
from ..storage.checks import Picture
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

    def newest(
        self, camera: Row, known: str | None, fits: Callable[[bytes], bool]
    ) -> tuple[str, bytes | None]:
        """The ETag of the camera's picture, and its JPEG; None where the ETag is ``known``.

        The JPEG is made smaller until it ``fits``. Raises `MISSING`.
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
        return picture.etag, self._fitting(picture, fits)

    def _fitting(self, picture: Picture, fits: Callable[[bytes], bool]) -> bytes:
        data = b""
        for halving in range(HALVINGS + 1):
            data = resize.to_jpeg(picture, MaxSize(max(1, self._width >> halving), None))
            if fits(data):
                break
        return data
