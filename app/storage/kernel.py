"""What does the kernel grant, and does anybody set its clock?"""

import ctypes
import os

from . import safe_open

LIMITS = "/proc/sys/fs/inotify"
# adjtimex(2): the clock is not synchronised; its struct is well below this size.
TIME_ERROR, TIMEX_BYTES = 5, 512


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
