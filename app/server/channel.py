"""What is one connection, and when does its client take too long?"""

import contextlib
import fcntl
import socket
import struct
import termios
import time
from typing import Any

from waitress.channel import HTTPChannel

from .parser import RequestParser
from .tasks import AppTask, ErrorResponseTask
from .transfers import FileTransfer

LINGER_SECONDS = 5
# The most reads of a connection after a refusal, and the bytes of each.
LINGER_READS, LINGER_BYTES = 500, 64 * 1024
# Each read costs a turn of the event loop: 64 KiB that come byte by byte would cost seconds. After
# `HEADER_READS` reads of one header, the loop pauses before each further one.
HEADER_READS, HEADER_PAUSE_SECONDS = 200, 0.05
# How long a connection is kept for the client's next request, in seconds.
IDLE_SECONDS = 120
# Bytes a second that a client must send of a body on average, after its first NVR_CLIENT_SECONDS.
SLOWEST_BODY = 1024


class Channel(HTTPChannel):
    """A connection, with the time of its client's last progress and the bytes held for it.

    After a refusal it goes on reading for a few seconds: closing a socket with unread data makes
    the kernel send RST, and the client would lose the response (RFC 9112, section 9.6). All times
    are of `time.monotonic`.
    """

    parser_class = RequestParser
    task_class = AppTask
    error_task_class = ErrorResponseTask
    refused = False
    lingers_until = 0.0
    linger_reads = 0
    has_answered = False
    # Bytes that the client had not acknowledged at the last call of `note_delivery`.
    undelivered = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.free_since = self.began_at = self.moved_at = time.monotonic()
        self.received_bytes = self.header_reads = 0
        # Nothing is read before this time.
        self.paused_until = 0.0

    def is_busy(self) -> bool:
        """Whether a complete request is not answered yet, or its response not received yet."""
        return bool(self.requests or self.total_outbufs_len or self.close_when_flushed)

    def is_awaited(self) -> bool:
        """Whether a worker thread waits until this client receives more of its response."""
        return bool(self.requests and self.total_outbufs_len > self.adj.outbuf_high_watermark)

    def held_bytes(self) -> int:
        """Bytes in memory for this client."""
        is_receiving = self.requests or self.request is not None
        held = self.total_outbufs_len or (self.received_bytes if is_receiving else 0)
        transfers = [each for each in list(self.outbufs) if isinstance(each, FileTransfer)]
        return int(held - sum(len(each) - each.held_bytes for each in transfers))

    def is_overdue(self, now: float, patience: float) -> bool:
        """Whether the client takes too long.

        It may stand still for ``patience`` seconds while it sends a request or receives a
        response. A header may take ``patience`` seconds in all, and a body that plus the time of
        its bytes at `SLOWEST_BODY`. A client may wait ``patience`` seconds before its first
        request, and `IDLE_SECONDS` before later ones.
        """
        if self.lingers_until:
            return now > self.lingers_until
        if self.total_outbufs_len:
            return now > self.moved_at + patience
        if self.requests:
            return False
        if self.request is not None:
            in_body = self.request.headers_finished
            extra = self.received_bytes / SLOWEST_BODY if in_body else 0.0
            return now > patience + min(self.began_at + extra, self.moved_at)
        return now > self.free_since + (IDLE_SECONDS if self.has_answered else patience)

    def note_delivery(self, now: float) -> None:
        """Notice that the client receives bytes of its response between two calls of `send`.

        The kernel accepts new bytes only when a third of its buffer is free. For a client that
        receives 10 kB a second that is every eight seconds; meanwhile the acknowledged bytes show
        its progress (SIOCOUTQ of tcp(7)).
        """
        if self.total_outbufs_len and self.socket is not None:
            left = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
            undelivered = struct.unpack("i", left)[0]
            if undelivered != self.undelivered:
                self.undelivered, self.moved_at = undelivered, now

    def received(self, data: bytes) -> Any:
        """Receive bytes of requests."""
        now = time.monotonic()
        if self.request is None and not self.requests:
            self.began_at, self.received_bytes, self.header_reads = now, 0, 0
        self.received_bytes += len(data)
        self.moved_at = now
        taken = super().received(data)
        if self.request is not None and not self.request.headers_finished:
            self.header_reads += 1
            if self.header_reads > HEADER_READS:
                self.paused_until = now + HEADER_PAUSE_SECONDS
        return taken

    def write_soon(self, data: Any) -> Any:
        """Queue bytes of a response."""
        if not self.total_outbufs_len:
            self.moved_at = time.monotonic()
        return super().write_soon(data)

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Give the kernel as many bytes as it accepts."""
        sent = int(super().send(data, do_close))
        if sent:
            self.moved_at = time.monotonic()
        return sent

    def service(self) -> None:
        """Answer the first request that waits; called by a worker thread."""
        pool = self.server.task_dispatcher.pool_of(self.requests[0])
        super().service()
        self.has_answered = True
        self.free_since = pool.answered_at = time.monotonic()

    def close_now(self) -> None:
        """Close at once, but not while a worker thread sends."""
        with self.outbuf_lock:
            super().handle_close()

    def handle_close(self) -> None:
        """Close, or after a refusal first stop sending and wait until the client has read it."""
        if not self.refused or self.lingers_until:
            self.close_now()
            return
        self.lingers_until = time.monotonic() + LINGER_SECONDS
        self.will_close = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close_now()

    def handle_error(self) -> None:
        """Close after an exception in a handler; called by waitress, inside ``except``."""
        self.logger.exception("the connection of %s failed", self.addr[0])
        self.close_now()

    def writable(self) -> bool:
        """Whether the loop waits until the client reads; not while a thread reads a file."""
        first = self.outbufs[0]
        is_waiting = isinstance(first, FileTransfer) and first.is_reading
        return bool(super().writable() and (self.will_close or not is_waiting))

    def readable(self) -> bool:
        """Whether the loop waits for data; while lingering always."""
        if self.paused_until and time.monotonic() < self.paused_until:
            return False
        return bool(self.lingers_until) or bool(super().readable())

    def handle_read(self) -> None:
        """Read; while lingering discard what is read."""
        if not self.lingers_until:
            super().handle_read()
            return
        self.linger_reads += 1
        is_over = time.monotonic() > self.lingers_until or self.linger_reads > LINGER_READS
        with contextlib.suppress(OSError):
            if self.recv(LINGER_BYTES) and not is_over:
                return
        self.close_now()
