"""What is the list of cameras as it is sent? Encoded once, then kept until a camera changes."""

import hashlib
from typing import NamedTuple

from ..strict_json import encoded
from . import cameras as camera_service


class Sent(NamedTuple):
    """The bytes of an answer, and a tag that no other bytes have."""

    body: bytes
    tag: str


class CameraList:
    """The list, whole and by status, as it is now. Safe for threads.

    No more is kept than one answer for each status and one for all, and nothing that is older
    than `camera_service.state`.
    """

    def __init__(self) -> None:
        # One tuple, so that no thread puts what it makes beside the state of another.
        self._kept: tuple[tuple[int, int] | None, dict[str | None, Sent]] = (None, {})

    def of(self, status: str | None = None) -> Sent:
        """All cameras, or those of one status."""
        state, (kept_state, kept) = camera_service.state(), self._kept
        if state != kept_state:
            kept = {}
            self._kept = (state, kept)
        if status not in kept:
            kept[status] = _encode(status)
        return kept[status]


# Of this process, as the database is; no two databases share a state.
camera_list = CameraList()


def _encode(status: str | None) -> Sent:
    cameras = camera_service.listing(status)
    body = encoded({"cameras": cameras, "count": len(cameras)})
    return Sent(body, hashlib.sha256(body).hexdigest()[:32])
