"""Which folders are watched below a camera's folder, and where does each of them lie now?

A folder that moves is one node that gets another parent, however many folders lie below it.
"""

from dataclasses import dataclass, field


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
        self._detached: list[FolderNode] = []

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
        """Put the folder, with all below it, at this place; what was there leaves it."""
        self.detach(node)
        self.detach_at(parent, name)
        node.parent, node.name = parent, name
        parent.children[name] = node

    def detach(self, node: FolderNode) -> None:
        """Take the folder, with all below it, from its place."""
        if node.parent:
            del node.parent.children[node.name]
            node.parent = None
            self._detached.append(node)

    def detach_at(self, parent: FolderNode, name: str) -> None:
        """The same for what is at this place, if anything is."""
        if name in parent.children:
            self.detach(parent.children[name])

    def forget(self, node: FolderNode) -> None:
        """The kernel has ended the folder's watch."""
        self.detach(node)
        del self._nodes[node.wd]

    def release(self) -> list[int]:
        """Forget all that was detached and not attached again; the watch descriptors of it."""
        gone = [node for node in self._detached if node.parent is None]
        self._detached, descriptors = [], []
        while gone:
            node = gone.pop()
            gone += node.children.values()
            if self._nodes.pop(node.wd, None):
                descriptors.append(node.wd)
        return descriptors

    def clear(self) -> list[int]:
        """Forget everything; the watch descriptors of it."""
        descriptors = list(self._nodes)
        self._nodes.clear()
        return descriptors

    @property
    def has_detached(self) -> bool:
        """Whether `release` has something to forget."""
        return bool(self._detached)

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
    """The entry's path relative to the camera's folder."""
    return "/".join([*entry[0].components(), entry[1]])
