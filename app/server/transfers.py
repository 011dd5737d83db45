"""How is a large file sent? In pieces, each read after the client has received the one before."""

import logging
import threading
import time
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer

log = logging.getLogger(__name__)


class FileTransfer(ReadOnlyFileBasedBuffer):
    """A file on its way to a client; the server's `wsgi.file_wrapper` (PEP 3333).

    waitress asks it for bytes in the thread of the event loop, which must never wait for storage.
    So `get` returns bytes that were read before, and if none are left, lets another thread read
    more. If that fails, the connection is closed before Content-Length is reached.

    ``file``: its ``read`` returns no bytes only at the end, and it has ``close``; ``block_size``:
    bytes of a piece; one piece at a time is in memory.
    """

    def __init__(self, channel: Any, file: Any, block_size: int = 64 * 1024) -> None:
        super().__init__(file, block_size)
        self._channel = channel
        self._piece = b""
        # Whether a thread reads or will read: then that thread closes the file, not `close`.
        self.is_reading = False
        self._is_closed = self._has_failed = False
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        return len(self._piece)

    def prepare(self, size: int | None = None) -> int:
        """How many bytes will be sent: as many as the response announces."""
        self.remain = size or 0
        return self.remain

    def get(self, numbytes: int = -1, skip: bool = False) -> bytes:
        """The next bytes as far as they have been read; nothing is skipped."""
        if not (self._piece or self.is_reading or self._has_failed):
            self.is_reading = True
            self._channel.server.task_dispatcher.files.add_task(self)
        return self._piece if numbytes < 0 else self._piece[:numbytes]

    def skip(self, numbytes: int, allow_prune: bool = False) -> None:
        """Note that the client has received this many bytes."""
        self._piece = self._piece[numbytes:]
        self.remain -= numbytes

    def close(self) -> None:
        """Close the file, or let the thread that reads it do so."""
        with self._lock:
            self._is_closed, self.remain = True, 0
            is_reading = self.is_reading
        if not is_reading:
            self.file.close()

    def service(self) -> None:
        """Read the next piece; called by a thread that reads files."""
        piece = b""
        try:
            if not self._is_closed:
                piece = self.file.read(min(self.block_size, self.remain))
        except Exception as error:  # of whatever kind: the client would wait for the rest
            log.warning("a file is not sent to its end: %s", type(error).__name__)
        with self._lock:
            is_closed, self._piece, self._has_failed = self._is_closed, piece, not piece
            self.is_reading = False
            self._channel.moved_at = time.monotonic()
        if is_closed:
            self.file.close()
            return
        if self._has_failed:
            self._channel.will_close = True
        self._channel.server.pull_trigger()

    def cancel(self) -> None:
        """Close the file; called where the server stops before a thread could read."""
        self.file.close()
