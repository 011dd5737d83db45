"""Which thread answers a request? One of two pools of waitress' own worker threads.

Requests that change something wait for each other at the database. With threads of their own, no
number of them keeps a request that only reads waiting.
"""

import time
from typing import Any

from waitress.task import ThreadedTaskDispatcher

READING = ("GET", "HEAD", "OPTIONS")
# While one of them writes for long (a camera with a million detections is deleted), seven others
# can wait for their turn or their 503. A thread that waits costs nothing but its stack.
WRITERS = 8


class Pool:
    """Worker threads and their queue; times are of `time.monotonic`."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.dispatcher = ThreadedTaskDispatcher()
        # When no request waited, and when one was answered, the last time.
        self.idle_at = self.answered_at = time.monotonic()

    def seconds_without_answer(self, now: float) -> float:
        """For how long a request has waited and none was answered; to be asked regularly."""
        if not self.dispatcher.queue:
            self.idle_at = now
        return now - max(self.idle_at, self.answered_at)


class Pools:
    """The two pools, as the one dispatcher that waitress' server wants.

    ``readers``: how many threads answer GET, HEAD and OPTIONS.
    """

    def __init__(self, readers: int) -> None:
        self.readers, self.writers = Pool(readers), Pool(WRITERS)

    def start(self) -> None:
        """Start the threads."""
        for pool in (self.readers, self.writers):
            pool.dispatcher.set_thread_count(pool.threads)

    def add_task(self, channel: Any) -> None:
        """Have the channel's next request answered by a thread of its pool."""
        self.pool_of(channel.requests[0]).dispatcher.add_task(channel)

    def pool_of(self, request: Any) -> Pool:
        """The pool that answers ``request``; the readers' for what is no request at all."""
        is_reading = request.error is not None or request.command in READING
        return self.readers if is_reading else self.writers

    def seconds_without_answer(self, now: float) -> float:
        """The longer of the two pools' waits."""
        return max(pool.seconds_without_answer(now) for pool in (self.readers, self.writers))

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> None:
        """Let each thread end what it is at, within ``timeout`` seconds for all of them."""
        deadline = time.monotonic() + timeout
        for pool in (self.readers, self.writers):
            pool.dispatcher.shutdown(cancel_pending, max(0.1, deadline - time.monotonic()))
