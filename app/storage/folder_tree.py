"""Which folders and files are below a watched folder, and which files are being written?

A folder that moves is one node that gets another parent, however many folders lie below it.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .newest_files import REMEMBERED, Candidate, Completed, Ranking

# A file that was written to and neither closed nor written again for this long, in seconds, is no
# upload any more: after truncate(2) by name no close follows, and FTP servers time out sooner.
STALLED_SECONDS = 900

_numbers = itertools.count()


@dataclass(slots=True, eq=False)
class FolderNode:
    """A watched folder by its watch descriptor; ``parent`` is None for the camera's own folder
    and for a folder that left its place.
    """

    wd: int
    parent: "FolderNode | None" = None
    name: str = ""
    children: dict[str, "FolderNode"] = field(default_factory=dict)

    def ancestors(self) -> list["FolderNode"]:
        """The node itself and all above it, the topmost last."""
        node, ancestors = self, [self]
        while node.parent:
            node = node.parent
            ancestors.append(node)
        return ancestors

    def components(self) -> list[str]:
        """The names that lead from the camera's folder to this one."""
        return [node.name for node in reversed(self.ancestors()[:-1])]


# A file, or the place of a folder: the folder that it is in, and its name there.
Entry = tuple[FolderNode, str]


class FolderTree:
    """The watched folders below ``root``, the camera's own folder, by their watch descriptors."""

    def __init__(self) -> None:
        self.root = FolderNode(0)
        self._nodes: dict[int, FolderNode] = {}
        # Folders that left their place; `release` removes those that have no new place.
        self.detached: list[FolderNode] = []
        # Places where another folder than before may be now, in the order of their events.
        self._unchecked: dict[Entry, None] = {}
        # Where folders came, left or got other rights; who follows the changes empties it.
        self.changed_places: dict[Entry, None] = {}

    def set_root(self, wd: int) -> None:
        """Begin with the camera's own folder."""
        self.root = self._nodes[wd] = FolderNode(wd)

    def find(self, wd: int) -> FolderNode | None:
        """The folder of a watch descriptor; None where it is none of this tree."""
        return self._nodes.get(wd)

    def add(self, wd: int, parent: FolderNode, name: str) -> FolderNode:
        """A folder that was not known yet."""
        node = self._nodes[wd] = FolderNode(wd)
        self.attach(node, parent, name)
        return node

    def attach(self, node: FolderNode, parent: FolderNode, name: str) -> None:
        """Put the folder, with all below it, at this place; detach the folder that was there."""
        self.detach(node)
        self.detach_at(parent, name)
        node.parent, node.name = parent, name
        parent.children[name] = node

    def detach(self, node: FolderNode) -> None:
        """Take the folder, with all below it, from its place."""
        if node.parent:
            del node.parent.children[node.name]
            node.parent = None
            self.detached.append(node)

    def detach_at(self, parent: FolderNode, name: str) -> None:
        """Detach the folder at this place, if there is one."""
        if name in parent.children:
            self.detach(parent.children[name])

    def note_change(self, place: Entry, is_same: bool = False, is_gone: bool = False) -> None:
        """Note that a folder came to this place, left it, or only got other rights."""
        self.changed_places[place] = None
        if not is_same:
            self.detach_at(*place)
        if is_gone:
            self._unchecked.pop(place, None)
        else:
            self._unchecked[place] = None

    def places_to_check(self) -> Iterator[Entry]:
        """The places to check, each once; those in a detached folder come after it is attached."""
        unchecked, self._unchecked = self._unchecked, {}
        while unchecked:
            waiting: dict[Entry, None] = {}
            for place in unchecked:
                if self.contains(place):
                    yield place
                else:
                    waiting[place] = None
            if len(waiting) == len(unchecked):
                return
            unchecked = waiting

    def forget(self, node: FolderNode) -> None:
        """Note that the kernel has ended the folder's watch."""
        if node.parent:
            self._unchecked[node.parent, node.name] = None
            self.changed_places[node.parent, node.name] = None
        self.detach(node)
        del self._nodes[node.wd]

    def release(self) -> list[int]:
        """Remove all that was detached and not attached again; return its watch descriptors."""
        gone = [node for node in self.detached if node.parent is None]
        self.detached, descriptors = [], []
        while gone:
            node = gone.pop()
            gone += node.children.values()
            if self._nodes.pop(node.wd, None):
                descriptors.append(node.wd)
        return descriptors

    def clear(self) -> list[int]:
        """Remove everything; return its watch descriptors."""
        descriptors = list(self._nodes)
        self._nodes.clear()
        return descriptors

    def contains(self, entry: Entry) -> bool:
        """Whether the folder that the entry is in is still below the camera's folder."""
        return entry[0].ancestors()[-1] is self.root

    def entry(self, path: str) -> Entry:
        """The entry at a path relative to the camera's folder."""
        *components, name = path.split("/")
        node = self.root
        for component in components:
            node = node.children[component]
        return node, name


def path_of(entry: Entry) -> str:
    return "/".join([*entry[0].components(), entry[1]])


class OpenWriters:
    """The files that were written to and not closed since, and how often each was completed."""

    def __init__(self) -> None:
        # When each was written to last, by the monotonic clock.
        self.written_at: dict[Entry, float] = {}
        # Of the files that were completed last.
        self._completed: dict[Entry, Completed] = {}
        self._since = next(_numbers)

    def put(self, file: Entry) -> None:
        self.written_at[file] = time.monotonic()

    def complete(self, file: Entry) -> None:
        """Note that ``file`` was closed after writing, or renamed into place."""
        self.written_at.pop(file, None)
        since, times = self.completed(file)
        self._set_completed(file, Completed(since, times + 1))

    def drop(self, file: Entry) -> None:
        """Note that ``file`` was deleted, or renamed."""
        self.written_at.pop(file, None)
        self._set_completed(file, Completed(next(_numbers), 0))

    def keep_where(self, exists: Callable[[Entry], bool]) -> None:
        """Note that the files for which ``exists`` is false are gone."""
        self.written_at = {file: at for file, at in self.written_at.items() if exists(file)}
        self._completed = {f: known for f, known in self._completed.items() if exists(f)}
        self._since = next(_numbers)

    def completed(self, file: Entry) -> Completed:
        return self._completed.get(file, Completed(self._since, 0))

    def forget_stalled(self) -> None:
        """Drop the files that were not written to within the last `STALLED_SECONDS`."""
        stalled = time.monotonic() - STALLED_SECONDS
        self.written_at = {file: at for file, at in self.written_at.items() if at > stalled}

    def state_of(self, file: Entry) -> tuple[bool, Completed]:
        """Whether the file is not being written, as far as is known, and how often it was
        completed.
        """
        return file not in self.written_at, self.completed(file)

    def _set_completed(self, file: Entry, completed: Completed) -> None:
        self._completed.pop(file, None)
        self._completed[file] = completed
        if len(self._completed) > REMEMBERED:
            del self._completed[next(iter(self._completed))]
            self._since = next(_numbers)


@dataclass(slots=True)
class Uploads:
    """The files of one kind in a watched folder, of at most ``most_bytes`` bytes each.

    ``newest``: the result of the ranking, None after a change.
    """

    most_bytes: int
    ranking: Ranking[Entry] = field(default_factory=lambda: Ranking(path_of))
    writers: OpenWriters = field(default_factory=OpenWriters)
    newest: list[Candidate] | None = None
