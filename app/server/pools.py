"""Which thread answers a request? Those that write wait for each other in threads of their own."""

import threading
import time
from collections.abc import Callable
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from .readers import PATIENCE_SECONDS, Readers

READING = ("GET", "HEAD", "OPTIONS")
# While one writes for long (a camera with a million detections goes), so many less one may wait
# for their turn or their 503; a thread that waits costs nothing but its stack.
WRITERS = 8


class Writers(ThreadedTaskDispatcher):
    """waitress's, that say nothing of how many requests wait for them."""

    def __init__(self) -> None:
        super().__init__()
        self.set_thread_count(WRITERS)

    def add_task(self, task: Any) -> None:
        """Have ``task`` done next after those that wait already."""
        with self.lock:
            self.queue.append(task)
            self.queue_cv.notify()


class Workers:
    """Those that read and those that write, so that no number of waiting writers keeps a reader
    waiting.

    ``turn`` and ``wake`` are what `Readers` needs.
    """

    def __init__(
        self, readers: int, turn: Callable[[], None], wake: Callable[[], None] = lambda: None
    ) -> None:
        self._readers = Readers(readers, turn, wake)
        self._writers = Writers()
        # Set by what is asked, so that somebody looks after how long it takes.
        self._asked = threading.Event()
        self.start, self.step_down = self._readers.start, self._readers.step_down

    def add_task(self, channel: Any) -> None:
        """Have the channel's next request answered; what is no request is told so by a reader."""
        if is_reading(channel):
            self._readers.add_task(channel)
        else:
            self._writers.add_task(channel)
        if not self._asked.is_set():
            self._asked.set()

    def look(self) -> None:
        """End `wait` soon."""
        self._asked.set()

    def wait(self, seconds: float) -> bool:
        """A moment where something is asked, else until it is, for ``seconds`` at the most.

        False, at once, where no reader leads.
        """
        if self._readers.are_led and (self._readers.are_busy or self._asked.wait(seconds)):
            self._asked.clear()
            time.sleep(PATIENCE_SECONDS)
        return self._readers.are_led

    def help(self) -> None:
        """Have another one lead where an answer takes long; to be called often while one does."""
        self._readers.relieve(time.monotonic())

    @property
    def waiting(self) -> bool:
        """Whether a request waits for a thread."""
        return bool(self._readers.waiting or self._writers.queue)

    @property
    def read_waits(self) -> bool:
        """Whether a request waits for a reader."""
        return self._readers.waiting

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> None:
        """Let each finish what it is at, within ``timeout`` seconds."""
        self._writers.shutdown(cancel_pending, timeout)
        self._readers.shutdown(timeout)


def is_reading(channel: Any) -> bool:
    """Whether the channel's next request changes nothing."""
    return getattr(channel.requests[0], "command", READING[0]) in READING
