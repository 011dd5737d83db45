"""What changed in a watched folder since somebody who follows it asked last?"""

import threading
from dataclasses import dataclass, field

# More paths than this are not kept: the folder is then compared as a whole.
MOST_PATHS = 20_000


@dataclass(slots=True)
class Changes:
    """Paths are relative to the camera's folder.

    ``files``: pictures and clips that came, changed or went; ``folders``: those in whose places
    something came or went, so that all below may differ; ``being_written``: the files that are
    known to be open for writing now; ``lost``: anything may have changed.
    """

    files: dict[str, None] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    being_written: frozenset[str] = frozenset()
    lost: bool = False

    def add(self, other: "Changes") -> None:
        """Add what came later."""
        self.files |= other.files
        self.folders |= other.folders
        self.lost |= other.lost
        if len(self.files) + len(self.folders) > MOST_PATHS:
            self.files, self.folders, self.lost = {}, {}, True


class Followers:
    """Who follows the changes of one folder, each until it takes them. Safe for threads."""

    def __init__(self) -> None:
        self._changes: dict[str, Changes] = {}
        self._being_written: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def note(self, changes: Changes) -> None:
        """Let everybody who follows the folder know."""
        with self._lock:
            self._being_written = changes.being_written
            for waiting in self._changes.values():
                waiting.add(changes)

    def take(self, name: str) -> Changes:
        """What changed since the follower of this name asked last; at first anything may have."""
        with self._lock:
            taken = self._changes.get(name, Changes(lost=True))
            taken.being_written = self._being_written
            self._changes[name] = Changes()
        return taken
