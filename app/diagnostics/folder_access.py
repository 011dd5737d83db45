"""Can a camera's folder be listed, and if not, what should a person do about it?"""

import errno
import os
import pwd
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from .. import unit
from ..storage import safe_open
from ..storage.names import as_text, folders_that_read

# The most names that are compared to find one that is spelt a little differently.
MOST_NAMES = 10_000
CODES = {
    errno.ENOENT: "folder_missing",
    errno.ENAMETOOLONG: "folder_missing",
    errno.ENOTDIR: "not_a_folder",
    errno.EACCES: "not_readable",
    errno.EPERM: "not_readable",
    errno.ENOTUNIQ: "folder_ambiguous",
}
# By the codes of `FolderAccess.problem`; `advice` fills in the values.
ADVICE = {
    "outside_base": "The folder is not inside the base path {base}, so the service does not look "
    "at it and shows nothing of it. Change folder_path to a folder inside the base path.",
    "link_on_the_way": "{at} is a link, and links below the base path are never followed. Put a "
    "folder in its place (mount --bind can show another folder there), or change folder_path to "
    "the folder that the link points to, if that is inside the base path.",
    "base_path_missing": "The base path {base} does not exist or may not be entered. Create or "
    "mount it; the service notices without a restart. If the cameras upload to another folder, "
    "set NVR_FOSCAM_BASE_PATH to that one.",
    "folder_missing": "There is no folder {at}. Create it so that the camera's FTP user may write "
    "to it and the service's user {user} may read it: install -d -m 755 -o FTP_USER "
    "{quoted_folder}",
    "folder_ambiguous": "Several folders have names that read like {at}, in other bytes: "
    "{similar}. Rename all but one of them; type each name in a shell as it is quoted here.",
    "not_a_folder": "{at} is a file where a folder is needed. Move it away and create the folder, "
    "or change folder_path.",
    "not_readable": "The service's user {user} may not read {at}. Allow it with chmod o+rx "
    "{quoted_at} or setfacl -m u:{user}:rx {quoted_at}",
    "storage_not_answering": "{at} does not answer: the disk or the network share that it lies on "
    "hangs or has failed. Check it, its network and its server, and the kernel's log (dmesg). The "
    "service notices by itself when it answers again.",
    "folder_unavailable": "{at} cannot be opened: {reason}. Check the disk or the network that it "
    "lies on, and whether it is mounted.",
}
SIMILAR = (
    "There is no folder {at}, but there is {similar}. If the camera uploads there, change "
    "folder_path to it."
)


@dataclass(frozen=True, slots=True)
class FolderAccess:
    """Where a camera's folder should be, and whether it can be listed.

    ``folder``: the path, joined with the base and normalised; ``descriptor``: lists the folder,
    None where there is a ``problem``, a code of `ADVICE`; ``at``: the path that could not be
    opened; ``similar``: folders beside a missing one whose names differ from it only in case,
    blanks, dots, ``-`` and ``_``, or those that read the same in other bytes; ``exists`` and
    ``readable``: None where that cannot or must not be known; ``reason``: the system's message.
    """

    folder: str
    descriptor: int | None = None
    problem: str | None = None
    at: str = ""
    similar: tuple[str, ...] = ()
    inside: bool = True
    exists: bool | None = None
    readable: bool | None = None
    reason: str = ""


@contextmanager
def access_folder(base: str, folder_path: str) -> Iterator[FolderAccess]:
    """Open the camera's folder, if that is possible, for the time of the block.

    Raises `safe_open.StorageNotAnswering`.
    """
    folder, components = safe_open.normalise(base, folder_path), list[str]()
    try:
        components = safe_open.components_below(base, folder_path)
        descriptor = safe_open.open_folder(base, folder_path)
    except safe_open.OutsideBase as outside:
        yield _outside(base, folder, components, outside.depth)
    except safe_open.FolderNotFound as missing:
        yield _missing(base, folder, components, missing)
    else:
        try:
            yield FolderAccess(folder, descriptor, exists=True, readable=True)
        finally:
            os.close(descriptor)


def not_answering(base: str, folder_path: str) -> FolderAccess:
    """What is known of a folder whose storage does not answer."""
    folder = safe_open.normalise(base, folder_path)
    return FolderAccess(folder, problem="storage_not_answering", at=folder, readable=False)


def advice(access: FolderAccess, base: str) -> str | None:
    """Why the folder cannot be listed and what to do about it; None if it can."""
    if access.problem is None:
        return None
    if access.problem == "base_path_missing" and (home := unit.hidden_by_home(base)):
        return unit.how_to_show(base, home)
    is_misspelt = access.similar and access.problem == "folder_missing"
    sentence = SIMILAR if is_misspelt else ADVICE[access.problem]
    return sentence.format(
        base=base,
        at=access.at,
        quoted_at=shlex.quote(access.at),
        quoted_folder=shlex.quote(access.folder),
        similar=" or ".join(f"“{name}”" for name in access.similar),
        user=service_user(),
        reason=access.reason,
    )


def canonical_path(base: str, folder_path: str) -> str:
    """The folder's path below the configured base, the same however ``folder_path`` is written."""
    try:
        components = safe_open.components_below(base, folder_path)
    except safe_open.OutsideBase:
        return safe_open.normalise(base, folder_path)
    return safe_open.normalise(base, "/".join(components))


def service_user() -> str:
    """The name of the user that this process runs as, or its number where it has no name."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _outside(base: str, folder: str, components: list[str], depth: int | None) -> FolderAccess:
    """Nothing outside the base is opened, so the response reveals nothing about it."""
    if depth is None:
        return FolderAccess(folder, problem="outside_base", at=folder, inside=False)
    at = os.path.join(base, *components[: depth + 1])
    return FolderAccess(folder, problem="link_on_the_way", at=at, inside=False)


def _missing(
    base: str, folder: str, components: list[str], missing: safe_open.FolderNotFound
) -> FolderAccess:
    depth, problem = missing.depth, CODES.get(missing.reason, "folder_unavailable")
    if depth < 0:
        return FolderAccess(folder, problem="base_path_missing", at=base)
    # In a folder that may not be entered, it is unknown whether anything exists.
    is_closed = problem == "not_readable" and depth < len(components)
    is_unknown = is_closed or problem == "folder_unavailable"
    return FolderAccess(
        folder,
        problem=problem,
        at=os.path.join(base, *components[: depth if is_closed else depth + 1]),
        similar=_similar(base, components, depth, problem),
        exists=None if is_unknown else problem == "not_readable",
        readable=False,
        reason=os.strerror(missing.reason),
    )


def _similar(base: str, components: list[str], depth: int, problem: str | None) -> tuple[str, ...]:
    """Folders beside the missing one that ``folder_path`` may mean."""
    if problem not in ("folder_missing", "folder_ambiguous"):
        return ()
    try:
        parent = safe_open.open_folder(base, "/".join(components[:depth]) or ".")
    except (safe_open.OutsideBase, safe_open.FolderNotFound):
        return ()
    try:
        if problem == "folder_ambiguous":
            return tuple(map(_in_bytes, folders_that_read(components[depth], parent)))
        wanted, found = _comparable(components[depth]), []
        with os.scandir(parent) as entries:
            for entry in islice(entries, MOST_NAMES):
                text = as_text(entry.name)
                if _comparable(text) == wanted and entry.is_dir(follow_symlinks=False):
                    found.append("/".join([*components[:depth], text]))
        return tuple(sorted(found))
    finally:
        os.close(parent)


def _in_bytes(name: str) -> str:
    """The name quoted for a shell byte by byte (bash(1), QUOTING)."""
    escaped = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"
        for byte in os.fsencode(name)
    )
    return f"$'{''.join(escaped)}'"


def _comparable(name: str) -> str:
    return "".join(character for character in name.casefold() if character not in " -_.")
