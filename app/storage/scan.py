"""Which files below a folder are uploads: pictures and clips? One walk, by descriptor, in constant
memory.
"""

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple, TypeVar
from unicodedata import normalize

from . import safe_open
from .mount_threads import note_progress
from .names import reading
from .newest_files import Candidate, Ranking
from .times import Arrival, StorageClock

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif")
CLIP_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".ts")
UPLOAD_SUFFIXES = SUFFIXES + CLIP_SUFFIXES
# Each level holds one descriptor open while it is walked; deeper folders are passed over.
MAX_DEPTH = 100
# Folders in which storage systems keep thumbnails, deleted files and their own data: names that
# begin with one of these characters (Synology's @eaDir and #recycle, hidden ones), and these.
HOUSEKEEPING_PREFIXES = (".", "@", "#")
HOUSEKEEPING = ("$recycle.bin", "lost+found", "system volume information")
READABLE_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH

# So many patterns are kept compiled; compiling a long one takes a few milliseconds.
COMPILED_PATTERNS = 512

NameFilter = Callable[[str], bool]
# What the caller knows a folder by: its path, for example.
Place = TypeVar("Place")
# A file with the name of an upload: the place of its folder, its name, its status and whether the
# service may read it.
Found = tuple[Place, str, os.stat_result, bool]
# Called with each subfolder before it is listed: its descriptor, the place of the folder that it
# is in, and its name. Returns the subfolder's own place, None where it is to be passed over.
Enter = Callable[[int, Place, str], Place | None]


class Walked(NamedTuple):
    """What a walk found: the newest pictures and the newest clips, the first to be tried first,
    the file that changed last, and how many there are.
    """

    newest: list[Candidate]
    clips: list[Candidate]
    latest: Arrival | None
    uploads: int


def walk(
    folder: int, clock: StorageClock, most_bytes: int, file_pattern: str | None = None
) -> Walked:
    """Look at every picture, of at most ``most_bytes`` bytes, and clip below the descriptor
    ``folder``.
    """
    pictures: Ranking[str] = Ranking(lambda path: path)
    clips: Ranking[str] = Ranking(lambda path: path)
    is_upload, latest, uploads = upload_filter(file_pattern), None, 0
    for prefix, name, status, readable in files(folder, "", _path_in, is_upload):
        ranking, most = (clips, sys.maxsize) if is_clip(name) else (pictures, most_bytes)
        if not readable or not is_candidate(status, most):
            continue
        ranking.put(prefix + name, *clock.place(status))
        uploads += 1
        changed_ns = status.st_ctime_ns
        if (latest is None or changed_ns > latest[0]) and clock.may_be(changed_ns):
            latest = Arrival(changed_ns, prefix + name, status.st_mtime_ns, status.st_size)
    return Walked(pictures.answer(), clips.answer(), latest, uploads)


def files(
    folder: int, place: Place, enter: Enter[Place], is_upload: NameFilter, depth: int = 0
) -> Iterator[Found[Place]]:
    """Every file whose name ``is_upload`` accepts, depth first.

    Hidden files and housekeeping folders are passed over. ``depth``: how many folders lie above
    ``folder`` in the camera's folder.
    """
    subfolders = []
    for entry in entries(folder):
        note_progress()
        name = entry.name
        if is_upload(name) and is_kind(entry.is_file):
            if not name.startswith(".") and (status := status_of(entry)):
                yield place, name, status, is_readable(folder, name, status)
        elif not is_housekeeping(name) and is_kind(entry.is_dir):
            subfolders.append(name)
    if depth < MAX_DEPTH:
        for name in subfolders:
            yield from _files_in(folder, place, name, enter, is_upload, depth + 1)


def entries(folder: int) -> Iterator[os.DirEntry[str]]:
    """What the open folder holds; raises `safe_open.StorageNotAnswering`."""
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError as error:
        raise safe_open.failure(error, error) from None


def require_listing(folder: int, components: list[str]) -> None:
    """Raise `safe_open.StorageNotAnswering` where the folder there fails for that reason, too."""
    opened = safe_open.open_below(folder, components)
    try:
        next(entries(opened), None)
    finally:
        os.close(opened)


def is_kind(look: Callable[..., bool]) -> bool:
    """What an entry's ``is_file`` or ``is_dir`` says of itself, not of what a link leads to.

    False where that must be read and cannot.
    """
    try:
        return look(follow_symlinks=False)
    except OSError:
        return False


def status_of(entry: os.DirEntry[str]) -> os.stat_result | None:
    """None where the file is gone since its folder was listed."""
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def has_suffix(name: str) -> bool:
    """Whether a file of this name calls itself a picture."""
    return name.lower().endswith(SUFFIXES)


def is_clip(name: str) -> bool:
    """Whether a file of this name calls itself a clip."""
    return name.lower().endswith(CLIP_SUFFIXES)


def is_housekeeping(name: str) -> bool:
    """Whether a folder of this name belongs to the storage system and not to a camera."""
    return name.startswith(HOUSEKEEPING_PREFIXES) or name.lower() in HOUSEKEEPING


def upload_filter(file_pattern: str | None) -> NameFilter:
    """Whether a file's name is that of a picture or clip and matches the camera's
    ``file_pattern``.
    """
    if file_pattern is None:
        return _is_upload
    matches = name_filter(file_pattern)
    return lambda name: _is_upload(name) and matches(name)


@lru_cache(COMPILED_PATTERNS)
def name_filter(file_pattern: str | None) -> NameFilter:
    """Whether a file's whole name, as text, matches a pattern of `fnmatch`, letter case aside.

    None matches every name. `fnmatch.translate` never backtracks over more than one ``*``, so
    that the time grows with the product of both lengths at the most.
    """
    if file_pattern is None:
        return lambda _: True
    pattern = re.compile(translate(normalize("NFC", file_pattern)), re.IGNORECASE)
    return lambda name: pattern.match(name if name.isascii() else reading(name)) is not None


def is_candidate(status: os.stat_result, most_bytes: int) -> bool:
    """Whether it is a regular file of at most ``most_bytes`` bytes."""
    return status.st_size <= most_bytes and stat.S_ISREG(status.st_mode)


def is_readable(parent: int, path: str, status: os.stat_result) -> bool:
    """Asks the kernel only where some read bit is missing: a walk of 100,000 files stays cheap."""
    if status.st_mode & READABLE_BY_ALL == READABLE_BY_ALL:
        return True
    return os.access(path, os.R_OK, dir_fd=parent, effective_ids=True)


def may_enter(folder: int) -> bool:
    """Whether the service may look up names in the folder: the right x, beside r for its list."""
    return os.access(".", os.X_OK, dir_fd=folder, effective_ids=True)


def _is_upload(name: str) -> bool:
    return name.lower().endswith(UPLOAD_SUFFIXES)


def _path_in(_: int, prefix: str, name: str) -> str:
    return f"{prefix}{name}/"


def _files_in(
    parent: int,
    place: Place,
    name: str,
    enter: Enter[Place],
    is_upload: NameFilter,
    depth: int,
) -> Iterator[Found[Place]]:
    try:
        folder = safe_open.open_below(parent, [name])
    except (safe_open.OutsideBase, safe_open.FolderNotFound):
        return  # gone, replaced by a link, or closed to the service
    try:
        below = enter(folder, place, name)
        if below is not None:
            yield from files(folder, below, enter, is_upload, depth)
    finally:
        os.close(folder)
