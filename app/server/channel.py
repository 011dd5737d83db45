"""What is one connection, and when has it taken too long?"""

import socket
import threading
import time
from typing import Any

from waitress.channel import ClientDisconnected, HTTPChannel

from .parser import Parser, Refusal
from .pools import is_reading
from .response import Answer, Whole

LINGER_SECONDS = 5
# A connection without a request is kept for so long, for the client's next one.
IDLE_SECONDS = 120
# Bytes a second below which a request or the taking of its answer runs out of time.
SLOWEST = 32 * 1024
# Of each worker: the channel that it serves.
SERVED = threading.local()


class Channel(HTTPChannel):
    """A connection that knows how long it has been at what it does, and how much it holds.

    After a refusal it takes what the client still sends for a few seconds: closing a socket with
    unread data makes the kernel send RST, and the client would lose the answer that tells it why
    (RFC 9112, section 9.6). All times are `time.monotonic`.
    """

    parser_class = Parser
    task_class = Answer
    error_task_class = Refusal
    refused = False
    lingers_until = 0.0
    # Whether a worker stands still until this client takes more of its answer.
    is_awaited = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.answered = 0
        self.free_since = time.monotonic()
        self._begin()

    def is_busy(self) -> bool:
        """Whether a whole request is not yet answered, or its answer not yet taken."""
        return bool(self.requests or self.total_outbufs_len or self.close_when_flushed)

    def held(self) -> int:
        """Bytes in memory for this client."""
        under_way = self.requests or self.request is not None
        return int(self.total_outbufs_len or (self.moved if under_way else 0))

    def is_overdue(self, now: float, patience: float) -> bool:
        """Whether the client has had its time.

        A request, and the taking of an answer, may take ``patience`` seconds and what its bytes
        take at `SLOWEST`, and may stand still for ``patience``; a client that has never asked
        gets as long, one that may ask again `IDLE_SECONDS`.
        """
        if self.lingers_until:
            return now > self.lingers_until
        if self.total_outbufs_len or (self.request is not None and not self.requests):
            at_most = self.began + patience + self.moved / SLOWEST
            return now > min(at_most, self.moved_at + patience)
        patience = IDLE_SECONDS if self.answered else patience
        return not self.requests and now > self.free_since + patience

    def del_channel(self, *args: Any) -> None:
        """Be no channel any more."""
        self.server.readiness.forget(self)
        super().del_channel(*args)

    def give_up(self) -> None:
        """Close at once, whatever is under way."""
        super().handle_close()

    def received(self, data: bytes) -> Any:
        """Take bytes of requests; the first one sets the clock."""
        if self.request is None and not self.requests:
            self._begin()
        self._move(len(data))
        return super().received(data)

    def write_soon(self, data: Any) -> Any:
        """Take bytes of an answer; the first ones set the clock, and go out at once."""
        if self.total_outbufs_len:
            return super().write_soon(data)
        if not self.connected:
            raise ClientDisconnected
        self._begin()
        sent = self._send_now(data)
        if sent < len(data):
            super().write_soon(Whole(data, sent))
        return len(data)

    def _send_now(self, data: bytes) -> int:
        """As much of it as the kernel takes; raises `ClientDisconnected`."""
        try:
            with self.outbuf_lock:
                return self.send(data, do_close=False)
        except OSError:
            self.will_close = True
            raise ClientDisconnected from None

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Give the kernel what it takes."""
        sent = int(super().send(data, do_close))
        self._move(sent)
        return sent

    def service(self) -> None:
        """Answer the first request that waits."""
        reads, SERVED.channel = is_reading(self), self
        super().service()
        self.answered += 1
        self.free_since = time.monotonic()
        if reads:
            self.server.fairness.note_answer()

    def _flush_outbufs_below_high_watermark(self) -> None:
        self.is_awaited = self.total_outbufs_len > self.adj.outbuf_high_watermark
        super()._flush_outbufs_below_high_watermark()
        self.is_awaited = False

    def _begin(self) -> None:
        self.began = self.moved_at = time.monotonic()
        self.moved = 0

    def _move(self, count: int) -> None:
        if count:
            self.moved += count
            self.moved_at = time.monotonic()

    def handle_close(self) -> None:
        """Close, or first stop sending and wait for the client to notice."""
        if not self.refused or self.lingers_until:
            super().handle_close()
            return
        self.lingers_until = time.monotonic() + LINGER_SECONDS
        self.will_close = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()

    def readable(self) -> bool:
        """Whether to be told of data; while lingering always."""
        return bool(self.lingers_until) or super().readable()

    def handle_read(self) -> None:
        """Read; while lingering only to throw it away."""
        if not self.lingers_until:
            super().handle_read()
        elif not self._discard() or time.monotonic() > self.lingers_until:
            self.handle_close()

    def _discard(self) -> bytes:
        try:
            return bytes(self.recv(self.adj.recv_bytes))
        except OSError:
            return b""
