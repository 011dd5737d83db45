"""How do tests send raw bytes? And read the whole response until the server closes."""

import json
import random
import socket
from contextlib import suppress
from email.message import Message
from email.parser import BytesParser
from typing import NamedTuple
from urllib.parse import urlsplit

DEADLINE_SECONDS = 60


class Answer(NamedTuple):
    """One HTTP response, as `tests.problems` takes it."""

    status_code: int
    headers: Message
    content: bytes

    def json(self) -> object:
        """The body's JSON value; the body is as long as Content-Length says."""
        assert len(self.content) == int(self.headers["Content-Length"])
        return json.loads(self.content)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, for a program that cannot choose one itself.

    It lies below those that Linux gives out by itself (ip(7), ip_local_port_range), so that no
    other socket gets it before the program listens.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def connect(url: str) -> socket.socket:
    """A connection to the server at ``url``."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), DEADLINE_SECONDS)


def exchange(url: str, request: bytes) -> Answer:
    """Send all of ``request``, then read the one response until the server closes."""
    with connect(url) as connection:
        connection.sendall(request)
        return parse(read_all(connection))


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes; raises if it resets the connection instead."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def parse(received: bytes) -> Answer:
    """The one response in ``received``."""
    head, _, content = received.partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    return Answer(int(line.split()[1]), BytesParser().parsebytes(fields), content)


def post(body: bytes, *, chunk: int = 0) -> bytes:
    """A POST of a camera as bytes, in chunks of ``chunk`` bytes or with a Content-Length."""
    head = "POST /api/cameras HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    if not chunk:
        return f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    pieces = (body[start : start + chunk] for start in range(0, len(body), chunk))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    head += "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + framed + b"0\r\n\r\n"
