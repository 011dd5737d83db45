"""How are connections accepted, served and closed?

waitress parses and answers requests and polls the sockets. But its own server stops listening at
its connection limit, spins when no descriptor is left, and drops unanswered requests at its end.
So the listening sockets and the loop around `wasyncore.loop` are implemented here.
"""

import errno
import logging
import os
import socket
import time
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from ..clock import pause
from ..services.health import ServerPulse
from .channel import Channel
from .limits import ConnectionLimits
from .parser import FRAMING_BYTES, HEADER_BYTES
from .tasks import Pools

log = logging.getLogger(__name__)

# Of each connection (SO_SNDBUF of socket(7), which the kernel doubles). By default it grows to
# megabytes, and a client that receives these seems to stand still.
SEND_BUFFER_BYTES = 128 * 1024
# Length of a turn while the service stops and answers the last requests.
SHORT_TURN_SECONDS = 0.02
# How long a client may stand still while the service stops.
LAST_PATIENCE_SECONDS = 1
# How long no connection is accepted after one for which no descriptor was left.
PAUSE_SECONDS = 1.0
# How long the loop waits after a failure, which may recur at once.
FAILURE_PAUSE_SECONDS = 0.05
# The worker threads are stuck if a request waits and none was answered for this long.
STUCK_SECONDS = 20.0
NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener(TcpWSGIServer):
    """A listening socket; it goes on listening when no descriptor is left or accepting fails."""

    limits: ConnectionLimits
    paused_until = 0.0
    # Reserved, so that one more client can be accepted and gets a 503 when no other is left.
    spare_descriptor: int | None = None

    def __init__(self, app: Flask, sockets: dict[int, Any], **options: Any) -> None:
        super().__init__(app, sockets, **options)
        self.sockets = sockets

    def readable(self) -> bool:
        """Whether the loop waits for clients."""
        return bool(self.accepting and time.monotonic() >= self.paused_until)

    def handle_accept(self) -> None:
        """Accept one client."""
        try:
            connection, address = self.socket.accept()
            self.set_socket_options(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError as error:
            if error.errno in NO_DESCRIPTOR:
                self._free_descriptor()
            return
        Channel(self, connection, address, self.adj, map=self.sockets)

    def handle_error(self) -> None:
        """Go on listening after an exception; called by waitress, inside ``except``."""
        log.exception("a connection could not be accepted")

    def keep_spare_descriptor(self) -> None:
        """Reserve the spare descriptor where it is not reserved."""
        if self.spare_descriptor is None and self.readable():
            try:
                self.spare_descriptor = os.dup(self.socket.fileno())
            except OSError:
                self.paused_until = time.monotonic() + PAUSE_SECONDS

    def stop_listening(self) -> None:
        """Accept no more connections. Open ones stay open, and so does the trigger of the loop."""
        wasyncore.dispatcher.close(self)
        self._use_spare_descriptor()

    def _free_descriptor(self) -> None:
        """Close the idlest connection or the spare descriptor; if there is none, pause."""
        if not (self.limits.close_idlest("no descriptor is left") or self._use_spare_descriptor()):
            self.paused_until = time.monotonic() + PAUSE_SECONDS

    def _use_spare_descriptor(self) -> bool:
        if self.spare_descriptor is None:
            return False
        os.close(self.spare_descriptor)
        self.spare_descriptor = None
        return True


class EventLoop:
    """The listening sockets, the connections and the worker threads.

    Raises `OSError` and `ValueError` where the address cannot be listened on.
    """

    def __init__(self, app: Flask) -> None:
        # Descriptor → waitress' object for it.
        self._sockets: dict[int, Any] = {}
        self._pools = Pools(app.config["NVR_THREADS"])
        channels: dict[int, Channel] = {}
        patience = app.config["NVR_CLIENT_SECONDS"]
        self._limits = ConnectionLimits(
            channels, self._pools, patience, app.config["NVR_MAX_PICTURE_BYTES"]
        )
        adj = _adjustments(app)
        self._listeners = [
            Listener(app, self._sockets, adj=adj, dispatcher=self._pools, sockinfo=info)
            for info in adj.listen
        ]
        for listener in self._listeners:
            listener.active_channels, listener.limits = channels, self._limits
        self._failures = 0
        # The last times (monotonic) at which a turn failed, and at which one succeeded.
        self._failed_at, self._turned_at = float("-inf"), time.monotonic()

    def addresses(self) -> list[tuple[str, str]]:
        return [(each.effective_host, each.effective_port) for each in self._listeners]

    def wakeup_descriptor(self) -> int:
        """For signal.set_wakeup_fd: a byte that is written into it ends the wait of `turn`."""
        descriptor: int = self._listeners[0].trigger.trigger
        os.set_blocking(descriptor, False)
        return descriptor

    def start(self) -> None:
        self._pools.start()

    def turn(self, seconds: float) -> None:
        """Wait for events at most ``seconds``, handle them, and apply the limits."""
        try:
            wasyncore.loop(seconds, use_poll=True, map=self._sockets, count=1)
            self._limits.apply()
            for listener in self._listeners:
                listener.keep_spare_descriptor()
        except Exception:  # whatever failed, the other clients have to be served
            log.exception("the event loop failed and goes on")
            self._failures += 1
            self._failed_at = time.monotonic()
            self._close_broken()
            pause(FAILURE_PAUSE_SECONDS)
        else:
            self._turned_at = time.monotonic()

    def is_answering(self) -> bool:
        """Whether clients are accepted and requests answered."""
        is_listening = all(listener.accepting for listener in self._listeners)
        has_failed = self._failed_at > self._turned_at
        return is_listening and not has_failed and self.pulse().answers

    def pulse(self) -> ServerPulse:
        """The state of the loop, for health; called by any thread."""
        now = time.monotonic()
        answers = self._pools.seconds_without_answer(now) < STUCK_SECONDS
        return ServerPulse(answers, self._failures, now - self._failed_at)

    def close(self, seconds: float) -> None:
        """Stop listening, answer the pending requests within ``seconds``, and close."""
        deadline = time.monotonic() + seconds
        for listener in self._listeners:
            listener.stop_listening()
        self._limits.patience = min(self._limits.patience, LAST_PATIENCE_SECONDS)
        self.turn(0)
        while self._limits.close_free() and time.monotonic() < deadline:
            self.turn(SHORT_TURN_SECONDS)
        self._limits.close_all()
        self._pools.shutdown(timeout=max(0.1, deadline - time.monotonic()))
        wasyncore.close_all(self._sockets, ignore_all=True)

    def _close_broken(self) -> None:
        """Close each connection that would make the next turn fail."""
        for each in list(self._sockets.values()):
            try:
                each.readable()
                each.writable()
            except Exception:  # of any kind: the loop makes these calls in every turn
                each.handle_error()


def _adjustments(app: Flask) -> Adjustments:
    """waitress' settings; those of its own server (connection_limit, …) are not used."""
    host, body_bytes = app.config["NVR_HOST"], app.config["NVR_MAX_BODY_BYTES"]
    return Adjustments(
        listen=f"{f'[{host}]' if ':' in host else host}:{app.config['NVR_PORT']}",
        ident=None,
        # `access.headers` decides which proxies are trusted.
        clear_untrusted_proxy_headers=False,
        # `parser` has checked the size before it added blanks.
        max_request_header_size=2 * HEADER_BYTES,
        max_request_body_size=body_bytes + FRAMING_BYTES,
        # A worker sends its bytes at once, without a turn of the loop.
        send_bytes=1,
        # Bodies and pictures stay in memory: a temporary file would wear the SD card.
        inbuf_overflow=body_bytes + FRAMING_BYTES + 1,
        outbuf_overflow=2 * app.config["NVR_MAX_PICTURE_BYTES"],
    )
