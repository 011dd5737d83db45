"""How does systemd learn how the service is? One datagram each (sd_notify(3))."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Tell the service manager, where there is one that wants to know.

    ``state``: ``READY=1``, ``WATCHDOG=1`` or ``STOPPING=1``.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    # A leading @ stands for the NUL of Linux' abstract names.
    address = f"\0{path[1:]}" if path[0] == "@" else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.setblocking(False)
        there.sendto(state.encode(), address)
