"""How does the service use the machine, and how does systemd hear of it?"""

import contextlib
import ctypes
import os
import socket
import sys

from ..config import MIB

# From malloc.h of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
# How long a thread may keep the interpreter from one that waits for it. With Python's 5 ms, reads
# beside 200 detections a second took 1.7 to 1.9 times as long as idle (99th percentile), with
# this 1.3 to 1.5 times.
SWITCH_SECONDS = 0.001


def set_up(one_processor: bool) -> None:
    """Tune the process; call it before the first thread begins."""
    sys.setswitchinterval(SWITCH_SECONDS)
    tune_malloc()
    if one_processor:
        keep_to_one_processor()


def tune_malloc() -> None:
    """Have the C library keep little memory that is not used (mallopt(3)).

    All threads share one heap: with one each, a thread would keep what it needed once, 9 MiB to
    resize a 1080p picture. Freed blocks of 1 MiB go back to the system: else those of up to
    32 MiB are kept, and 8 clients that read nothing drove the peak to 300 MiB instead of 221.
    """
    with contextlib.suppress(AttributeError):  # of musl, which keeps little anyway
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, MIB)
        mallopt(M_TRIM_THRESHOLD, 4 * MIB)


def keep_to_one_processor() -> None:
    """Run this thread, and all that it starts, on one processor (sched_setaffinity(2)).

    The interpreter runs one thread at a time. On two processors they contend for its lock, and 8
    clients got half as many answers.
    """
    with contextlib.suppress(PermissionError):  # of a sandbox: slower, nothing else
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def notify(state: str) -> None:
    """Send systemd one datagram (sd_notify(3)), where it waits for one.

    ``state``: ``READY=1``, ``WATCHDOG=1`` or ``STOPPING=1``.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    # A leading @ stands for the NUL of Linux' abstract names.
    address = f"\0{path[1:]}" if path[0] == "@" else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(state.encode(), address)
