"""How far does the way to a camera's folder lead, and what stands in it?"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..storage import safe_open

# How many names are compared in search of one that is written a little differently.
MOST_NAMES = 10_000
CODES = {
    errno.ENOENT: "folder_missing",
    errno.ENAMETOOLONG: "folder_missing",
    errno.ENOTDIR: "not_a_folder",
    errno.EACCES: "not_readable",
    errno.EPERM: "not_readable",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a camera's folder should be, and why it cannot be listed, if it cannot.

    ``folder``: joined with the base and normalised; ``descriptor`` lists it, None where
    ``obstacle`` says why not; ``at``: the path where the way ended; ``similar``: folders there
    whose names differ from the missing one in case, blanks, dots, ``-`` and ``_`` only;
    ``exists`` and ``readable`` are None where that cannot or must not be known; ``reason``: what
    the system said.
    """

    folder: str
    descriptor: int | None = None
    obstacle: str | None = None
    at: str = ""
    similar: tuple[str, ...] = ()
    inside: bool = True
    exists: bool | None = None
    readable: bool | None = None
    reason: str = ""


@contextmanager
def reached(base: str, folder_path: str) -> Iterator[Reach]:
    """The camera's folder, open inside the block where it can be opened."""
    folder, way = safe_open.normalise(base, folder_path), list[str]()
    try:
        way = safe_open.components_below(base, folder_path)
        descriptor = safe_open.open_folder(base, folder_path)
    except safe_open.OutsideBase as outside:
        yield _outside(base, folder, way, outside.depth)
    except safe_open.FolderNotFound as missing:
        yield _missing(base, folder, way, missing)
    else:
        try:
            yield Reach(folder, descriptor, exists=True, readable=True)
        finally:
            os.close(descriptor)


def place(base: str, folder_path: str) -> str:
    """One name for a folder however it is written, the base by its configured name."""
    try:
        return safe_open.normalise(base, "/".join(safe_open.components_below(base, folder_path)))
    except safe_open.OutsideBase:
        return safe_open.normalise(base, folder_path)


def _outside(base: str, folder: str, way: list[str], depth: int | None) -> Reach:
    """Nothing outside was looked at, so nothing is said of it."""
    if depth is None:
        return Reach(folder, obstacle="outside_base", at=folder, inside=False)
    at = os.path.join(base, *way[: depth + 1])
    return Reach(folder, obstacle="link_on_the_way", at=at, inside=False)


def _missing(base: str, folder: str, way: list[str], missing: safe_open.FolderNotFound) -> Reach:
    depth, code = missing.depth, CODES.get(missing.reason, "folder_unavailable")
    if depth < 0:
        return Reach(folder, obstacle="base_path_missing", at=base)
    # What may not be entered says nothing of what is in it.
    closed = code == "not_readable" and depth < len(way)
    exists = None if closed or code == "folder_unavailable" else code == "not_readable"
    return Reach(
        folder,
        obstacle=code,
        at=os.path.join(base, *way[: depth if closed else depth + 1]),
        similar=_similar(base, way, depth) if code == "folder_missing" else (),
        exists=exists,
        readable=False,
        reason=os.strerror(missing.reason),
    )


def _similar(base: str, way: list[str], depth: int) -> tuple[str, ...]:
    """Folders beside the missing one that may be meant."""
    try:
        parent = safe_open.open_folder(base, "/".join(way[:depth]) or ".")
    except (safe_open.OutsideBase, safe_open.FolderNotFound):
        return ()
    wanted, found = _plain(way[depth]), []
    try:
        with os.scandir(parent) as entries:
            for _, entry in zip(range(MOST_NAMES), entries, strict=False):
                if _plain(entry.name) == wanted and entry.is_dir(follow_symlinks=False):
                    found.append("/".join([*way[:depth], entry.name]))
    finally:
        os.close(parent)
    return tuple(sorted(found))


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character not in " -_.")
