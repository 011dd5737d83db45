"""How many bytes are transferred? A proxy counts them, headers included."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Counter:
    """Forwards connections to ``url`` and counts the bytes in both directions."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.bytes = 0

    def accept(self) -> None:
        """Forward every connection until it is closed."""
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._to)
            self._open += [near, far]
            self.start(self._pass, near, far)
            self.start(self._pass, far, near)

    def start(self, work: object, *arguments: socket.socket) -> None:
        """Run ``work`` in a thread of its own."""
        thread = threading.Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Close everything and wait for the threads."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while data := near.recv(65536):
                with self._lock:
                    self.bytes += len(data)
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def counted(url: str) -> Iterator[Counter]:
    """A counting proxy in front of the server at ``url``."""
    counter = Counter(url)
    counter.start(counter.accept)
    try:
        yield counter
    finally:
        counter.stop()
