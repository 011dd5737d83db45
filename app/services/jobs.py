"""What runs in the background? Jobs that are repeated, even after a failure."""

import errno
import logging
import threading
from collections.abc import Callable

from ..db import database, failure_of

log = logging.getLogger(__name__)

# Failures of the disk or the database that need no traceback, because the message says it all.
KNOWN_ERRORS = {errno.EROFS, errno.ENOSPC, errno.EDQUOT}
KNOWN_FAILURES = {"busy", "full", "read_only"}


class Job(threading.Thread):
    """Calls ``work`` at once and then every ``seconds``, and ``end`` when it is stopped.

    ``failures`` counts the exceptions that they raised. Of failures in a row only the first is
    logged, and the next success, so that the log does not fill the disk.
    """

    def __init__(
        self,
        name: str,
        seconds: float | Callable[[], float],
        work: Callable[[], object],
        end: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._seconds = seconds
        self.work = work
        self.end = end
        self.failures = 0
        self._in_a_row = 0
        self._stopped = threading.Event()

    @property
    def seconds(self) -> float:
        """How long to wait until the next call."""
        return self._seconds() if callable(self._seconds) else self._seconds

    def run(self) -> None:
        """Run until `stop`, then give the connection back to the pool."""
        while True:
            self._call(self.work)
            if self._stopped.wait(self.seconds):
                break
        self._call(self.end)
        database.close()

    def _call(self, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # whatever fails now may succeed the next time
            self.failures += 1
            self._in_a_row += 1
            if self._in_a_row == 1:
                self._log(error)
            return
        if self._in_a_row:
            log.info("%s works again after %s failures", self.name, self._in_a_row)
        self._in_a_row = 0

    def _log(self, error: Exception) -> None:
        is_known = getattr(error, "errno", None) in KNOWN_ERRORS
        if is_known or failure_of(error) in KNOWN_FAILURES:
            message = "%s failed (%s); it tries again in %s seconds"
            log.error(message, self.name, error, self.seconds)
        else:
            log.exception("%s failed; it tries again in %s seconds", self.name, self.seconds)

    def ask_to_stop(self) -> None:
        """Stop the job after its current call, without waiting for that."""
        self._stopped.set()

    def stop(self, seconds: float | None = None) -> None:
        """Stop the job after its current call; wait at most ``seconds`` for that."""
        self.ask_to_stop()
        self.join(seconds)
