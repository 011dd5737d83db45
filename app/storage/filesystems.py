"""What does this machine's kernel tell: of a file system, of inotify's limits, of its clock?"""

import ctypes
import os

from . import safe_open

# Changes made on another machine raise no event here: statfs(2), linux/magic.h.
REMOTE = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "SMB",
    0x65735546: "FUSE",
    0x01021997: "9P",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x0BD00BD0: "Lustre",
}
LIMITS = "/proc/sys/fs/inotify"
# adjtimex(2): the clock is not synchronised; its struct is well below this size.
TIME_ERROR, TIMEX_BYTES = 5, 512


def remote_kind(folder: int) -> str | None:
    """What the network file system that holds the descriptor is called; None on a local one."""
    return REMOTE.get(filesystem_type(folder))


def filesystem_type(folder: int) -> int:
    """The magic number of the file system, the first field of what fstatfs(2) fills in."""
    buffer = (ctypes.c_long * 64)()
    if ctypes.CDLL(None).fstatfs(folder, buffer) != 0:
        return 0
    return buffer[0] & 0xFFFFFFFF


def inotify_limit(name: str) -> int:
    """A limit of inotify(7); 0 where the kernel tells of none."""
    try:
        folder = safe_open.open_folder(LIMITS, LIMITS)
    except safe_open.FolderNotFound:
        return 0
    try:
        file = safe_open.open_file(folder, [name])
    except safe_open.FileNotReadable:
        return 0
    finally:
        os.close(folder)
    try:
        return int(os.read(file, 64))
    finally:
        os.close(file)


def keeps_time() -> bool:
    """Whether the clock is synchronised, by NTP for example."""
    return bool(ctypes.CDLL(None).adjtimex((ctypes.c_byte * TIMEX_BYTES)()) != TIME_ERROR)
