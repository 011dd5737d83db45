"""How is a message posted to a webhook? Signed, without redirects, within ten seconds.

It uses sockets, because `http.client` limits only each single wait: a receiver that sends one byte
every nine seconds would occupy it for ever.
"""

import base64
import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, unquote

from .. import clock
from ..models import Row
from . import signing, urls

# The limit for a whole attempt, the lookup of the host's name included.
SECONDS = 10.0
# A receiver that answers with one of these may take the message later (RFC 9110, 6585, 8470).
TEMPORARY = (408, 409, 425, 429)
# The status must come within this many bytes.
MOST_HEAD = 65536
# A single LF may end a line (RFC 9112, section 2.2).
HEAD_END = re.compile(rb"\r?\n\r?\n")
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?:\s|$)")
USER_AGENT = "nvr-cameras"


class Outcome(NamedTuple):
    """The result of an attempt.

    ``status``: the HTTP status, None if there was none; ``error``: why the attempt failed, without
    any secret, None if it succeeded; ``is_final``: whether another attempt would fail too.
    """

    status: int | None = None
    error: str | None = None
    is_final: bool = False

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def is_done(self) -> bool:
        """Whether the message was taken, or never will be."""
        return self.ok or self.is_final


def send(rule: Row, message: Row) -> Outcome:
    """Post a message, with its ``message_id`` and ``body``, to the rule's URL."""
    until = time.monotonic() + SECONDS
    seconds = int(clock.now().timestamp())
    body = message["body"].encode()
    headers = signing.headers(rule["secret"], message["message_id"], seconds, body)
    try:
        parts = urls.webhook_parts(rule["url"])
        with contextlib.closing(_connect(parts, until)) as connection:
            connection.settimeout(_left(until))
            connection.sendall(_request(parts, headers, body))
            status = _status(connection, until)
    except TimeoutError:
        return Outcome(error=f"no answer within {SECONDS:.0f} seconds")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        return Outcome(error=_reason(error))
    if 200 <= status < 300:
        return Outcome(status)
    is_final = 400 <= status < 500 and status not in TEMPORARY
    return Outcome(status, f"the receiver answered {status}", is_final)


def run_within(seconds: float, work: Callable[[], Any], name: str) -> Any:
    """What the work returns or raises, in a thread of this name; `TimeoutError` after this time.

    The thread goes on until the work ends, because the lookup of a host cannot be interrupted.
    """
    done: Future[Any] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # the thread that waits for it gets it
            done.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done.result(seconds)


def _connect(parts: SplitResult, until: float) -> socket.socket:
    """A connection to the host of the URL, under TLS where it says so."""
    host, is_secure = parts.hostname or "", parts.scheme.lower() == "https"
    port = parts.port or (443 if is_secure else 80)
    failure: OSError = OSError("the host has no address")
    found = _addresses(host, port, until)
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        connection = socket.socket(family, kind, protocol)
        try:
            # An address that does not answer leaves time to the others.
            connection.settimeout(_left(until) / (len(found) - tried))
            connection.connect(address)
            return _secured(connection, host, until) if is_secure else connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def _addresses(host: str, port: int, until: float) -> list[Any]:
    """The addresses of a host as `socket.getaddrinfo` returns them. Raises `OSError`."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        return look_up(flags=socket.AI_NUMERICHOST)  # an address needs no lookup
    except socket.gaierror:
        found: list[Any] = run_within(_left(until), look_up, "lookup of a host")
        return found


def _secured(connection: socket.socket, host: str, until: float) -> socket.socket:
    """The connection under TLS; the time-out limits the whole handshake."""
    connection.settimeout(_left(until))
    return ssl.create_default_context().wrap_socket(connection, server_hostname=host)


def _request(parts: SplitResult, headers: dict[str, str], body: bytes) -> bytes:
    """The request; its first line and headers are ASCII without control characters."""
    host = (parts.hostname or "").encode("idna").decode()
    host = f"[{host}]" if ":" in host else host
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    headers = {
        "Host": f"{host}:{parts.port}" if parts.port else host,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _status(connection: socket.socket, until: float) -> int:
    """The status of the answer once its headers are complete; interim answers are skipped."""
    received, start = b"", 0
    while True:
        if end := HEAD_END.search(received, start):
            found = STATUS_LINE.match(received, start)
            if not found:
                raise ValueError("not HTTP")
            if int(found[1]) >= 200:
                return int(found[1])
            start = end.end()
            continue
        if len(received) > MOST_HEAD:
            raise ValueError("not HTTP")
        connection.settimeout(_left(until))
        data = connection.recv(MOST_HEAD)
        if not data:
            raise ConnectionResetError("the connection was closed without an answer")
        received += data


def _left(until: float) -> float:
    """The seconds until this time; raises `TimeoutError` if it has passed."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: OSError | ValueError) -> str:
    """Why the attempt failed, in words that hold nothing of the URL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate cannot be verified: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, socket.gaierror):
        return "the host is not known"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, OSError):
        return "the connection was lost or could not be made"
    return "the answer is not HTTP"
