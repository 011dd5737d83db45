"""How is storage asked without keeping those waiting who ask about something else?"""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

# How often, and for how many seconds each time, one waits for one of the threads that the folder
# may occupy. Several short waits: a process that gets no CPU for a while does not end them all.
SLOT_WAITS, SLOT_SECONDS = 10, 0.025


class FolderBusy(Exception):
    """Other questions about the same folder take long and occupy as many threads as they may."""


class ConcurrencyLimit:
    """Lets at most ``most`` threads be occupied by the same key at a time. Safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._occupied: Counter[str] = Counter()
        # Keys for whose slots a thread has waited in vain since one of them was given back.
        self._slow: set[str] = set()
        self._ended = threading.Condition()

    @contextlib.contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """A slot of the key for the block. Raises `FolderBusy`.

        A thread that waits for a slot is occupied too, so it waits a short time only.
        """
        with self._ended:
            if not self._wait(key):
                raise FolderBusy
            self._occupied[key] += 1
        try:
            yield
        finally:
            with self._ended:
                self._occupied[key] -= 1
                if not self._occupied[key]:
                    del self._occupied[key]
                self._slow.discard(key)
                self._ended.notify_all()

    def _wait(self, key: str) -> bool:
        """Whether a slot is free, now or soon."""
        for _ in range(0 if key in self._slow else SLOT_WAITS):
            if self._ended.wait_for(lambda: self._occupied[key] < self._most, SLOT_SECONDS):
                return True
        self._slow.add(key)
        return False
