"""What is a picture, and is it whole? Never half an upload, never another kind in its clothes."""

import os
from datetime import datetime
from typing import NamedTuple

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
}
# JPEG: SOI and the first byte of the next marker (ITU-T T.81, B.1.1.3). PNG: RFC 2083, 3.1.
# GIF: GIF89a specification, section 17.
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
JPEG_END = b"\xff\xd9"
PNG_END = b"IEND\xaeB`\x82"
GIF_END = b";"
# A GIF's end mark is a single byte that also occurs inside pictures: only padding may follow it.
GIF_PADDING = b"\x00\r\n "
HEAD_BYTES = 8
TAIL_BYTES = 4096
# An upload that has stood still for longer than this, in seconds, is taken to be over.
SETTLED_SECONDS = 5


class Picture(NamedTuple):
    """A picture and the facts that belong to just these bytes.

    ``name``: the file's own name; ``device`` and ``inode`` name the file itself; ``size`` in
    bytes; ``mtime_ns`` and ``ctime_ns`` since the epoch; ``data`` is None where the client has
    the same bytes already.
    """

    name: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    data: bytes | None = None

    @property
    def content_type(self) -> str:
        """The MIME type by suffix, named here because `mimetypes` differs by machine."""
        return CONTENT_TYPES[os.path.splitext(self.name)[1].lower()]

    @property
    def etag(self) -> str:
        """Strong: the same inode, size and time of last write are the same bytes."""
        return f"{self.inode:x}-{self.size:x}-{self.mtime_ns:x}"

    def age(self, now: datetime) -> float:
        """Seconds since the last write, negative where that lies in the future."""
        return now.timestamp() - self.mtime_ns / 1e9


def describe(file: int, name: str) -> Picture:
    """The facts of the open file as they are now, without its bytes."""
    status = os.fstat(file)
    return Picture(
        *(name, status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


def is_whole(file: int, picture: Picture, now: datetime) -> bool:
    """Whether the open file begins as a picture does and its upload is over.

    Reads its first 8 bytes and, for the first seconds of its life, its last 4 KiB.
    """
    head = os.pread(file, HEAD_BYTES, 0)
    if not head.startswith(SIGNATURES):
        return False
    if picture.age(now) > SETTLED_SECONDS:
        return True
    return has_end_mark(head, os.pread(file, TAIL_BYTES, max(0, picture.size - TAIL_BYTES)))


def has_end_mark(head: bytes, tail: bytes) -> bool:
    """Whether ``tail``, the last bytes of the file that begins with ``head``, ends the picture."""
    if head.startswith(b"GIF"):
        return tail.rstrip(GIF_PADDING).endswith(GIF_END)
    return (JPEG_END if head.startswith(b"\xff\xd8") else PNG_END) in tail
