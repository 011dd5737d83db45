"""Which connections are closed so that the others are served? Checked in each turn of the loop."""

import logging
import resource
import time

from ..config import MIB
from .channel import Channel
from .tasks import Pools

log = logging.getLogger(__name__)

# The most connections, which are never more than half of the allowed descriptors.
CONNECTIONS = 500
# The most memory for all clients together; four pictures of the greatest size always fit.
HELD_BYTES = 64 * MIB
# Amounts of memory that differ by less than this count as equal.
SIMILAR_BYTES = 64 * 1024
# How long a request may wait for a worker thread while all of them wait for their clients.
STARVED_SECONDS = 1.0
DEADLINE_CHECK_SECONDS = 1.0


class ConnectionLimits:
    """The limits, and the connections that they apply to.

    ``patience``: how long a client may stand still, in seconds.
    """

    def __init__(
        self,
        channels: dict[int, Channel],
        pools: Pools,
        patience: float,
        largest_picture_bytes: int,
    ) -> None:
        self._channels = channels
        self._pools = pools
        self.patience = patience
        self._held_bytes = max(HELD_BYTES, 4 * largest_picture_bytes)
        self._connections = min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._checked_at = time.monotonic()

    def apply(self) -> None:
        """Close the connections that are beyond a limit."""
        now = time.monotonic()
        channels = list(self._channels.values())
        if len(channels) > self._connections:
            self.close_idlest("too many connections")
        self._limit_memory(channels)
        self._free_workers(channels, now)
        if now - self._checked_at >= DEADLINE_CHECK_SECONDS:
            self._checked_at = now
            for channel in channels:
                channel.note_delivery(now)
                if channel.is_overdue(now, self.patience):
                    channel.close_now()

    def close_idlest(self, why: str) -> bool:
        """Close the connection that waits for no response and has been idle longest.

        Returns whether there was one.
        """
        free = [channel for channel in self._channels.values() if not channel.is_busy()]
        if free:
            _close(min(free, key=lambda channel: channel.moved_at), why)
        return bool(free)

    def close_free(self) -> bool:
        """Close all connections that wait for no response; return whether others are left."""
        channels = list(self._channels.values())
        for channel in channels:
            if not channel.is_busy():
                channel.close_now()
        return any(channel.is_busy() for channel in channels)

    def close_all(self) -> None:
        """Close all connections, which also releases the worker threads that wait for them."""
        for channel in list(self._channels.values()):
            channel.close_now()

    def _limit_memory(self, channels: list[Channel]) -> None:
        """Close the connections that hold the most memory, of equal ones the longest inactive."""
        if sum(channel.held_bytes() for channel in channels) <= self._held_bytes:
            return
        held = {channel: channel.held_bytes() for channel in channels}
        while sum(held.values()) > self._held_bytes:
            worst = min(held, key=lambda each: (-(held[each] // SIMILAR_BYTES), each.moved_at))
            _close(worst, "too much memory is held for clients that do not read their responses")
            del held[worst]

    def _free_workers(self, channels: list[Channel], now: float) -> None:
        """If a request finds no free worker, close the connection that has blocked one longest."""
        if self._pools.readers.seconds_without_answer(now) > STARVED_SECONDS:
            awaited = [channel for channel in channels if channel.is_awaited()]
            if awaited:
                slowest = min(awaited, key=lambda channel: channel.began_at)
                _close(slowest, "a worker thread waits for it, and other requests for the thread")


def _close(channel: Channel, why: str) -> None:
    channel.close_now()
    log.warning("the connection of %s was closed: %s", channel.addr[0], why)
