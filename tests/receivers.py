"""A receiver of webhooks on the loopback interface, which answers as a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return json.loads(self.body)


class Receiver(ThreadingHTTPServer):
    """Keeps what it receives; ``answer`` gets each request and returns the bytes to send."""

    # The end waits for every answer, so that no socket is left open.
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, answer: Callable[[Received], bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.received: list[Received] = []
        self.changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def wait_for(self, number: int, seconds: float = 30) -> list[Received]:
        """The first ``number`` requests; fails if they do not come within these seconds."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= number, seconds), (
                f"{len(self.received)} of {number} messages came"
            )
            return self.received[:number]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.path, headers, body)
        with self.server.changed:
            self.server.received.append(received)
            self.server.changed.notify_all()
        self.wfile.write(self.server.answer(received))
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def receiving(answer: Callable[[Received], bytes] = lambda _: OK) -> Iterator[Receiver]:
    with Receiver(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def status(code: int) -> bytes:
    return f"HTTP/1.1 {code} Answer\r\nContent-Length: 0\r\n\r\n".encode()
