"""What does a user see who may not read everything? Root may, so root becomes nobody."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def base_of_nobody() -> Iterator[Path]:
    """A folder that every user may enter; the block's own folders are made before `as_nobody`."""
    with tempfile.TemporaryDirectory(prefix="nvr-nobody-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root has no rights of its own inside the block; any other user stays who they are."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
