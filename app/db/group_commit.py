"""Which changes reach the disk together? Those that requests ask for at the same time.

To commit costs more than to change a row: each page that was touched is written, and the disk is
waited for. So who has changed something waits for those who are about to, and the last one
commits for all. None of them is answered before.
"""

import threading

# So long nobody waits for another one, who may have been refused meanwhile.
PATIENCE_SECONDS = 0.005


class Coming:
    """How many requests that may change something are asked for and not answered yet."""

    def __init__(self) -> None:
        self._count, self._most = 0, 0
        self._lock = threading.Lock()

    def limit(self, most: int) -> None:
        """No more than ``most`` are dealt with at a time; the others are not waited for."""
        self._most = most

    def more(self) -> None:
        """One was asked for."""
        with self._lock:
            self._count += 1

    def less(self) -> None:
        """One was answered."""
        with self._lock:
            self._count -= 1

    @property
    def count(self) -> int:
        """How many changes may be there at a time, from now on."""
        return min(self._count, self._most)


class Group:
    """Changes of one transaction, that are kept or lost together."""

    def __init__(self) -> None:
        self.members = 0
        self._over = threading.Event()
        self._error: BaseException | None = None

    def end(self, error: BaseException | None = None) -> None:
        """All are on the disk, or lost for this reason."""
        self._error = error
        self._over.set()

    def wait(self) -> bool:
        """Whether they are on the disk, asked for a while; raises what they were lost for."""
        is_over = self._over.wait(PATIENCE_SECONDS)
        if self._error is not None:
            raise self._error
        return is_over


coming = Coming()
