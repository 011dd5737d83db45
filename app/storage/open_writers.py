"""Which files are being written right now?"""

import time

# A file that was written to and neither closed nor written again for this long, in seconds, is
# no upload any more: truncate(2) by name closes nothing, and FTP servers time out sooner.
STALLED_SECONDS = 900


class Writing:
    """The files that were written to and not closed since."""

    def __init__(self) -> None:
        # When each was written to last, by the monotonic clock.
        self._paths: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._paths)

    def put(self, path: str) -> None:
        """Note that ``path`` was written to."""
        self._paths[path] = time.monotonic()

    def drop(self, path: str) -> None:
        """Note that ``path`` was closed, or is another file now, or none."""
        self._paths.pop(path, None)

    def drop_below(self, prefix: str) -> None:
        """Note the same of everything whose path begins with ``prefix``."""
        self._paths = {p: at for p, at in self._paths.items() if not p.startswith(prefix)}

    def paths(self) -> frozenset[str]:
        """Those whose writers have not stood still for too long."""
        stalled = time.monotonic() - STALLED_SECONDS
        self._paths = {path: at for path, at in self._paths.items() if at > stalled}
        return frozenset(self._paths)
