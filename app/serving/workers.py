"""Which thread answers a request? Those that write wait for each other in threads of their own."""

from typing import Any

from waitress.task import ThreadedTaskDispatcher

READING = ("GET", "HEAD", "OPTIONS")
# While one writes for long (a camera with a million detections goes), so many less one may wait
# for their turn or their 503; a thread that waits costs nothing but its stack.
WRITERS = 8


class Workers:
    """waitress's dispatcher twice, so that no number of waiting writers keeps a reader waiting."""

    def __init__(self, readers: int) -> None:
        self._readers, self._writers = ThreadedTaskDispatcher(), ThreadedTaskDispatcher()
        self._readers.set_thread_count(readers)
        self._writers.set_thread_count(WRITERS)

    def add_task(self, channel: Any) -> None:
        """Have the channel's next request answered; what is no request is told so by a reader."""
        (self._readers if is_reading(channel) else self._writers).add_task(channel)

    @property
    def waiting(self) -> bool:
        """Whether a request waits for a reader."""
        return bool(self._readers.queue)

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        """Let each finish what it is at."""
        ended = self._writers.shutdown(cancel_pending, timeout)
        return self._readers.shutdown(cancel_pending, timeout) or ended


def is_reading(channel: Any) -> bool:
    """Whether the channel's next request changes nothing."""
    return getattr(channel.requests[0], "command", READING[0]) in READING
