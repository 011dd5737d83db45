"""How do tests run without root's rights? Root becomes nobody."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def base_of_nobody() -> Iterator[Path]:
    """A folder that every user may enter; make its contents before you are another user."""
    with tempfile.TemporaryDirectory(prefix="nvr-nobody-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Drop root's rights inside the block; other users keep theirs."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
