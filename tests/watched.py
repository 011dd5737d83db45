"""A folder and its index, for the tests of watching."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from app.storage.folder_entry import FolderState
from app.storage.folders import Folders
from app.storage.scan import walk
from tests.clocks import storage_clock

MOST_BYTES = 10**6


class Watched:
    """An empty folder at ``path``, its descriptor, and `Folders` that learn of it when asked."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path, self.known = path, Folders(MOST_BYTES)
        self.folder = os.open(path, os.O_RDONLY)

    def query(self) -> FolderState:
        """What is known of the folder now."""
        return self.known.query(self.folder, datetime.now(UTC))

    def names(self) -> list[str]:
        """The paths in it."""
        return names(self.query())

    def walked(self) -> list[str]:
        """The paths that a walk finds in it."""
        clock = storage_clock(datetime.now(UTC))
        return [found.path for found in walk(self.folder, clock, MOST_BYTES).newest]

    def written(self) -> list[str]:
        """The paths of the files that somebody is known to be writing."""
        return [candidate.path for candidate in self.query().newest if not candidate.idle]

    def close(self) -> None:
        self.known.retain(())
        os.close(self.folder)


def names(state: FolderState) -> list[str]:
    return [candidate.path for candidate in state.newest]


def fail(error: int) -> Callable[..., None]:
    """A function that raises this errno whatever it is given."""

    def failing(*_: object, **__: object) -> None:
        raise OSError(error, "failed")

    return failing
