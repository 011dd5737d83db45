"""How does the app's answer go onto the wire? What is whole by itself, the rest by waitress."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.task import WSGITask
from waitress.utilities import build_http_date

# A body that is sent with its header, for which it is copied once more.
SMALL_BYTES = 64 * 1024


class Answer(WSGITask):
    """The app's answer to a request.

    waitress checks, sorts and spells each header anew, sends header and body one after the other,
    and keeps a copy of what the kernel does not take at once: for a picture of 2 MiB as many page
    faults as to read it.
    """

    def execute(self) -> None:
        """Have the app answer, and give the channel what it answers."""
        body = self.channel.server.application(self.get_environment(), self._start)
        try:
            if isinstance(body, list) and self.version == "1.1":
                self._write_whole(body[0] if len(body) == 1 else b"".join(body))
            else:
                self._write_pieces(body)
        finally:
            if hasattr(body, "close"):
                body.close()

    def get_environment(self) -> dict[str, Any]:
        """What the app is told; a host in the target is the one that is asked.

        The Host header is ignored beside it (RFC 9112, section 3.2.2).
        """
        environ: dict[str, Any] = super().get_environment()
        if self.request.proxy_netloc:
            environ["HTTP_HOST"] = self.request.proxy_netloc
        return environ

    def set_close_on_finish(self) -> None:
        """Close afterwards, but not for want of a Content-Length where there is no body.

        204 and 304 end with their headers (RFC 9112, section 6.3); waitress would make every
        client that is told «not modified» connect anew.
        """
        if self.has_body or self._is_last() or self.version == "1.0":
            super().set_close_on_finish()

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """The app's ``start_response``; werkzeug has looked at each header (PEP 3333)."""
        self.complete = True
        self.status, self.response_headers = status, headers
        length = next((value for name, value in headers if name == "Content-Length"), None)
        self.content_length = None if length is None else int(length)
        write: Callable[[bytes], None] = self.write
        return write

    def _write_whole(self, body: bytes | memoryview) -> None:
        if self._is_last():
            self.close_on_finish = True
            self.response_headers.append(("Connection", "close"))
        self.wrote_header = True
        head = self._head()
        if len(body) <= SMALL_BYTES:
            self.channel.write_soon(b"".join((head, body)))
        else:
            self.channel.write_soon(head)
            self.channel.write_soon(body)

    def _write_pieces(self, body: Any) -> None:
        """As they come; the connection ends where they are fewer than was said."""
        for piece in body:
            if piece:
                self.write(piece)
        missing = self.content_length not in (None, self.content_bytes_written)
        if missing and self.request.command != "HEAD":
            self.set_close_on_finish()

    def _is_last(self) -> bool:
        return bool(self.request.headers.get("CONNECTION", "").lower() == "close")

    def _head(self) -> bytes:
        fields = [f"{name}: {value}\r\n" for name, value in self.response_headers]
        head = f"HTTP/1.1 {self.status}\r\n{''.join(fields)}{_date(int(self.start_time))}\r\n"
        return head.encode("latin-1")


class Whole(ReadOnlyFileBasedBuffer):
    """Bytes that are sent from where they lie, ``sent`` of which are on their way already."""

    def __init__(self, data: bytes | memoryview, sent: int) -> None:
        # The very object is kept: see `disk.recent`.
        self._all = data
        self._left = memoryview(data)[sent:]

    def __len__(self) -> int:
        return len(self._left)

    def get(self, numbytes: int = -1, skip: bool = False) -> memoryview:
        """All of it: the kernel takes what it has room for."""
        return self._left

    def skip(self, numbytes: int, allow_prune: bool = False) -> None:
        """So much of it is sent."""
        self._left = self._left[numbytes:]

    def close(self) -> None:
        """Let the bytes go."""
        self._all = self._left = memoryview(b"")


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    """The header of an answer that was asked for then."""
    return f"Date: {build_http_date(seconds)}\r\n"
