"""Which databases does this process use? It says so to whoever would restore one."""

import os
import time
from collections.abc import Callable

from . import files

# Path of a database → the descriptor that says so, None where nothing can be written beside it.
_shares: dict[str, int | None] = {}


def share(path: str, seconds: float, make: Callable[[str], None]) -> None:
    """Use the database; ``make`` is called, alone, where there is none.

    Raises `files.InUse` where another process makes or restores it for longer than ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while path not in _shares:
        patience = max(0.0, deadline - time.monotonic())
        try:
            if os.path.exists(path):
                _shares[path] = files.take_share(path, patience)
                return
            with files.alone(path):
                if not os.path.exists(path):
                    make(path)
        except files.InUse:
            if not patience:
                raise
            time.sleep(files.POLL_SECONDS)


def unshare(path: str) -> None:
    """Use it no longer."""
    file = _shares.pop(path)
    if file is not None:
        os.close(file)


def unshare_all() -> None:
    """Use none."""
    for path in list(_shares):
        unshare(path)
