"""Which files are listed in the index, with which id, and with which time?"""

import os
import re
import stat
from datetime import tzinfo
from hashlib import blake2b
from typing import NamedTuple

from ..clock import EARLIEST_SECONDS, LATEST_SECONDS, SECOND_US, from_ns
from ..models.pictures import IndexedPicture
from ..storage import clips, formats, safe_open
from ..storage.filesystems import mounts
from ..storage.scan import NameFilter, is_candidate, is_clip, is_readable, upload_filter
from ..storage.storage_clock import TRUSTED, StorageClock

TYPES = formats.CONTENT_TYPES | clips.CONTENT_TYPES
TAG_BYTES = 10
ID = re.compile(f"([0-9a-f]{{{2 * TAG_BYTES}}})-(0|[1-9a-f][0-9a-f]{{0,15}})")
# Local file systems that assign inode numbers anew at each mount.
WITHOUT_INODES = ("vfat", "exfat")
# Other file systems whose inode numbers are stable.
WITH_INODES = ("nfs", "nfs4")
# The largest integer in a table.
LARGEST = 2**63 - 1


class Finder(NamedTuple):
    """Which files are a camera's; ``most_bytes``: the largest picture."""

    camera_id: str
    file_pattern: str | None
    most_bytes: int

    @property
    def is_upload(self) -> NameFilter:
        """Whether a file of this name may be a picture or a clip of the camera."""
        return upload_filter(self.file_pattern)


class FileFacts(NamedTuple):
    """Identifies these bytes at this path."""

    tag: bytes
    own_us: int

    @property
    def picture_id(self) -> str:
        """Its id in the API, in the order of the tags."""
        return f"{self.tag.hex()}-{self.own_us % 2**64:x}"


def parse_id(text: str) -> FileFacts | None:
    """The facts in an id; None if it is not valid."""
    found = ID.fullmatch(text)
    if found is None:
        return None
    own_us = int(found[2], 16)
    return FileFacts(bytes.fromhex(found[1]), own_us if own_us <= LARGEST else own_us - 2**64)


def id_of(picture: IndexedPicture) -> str:
    """The id in the API of a row of the index."""
    own_us = picture.taken_us if picture.own_us is None else picture.own_us
    return FileFacts(picture.tag, own_us).picture_id


def content_type(name: str) -> str:
    """The MIME type of a picture or a clip by its suffix."""
    return TYPES[os.path.splitext(name)[1].lower()]


def saved_name(camera_name: str, taken_us: int, name: str, zone: tzinfo) -> str:
    """The name to save a file by, in local time: ``Front_Door_20251223T110005+0100.jpg``."""
    words = "".join(c if c.isalpha() or c.isdecimal() or c in "-_" else "_" for c in camera_name)
    taken = from_ns(taken_us * 1000).astimezone(zone)
    return f"{words}_{taken:%Y%m%dT%H%M%S%z}{os.path.splitext(name)[1].lower()}"


def file_facts(
    camera_id: str, path: str, status: os.stat_result, has_stable_inodes: bool
) -> FileFacts:
    """The facts of the file that has this status."""
    inode = status.st_ino if has_stable_inodes else 0
    times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
    text = f"{camera_id}\0{path}\0{inode}\0{status.st_size}\0{times}"
    tag = blake2b(os.fsencode(text), digest_size=TAG_BYTES).digest()
    return FileFacts(tag, microseconds(min(status.st_mtime_ns, status.st_ctime_ns)))


def microseconds(nanoseconds: int) -> int:
    """A time of a file in microseconds, within what `datetime` can hold."""
    return min(max(nanoseconds // 1000, EARLIEST_SECONDS * SECOND_US), LATEST_SECONDS * SECOND_US)


def has_stable_inodes(folder: int) -> bool:
    """Whether inode numbers are stable on the file system of the open folder."""
    mount = mounts.table().way(safe_open.real_path(folder))[-1]
    return mount.kind in WITH_INODES or (mount.is_local and mount.kind not in WITHOUT_INODES)


def is_listed(finder: Finder, parent: int, name: str, status: os.stat_result) -> bool:
    """Whether the file is a picture or a clip that can be read, and is not empty."""
    if name.startswith(".") or not status.st_size or not stat.S_ISREG(status.st_mode):
        return False
    is_small = is_clip(name) or is_candidate(status, finder.most_bytes)
    return is_small and finder.is_upload(name) and is_readable(parent, name, status)


def new_row(
    place: tuple[str, str],
    status: os.stat_result,
    facts: FileFacts,
    clock: StorageClock,
) -> IndexedPicture:
    """The new row of a file that is seen for the first time, with this folder and name.

    A time that is not trusted is replaced by the current one.
    """
    rank, time_ns, _ = clock.place(status)
    taken_us = microseconds(time_ns if rank == TRUSTED else clock.box_ns)
    return IndexedPicture(
        *(is_clip(place[1]), taken_us, facts.tag, *place, status.st_size),
        microseconds(status.st_ctime_ns),
        None if facts.own_us == taken_us else facts.own_us,
        kept=False,
    )
