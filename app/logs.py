"""Where does the log go, and who can write into it? To stderr, one line an event, nobody else."""

import codecs
import logging

from .redaction import without_tokens

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class OneLine(logging.Formatter):
    """Escapes whatever could start a line or move a terminal's cursor, and hides tokens."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of printable characters, its traceback included."""
        return one_line(without_tokens(super().format(record)))


def one_line(text: str) -> str:
    """``text`` with everything that is not printable escaped as Python would."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def configure(level: str) -> None:
    """Send every record of ``level`` and above to stderr."""
    # Loaded now: it is needed when there is no descriptor left, too.
    codecs.lookup("unicode_escape")
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Its warning for each request that waits for a thread says nothing that one can act on.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
