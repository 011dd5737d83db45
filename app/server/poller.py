"""When can a socket be read or written? The kernel tells once; who waits on asks anew.

A loop that tells the kernel with every turn what each socket waits for, as poll(2) wants it, turns
the slower the more clients there are, and must be woken to hear that an answer is done. With
epoll(7) and EPOLLONESHOT the worker that is done asks for its client's next request itself.
"""

import select
import threading
from typing import Any

from waitress import wasyncore


class Readiness:
    """What each of ``sockets`` (descriptor → waitress' object) waits for. Safe for threads."""

    def __init__(self, sockets: dict[int, Any]) -> None:
        self._sockets = sockets
        self._epoll = select.epoll()
        # Descriptor → what the kernel will tell of it, 0 once it has told.
        self._asked: dict[int, int] = {}
        # What a socket waits for is looked at and asked for in one go: who asks last is right.
        self._lock = threading.Lock()

    def ask(self, each: Any) -> None:
        """Ask for what ``each`` waits for by now; nothing where it is closed."""
        with self._lock:
            descriptor = each._fileno
            if descriptor is None:
                return
            waits = select.EPOLLIN if each.readable() else 0
            if not each.accepting and each.writable():
                waits |= select.EPOLLOUT
            asked = self._asked.get(descriptor)
            if asked is None:
                self._epoll.register(descriptor, waits | select.EPOLLONESHOT)
            elif waits != asked:
                self._epoll.modify(descriptor, waits | select.EPOLLONESHOT)
            self._asked[descriptor] = waits

    def forget(self, each: Any) -> None:
        """Never tell of ``each`` again; before it is closed, for its number is used again."""
        with self._lock:
            if self._asked.pop(each._fileno, None) is not None:
                self._epoll.unregister(each._fileno)

    def turn(self, seconds: float) -> None:
        """Wait at most so long, and have each socket that is ready do what it waited for."""
        for descriptor, events in self._epoll.poll(seconds):
            each = self._sockets.get(descriptor)
            if each is not None:
                with self._lock:
                    self._asked[descriptor] = 0
                wasyncore.readwrite(each, events)
                self.ask(each)

    def close(self) -> None:
        """Tell of nothing any more."""
        self._epoll.close()
