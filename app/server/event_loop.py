"""How are clients let in, and how are the doors closed?

waitress parses and answers. Its own loop stops listening at its connection limit, spins when
there is no descriptor left and drops what is under way at the end, so the loop is ours.
"""

import errno
import os
import threading
import time
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from .channel import SERVED, Channel
from .limits import Fairness
from .poller import Readiness
from .pools import Workers

# Room for the framing of a chunked body, which waitress counts with the body itself.
FRAMING_BYTES = 64 * 1024
# URL and headers; all that a browser sends fits eight times.
HEADER_BYTES = 64 * 1024
# In the kernel for each client, which doubles it; with the megabytes that it gives by itself it
# would look for a minute as if a slow client took nothing.
SEND_BUFFER_BYTES = 128 * 1024
TURN_SECONDS = 1.0
# While a request waits for a worker.
HASTY_TURN_SECONDS = 0.005
# A pause, in seconds, of letting clients in.
REST_SECONDS = 1.0
NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener(TcpWSGIServer):
    """A socket that is listened on."""

    fairness: Fairness
    readiness: Readiness
    rests_until = 0.0
    # Held back to let one client in when there is no other descriptor left.
    spare: int | None = None

    def readable(self) -> bool:
        """Whether to be told of clients."""
        return bool(self.accepting and time.monotonic() >= self.rests_until)

    def handle_accept(self) -> None:
        """Let one client in."""
        try:
            connection, address = self.socket.accept()
            self.set_socket_options(connection)
            connection.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError as error:
            if error.errno in NO_ROOM:
                self._make_room()
            return
        self.readiness.ask(Channel(self, connection, address, self.adj, map=self._map))

    def pull_trigger(self) -> None:
        """What the channel waits for that this worker serves has changed."""
        self.readiness.ask(SERVED.channel)

    def keep_spare(self) -> None:
        """Get the spare descriptor, or get it back."""
        if self.spare is None and self.accepting and time.monotonic() >= self.rests_until:
            try:
                self.spare = os.dup(self.socket.fileno())
            except OSError:
                self.rests_until = time.monotonic() + REST_SECONDS

    def stop(self) -> None:
        """Listen no more; the clients inside stay."""
        self.accepting = False
        self.readiness.forget(self)
        wasyncore.dispatcher.close(self)
        self._use_spare()

    def _make_room(self) -> None:
        """For the next client: by the idlest one's descriptor, by the spare one, or later."""
        if (
            not self.fairness.dismiss_idlest("there is no descriptor left")
            and not self._use_spare()
        ):
            self.rests_until = time.monotonic() + REST_SECONDS

    def _use_spare(self) -> bool:
        if self.spare is None:
            return False
        os.close(self.spare)
        self.spare = None
        return True


class Reception:
    """The listening sockets, the clients and the workers; raises `OSError`, `ValueError`."""

    def __init__(self, app: Flask) -> None:
        self._map: dict[int, Any] = {}
        # One at a time; another one may want to before the last has noticed.
        self._turning = threading.Lock()
        channels: dict[int, Channel] = {}
        self._workers = Workers(app.config["NVR_THREADS"], self.turn, self.wake)
        patience, most_picture = (
            app.config["NVR_CLIENT_SECONDS"],
            app.config["NVR_MAX_PICTURE_BYTES"],
        )
        self.fairness = Fairness(channels, self._workers, patience, most_picture)
        adj = _adjustments(app)
        self._listeners = [
            Listener(app, self._map, adj=adj, dispatcher=self._workers, sockinfo=info)
            for info in adj.listen
        ]
        self._readiness = Readiness(self._map)
        for listener in self._listeners:
            listener.active_channels, listener.fairness = channels, self.fairness
            listener.readiness = self._readiness
        for each in self._map.values():
            self._readiness.ask(each)

    def addresses(self) -> list[tuple[str, str]]:
        """Host and port of each listening socket."""
        return [(each.effective_host, each.effective_port) for each in self._listeners]

    def wake(self) -> None:
        """Let the loop turn now; for signal handlers and other threads."""
        self._listeners[0].trigger.pull_trigger()
        self._workers.look()

    def begin(self) -> None:
        """Have the workers answer what is asked, without the caller."""
        self._workers.start()

    def serve(self, seconds: float = TURN_SECONDS) -> None:
        """See to it that what is asked is answered; for ``seconds`` where nothing is."""
        if not self._workers.wait(seconds):
            self.turn(HASTY_TURN_SECONDS if self._workers.waiting else seconds)
        self._workers.help()

    def turn(self, seconds: float = TURN_SECONDS) -> None:
        """Wait at most so long for something to happen, deal with it, and be fair."""
        with self._turning:
            self._readiness.turn(0 if self._workers.read_waits else seconds)
            self.fairness.apply()
            for listener in self._listeners:
                listener.keep_spare()
                self._readiness.ask(listener)

    def close(self, seconds: float) -> None:
        """Listen no more, answer within ``seconds`` what has been asked, and close."""
        deadline = time.monotonic() + seconds
        self._workers.step_down()
        for listener in self._listeners:
            listener.stop()
        self.turn(0)
        while self.fairness.dismiss_free() and time.monotonic() < deadline:
            self.turn(HASTY_TURN_SECONDS)
        self._workers.shutdown(timeout=max(0.1, deadline - time.monotonic()))
        wasyncore.close_all(self._map)
        self._readiness.close()


def _adjustments(app: Flask) -> Adjustments:
    """waitress' own settings; its connection_limit and channel_timeout are not asked."""
    host, body_bytes = app.config["NVR_HOST"], app.config["NVR_MAX_BODY_BYTES"]
    return Adjustments(
        listen=f"{f'[{host}]' if ':' in host else host}:{app.config['NVR_PORT']}",
        ident=None,
        # `proxies` says whom to believe.
        clear_untrusted_proxy_headers=False,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=body_bytes + FRAMING_BYTES,
        # Bodies and pictures stay in memory: a temporary file would wear the SD card.
        inbuf_overflow=body_bytes + FRAMING_BYTES + 1,
        outbuf_overflow=2 * app.config["NVR_MAX_PICTURE_BYTES"],
    )
