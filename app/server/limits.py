"""Who has to go so that the others are served? Looked at once per turn of the server's loop."""

import logging
import resource
import time

from ..config import MIB
from .channel import Channel
from .pools import Workers

log = logging.getLogger(__name__)

# At most so many connections, and never more than half of the descriptors that are allowed.
CONNECTIONS = 500
# In memory for all clients together; four pictures of the greatest size always fit.
HELD_BYTES = 64 * MIB
# Who holds more than others by less than this holds as much.
ABOUT_BYTES = 64 * 1024
# How long the others wait, in seconds, while workers stand still for their clients.
STARVED_SECONDS = 1.0
# So long without an answer, in seconds, while a request waits: the workers are stuck.
STUCK_SECONDS = 20.0
LOOK_SECONDS = 1.0
COMPLAIN_SECONDS = 60.0


class Fairness:
    """The limits, and the clients that they are applied to; ``patience`` in seconds."""

    def __init__(
        self,
        channels: dict[int, Channel],
        workers: Workers,
        patience: float,
        most_picture_bytes: int,
    ) -> None:
        self._channels = channels
        self._workers = workers
        self._patience = patience
        self._most_held = max(HELD_BYTES, 4 * most_picture_bytes)
        self._most = min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        # When no request waited for a reader, and when a reader answered, the last time.
        self._idle_at = self._answered_at = self._looked_at = time.monotonic()
        self._complained_at = float("-inf")

    def note_answer(self) -> None:
        """A reader is done with a request."""
        self._answered_at = time.monotonic()

    def answers(self) -> bool:
        """Whether requests are still answered."""
        return time.monotonic() - max(self._idle_at, self._answered_at) < STUCK_SECONDS

    def apply(self) -> None:
        """Let go whoever takes from the others."""
        now = time.monotonic()
        channels = list(self._channels.values())
        if len(channels) > self._most:
            self.dismiss_idlest("too many connections")
        self._keep_memory(channels)
        self._keep_workers(channels, now)
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            for channel in channels:
                if channel.is_overdue(now, self._patience):
                    channel.give_up()

    def dismiss_idlest(self, why: str) -> bool:
        """Of the clients that wait for no answer, the one that did nothing for the longest goes.

        Whether there was one.
        """
        free = [channel for channel in list(self._channels.values()) if not channel.is_busy()]
        if free:
            self._dismiss(min(free, key=_moved_at), why)
        return bool(free)

    def dismiss_free(self) -> bool:
        """Everybody goes who waits for no answer; whether there are others."""
        channels = list(self._channels.values())
        for channel in channels:
            if not channel.is_busy():
                channel.give_up()
        return any(channel.is_busy() for channel in channels)

    def _keep_memory(self, channels: list[Channel]) -> None:
        """Who holds the most goes until the rest fits; of equals, who did nothing for longer."""
        if sum(channel.held() for channel in channels) <= self._most_held:
            return
        held = {channel: channel.held() for channel in channels}
        while sum(held.values()) > self._most_held:
            greatest = min(held, key=lambda each: (-(held[each] // ABOUT_BYTES), each.moved_at))
            self._dismiss(greatest, "too much is held for clients that do not take it")
            del held[greatest]

    def _keep_workers(self, channels: list[Channel], now: float) -> None:
        """Where a request waits in vain, the client goes that a reader waits for the longest."""
        if not self._workers.read_waits:
            self._idle_at = now
        elif now - max(self._idle_at, self._answered_at) > STARVED_SECONDS:
            awaited = [channel for channel in channels if channel.is_awaited]
            if awaited:
                slowest = min(awaited, key=lambda channel: channel.began)
                self._dismiss(slowest, "a worker waits for it and others wait for the worker")

    def _dismiss(self, channel: Channel, why: str) -> None:
        channel.give_up()
        if time.monotonic() - self._complained_at > COMPLAIN_SECONDS:
            self._complained_at = time.monotonic()
            log.warning("the connection of %s was closed: %s", channel.addr[0], why)


def _moved_at(channel: Channel) -> float:
    return channel.moved_at
