"""When was each token used last? Kept in memory and written beside the requests, once an hour."""

import threading
from datetime import datetime, timedelta

from ..clock import rfc3339
from ..db import writer
from ..models import Row, Token

# A use is written no sooner after the last one that was: SD cards wear.
INTERVAL = timedelta(hours=1)


class Uses:
    """The uses of tokens that wait to be written; no request writes them. Safe for threads."""

    def __init__(self) -> None:
        self._waiting: dict[int, datetime] = {}
        self._lock = threading.Lock()

    def note(self, token: Row, now: datetime) -> None:
        """The token, its row as it is stored, is used ``now``."""
        last = token["last_used_at"]
        if last is None or last < rfc3339(now - INTERVAL):
            with self._lock:
                self._waiting[token["id"]] = now

    def forget(self) -> None:
        """Drop everything that waits."""
        with self._lock:
            self._waiting.clear()

    def write(self) -> None:
        """Write what waits, if anything does; on failure it waits on."""
        with self._lock:
            written = dict(self._waiting)
        if not written:
            return

        def note_all() -> None:
            for token_id, now in written.items():
                Token.note_use(token_id, rfc3339(now), rfc3339(now - INTERVAL))

        writer.run(note_all)
        with self._lock:
            for token_id in written:
                del self._waiting[token_id]


# Of this process, as the database is.
uses = Uses()
