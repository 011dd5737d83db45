"""Where does the log go, and what must never be in it?

It goes to stderr, a line for each record. Nothing that a client sends can begin a line or show a
token in it, and no client can fill the disk with it.
"""

import codecs
import logging
import re
import threading
import time

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# The secrets that `services.tokens` makes, also with the escapes that a URL may have.
TOKEN = re.compile(r"nvr(?:_|%5[Ff])(?:[A-Za-z0-9_-]|%2[Dd]|%5[Ff]){43,}")
HIDDEN = "nvr_(hidden)"
# At most `LINES_PER_PERIOD` records of each logging statement are written in `PERIOD_SECONDS`.
LINES_PER_PERIOD = 10
PERIOD_SECONDS = 60.0


class OneLine(logging.Formatter):
    """Escapes what could begin a line or move a terminal's cursor, and hides tokens."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of printable characters, its traceback included."""
        return one_line(without_tokens(super().format(record)))


class RateLimit(logging.Filter):
    """Passes `LINES_PER_PERIOD` records of each logging statement in a period, and debug records.

    Without it a client that breaks off its requests, or provokes an error with each, fills the
    disk. The first record of the next period says how many were left out.
    """

    def __init__(self) -> None:
        super().__init__()
        # File and line of the statement: when its period began, and its records since then.
        self._periods: dict[tuple[str, int], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG:
            return True
        now, statement = time.monotonic(), (record.pathname, record.lineno)
        with self._lock:
            began, count = self._periods.get(statement, (now, 0))
            left_out = 0
            if now - began >= PERIOD_SECONDS:
                began, count, left_out = now, 0, max(0, count - LINES_PER_PERIOD)
            self._periods[statement] = (began, count + 1)
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more like this were left out)"
            record.args = None
        return count < LINES_PER_PERIOD


def without_tokens(text: str) -> str:
    """``text`` with every token in it replaced; call it before ``text`` is cut."""
    return TOKEN.sub(HIDDEN, text)


def one_line(text: str) -> str:
    """``text`` with everything that is not printable escaped as Python would."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def configure(level: str) -> None:
    """Send every record of ``level`` and above to stderr."""
    # Loads the codec now: when no descriptor is left, its file cannot be opened.
    codecs.lookup("unicode_escape")
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(FORMAT))
    handler.addFilter(RateLimit())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # waitress warns of each request that waits for a thread, which needs no action.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
