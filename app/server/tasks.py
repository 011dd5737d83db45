"""Which thread handles a request, and how is its response sent?

waitress' own worker threads handle requests, in two pools. Requests that change something wait for
each other at the database; because they have threads of their own, they never delay requests that
only read. waitress checks and formats the headers, and decides whether the connection stays open.
Three things are changed here: waitress would send the header separately, send a body in response
to HEAD, and close the connection after a response without a body.
"""

import io
import time
from functools import partial
from http import HTTPStatus
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.task import ErrorTask, Task, ThreadedTaskDispatcher, WSGITask

from ..access.headers import DEFAULTS, EVERY
from ..problems import CONTENT_TYPE, PROBLEMS
from ..serialization import dump_json
from .transfers import FileTransfer

READING = ("GET", "HEAD", "OPTIONS")
# While one writes for long (a camera with a million detections is deleted), seven more requests
# can wait for their turn or their 503. A thread that waits costs its stack only.
WRITERS = 8
# A body of up to this size is copied behind the header, and both are sent at once.
SMALL_BYTES = 64 * 1024
# The problem for each status of waitress' own errors; any other status means invalid HTTP.
CODES = {
    413: "payload_too_large",
    414: "uri_too_long",
    431: "headers_too_large",
    500: "internal_error",
}


class Pool:
    """Worker threads and their queue; times are of `time.monotonic`."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.dispatcher = ThreadedTaskDispatcher()
        # The last times at which no request waited, and at which one was answered.
        self.idle_at = self.answered_at = time.monotonic()

    def seconds_without_answer(self, now: float) -> float:
        """For how long a request has waited and none was answered; call it regularly."""
        if not self.dispatcher.queue:
            self.idle_at = now
        return now - max(self.idle_at, self.answered_at)


class Pools:
    """The pools, as the one dispatcher that waitress' server wants.

    ``readers``: how many threads answer GET, HEAD and OPTIONS; half as many more read `files` that
    are sent in pieces, so that slow storage keeps no request waiting.
    """

    def __init__(self, readers: int) -> None:
        self.readers, self.writers = Pool(readers), Pool(WRITERS)
        self.files = ThreadedTaskDispatcher()

    def start(self) -> None:
        for pool in (self.readers, self.writers):
            pool.dispatcher.set_thread_count(pool.threads)
        self.files.set_thread_count(max(1, self.readers.threads // 2))

    def add_task(self, channel: Any) -> None:
        self.pool_of(channel.requests[0]).dispatcher.add_task(channel)

    def pool_of(self, request: Any) -> Pool:
        """The pool for ``request``; the readers' for a refused one."""
        is_reading = request.error is not None or request.command in READING
        return self.readers if is_reading else self.writers

    def seconds_without_answer(self, now: float) -> float:
        """The longer of the two pools' waits."""
        return max(pool.seconds_without_answer(now) for pool in (self.readers, self.writers))

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> None:
        """Let the threads finish their requests, within ``timeout`` seconds in all."""
        deadline = time.monotonic() + timeout
        for each in (self.readers.dispatcher, self.writers.dispatcher, self.files):
            each.shutdown(cancel_pending, max(0.1, deadline - time.monotonic()))


class ResponseWriter(Task):
    """Sends a response through its channel: the common part of both kinds of responses."""

    wrote_header: bool

    def write(self, data: bytes) -> None:
        """Send ``data``, after the header if it is the first; an app's ``write`` (PEP 3333)."""
        if not self.complete:
            raise RuntimeError("start_response was not called before the body was written")
        head = b""
        if not self.wrote_header:
            head = self.build_response_header()
            self.wrote_header = True
        body = self.framed(data)
        if len(body) <= SMALL_BYTES:
            self.channel.write_soon(head + body)
        else:
            self.channel.write_soon(head)
            self.channel.write_soon(as_file(body))

    def framed(self, data: bytes) -> bytes:
        """``data`` as it is sent: as a chunk, or cut off at the Content-Length."""
        if not data or not self.sends_body:
            return b""
        if self.chunked_response:
            return b"%X\r\n%b\r\n" % (len(data), data)
        if self.content_length is not None:
            data = data[: self.content_length - self.content_bytes_written]
            self.content_bytes_written += len(data)
        return data

    @property
    def sends_body(self) -> bool:
        """Whether the response may have a body (RFC 9110, sections 9.3.2, 15.3.5 and 15.4.5)."""
        return bool(self.has_body) and self.request.command != "HEAD"

    def finish(self) -> None:
        """Send the header if no body was written, and the last chunk if there are chunks."""
        if not self.wrote_header:
            self.write(b"")
        if self.sends_body:
            super().finish()

    def set_close_on_finish(self) -> None:
        """Close the connection afterwards, but not for a missing length if there is no body.

        204 and 304 end with their headers (RFC 9112, section 6.3). waitress would close the
        connection after each of them.
        """
        is_last = self.request.headers.get("CONNECTION") == "close" or self.version == "1.0"
        if self.has_body or is_last:
            super().set_close_on_finish()


class AppTask(ResponseWriter, WSGITask):
    """The app's response to a request."""

    def get_environment(self) -> dict[str, Any]:
        """The environ of PEP 3333, by which the app can have a file sent in pieces."""
        environ: dict[str, Any] = super().get_environment()
        environ["wsgi.file_wrapper"] = partial(FileTransfer, self.channel)
        return environ


class ErrorResponseTask(ResponseWriter, ErrorTask):
    """The response to a request that is refused before it reaches the app."""

    def execute(self) -> None:
        """Write the problem and close; the client may still be sending."""
        problem = PROBLEMS[CODES.get(self.request.error.code, "bad_request")]
        body = dump_json(problem.body())
        self.status = f"{problem.status} {HTTPStatus(problem.status).phrase}"
        self.response_headers += [("Content-Type", CONTENT_TYPE), *EVERY, *DEFAULTS]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.refused = True
        self.write(body)


def as_file(body: bytes) -> ReadOnlyFileBasedBuffer:
    """``body`` as a file (``wsgi.file_wrapper``), which waitress sends without a copy."""
    file = ReadOnlyFileBasedBuffer(io.BytesIO(body))
    file.prepare(len(body))
    return file
