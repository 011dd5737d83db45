"""Which files below a folder are pictures or clips? One walk, in constant memory."""

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from fnmatch import translate
from functools import lru_cache
from typing import TypeVar
from unicodedata import normalize

from . import safe_open
from .changes import MOST_FOLDERS, Arrival, Walked
from .mount_threads import Answer, note_progress
from .names import normalised
from .newest_files import Ranking
from .storage_clock import StorageClock

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif")
CLIP_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".ts")
UPLOAD_SUFFIXES = SUFFIXES + CLIP_SUFFIXES
# Suffixes and the prefix that FTP servers and cameras give to the name of an incomplete upload.
# ProFTPD's HiddenStores and rsync put a dot before the picture's name; `is_temporary` recognises
# that by itself.
TEMPORARY_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".filepart", ".upload", ".uploading")
TEMPORARY_PREFIX = ".pureftpd-upload."
# Each level holds one descriptor open while it is walked; deeper folders are skipped.
MAX_DEPTH = 100
# Folders in which storage systems keep thumbnails, deleted files and their own data: names that
# begin with one of these characters (Synology's @eaDir and #recycle, hidden ones), and these.
HOUSEKEEPING_PREFIXES = (".", "@", "#")
HOUSEKEEPING = ("$recycle.bin", "lost+found", "system volume information")
READABLE_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
# How many compiled patterns are kept; compiling a long one takes a few milliseconds.
COMPILED_PATTERNS = 512

NameFilter = Callable[[str], bool]
# What identifies a folder for the caller: its path, for example.
Place = TypeVar("Place")
# A file with the name of an upload: the place of its folder, its name, its status and whether the
# service may read it.
Found = tuple[Place, str, os.stat_result, bool]
# Called with each subfolder before it is listed: its descriptor, the place of the folder that it
# is in, and its name. Returns the subfolder's own place, None where it is to be skipped.
Enter = Callable[[int, Place, str], Place | None]


def walk(
    folder: int, clock: StorageClock, most_bytes: int, file_pattern: str | None = None
) -> Walked:
    """Rank every clip below ``folder``, and every picture of at most ``most_bytes``."""
    pictures: Ranking[str] = Ranking(lambda path: path)
    clips: Ranking[str] = Ranking(lambda path: path)
    is_upload, latest, uploads = upload_filter(file_pattern), None, 0
    folders, gone = {"": os.fstat(folder).st_ctime_ns}, list[str]()

    def enter(below: int, prefix: str, name: str) -> str:
        path = f"{prefix}{name}/"
        if len(folders) < MOST_FOLDERS:
            folders[path] = os.fstat(below).st_ctime_ns
        return path

    for prefix, name, status, readable in files(folder, "", enter, is_upload, gone.append):
        ranking, most = (clips, sys.maxsize) if is_clip(name) else (pictures, most_bytes)
        if not readable or not is_candidate(status, most):
            continue
        ranking.put(prefix + name, *clock.place(status))
        uploads += 1
        changed_ns = status.st_ctime_ns
        if (latest is None or changed_ns > latest[0]) and clock.may_be(changed_ns):
            latest = Arrival(changed_ns, prefix + name, status.st_mtime_ns, status.st_size)
    return Walked(pictures.answer(), clips.answer(), latest, uploads, folders, bool(gone))


def files(
    folder: int,
    place: Place,
    enter: Enter[Place],
    is_upload: NameFilter,
    note_gone: Callable[[str], None] = lambda _: None,
    depth: int = 0,
) -> Iterator[Found[Place]]:
    """Every file whose name ``is_upload`` accepts, depth first.

    Hidden files and housekeeping folders are skipped. ``note_gone`` is called with the name of
    each file and folder that went after it was listed; ``depth``: how many folders lie above
    ``folder`` in the camera's folder.
    """
    subfolders = []
    for entry in entries(folder):
        note_progress()
        name = entry.name
        if is_upload(name) and ask_entry(entry.is_file):
            if name.startswith("."):
                continue
            if status := ask_entry(entry.stat):
                yield place, name, status, is_readable(folder, name, status)
            else:
                note_gone(name)
        elif not is_housekeeping(name) and ask_entry(entry.is_dir):
            subfolders.append(name)
    if depth < MAX_DEPTH:
        for name in subfolders:
            yield from _files_in(folder, place, name, enter, is_upload, note_gone, depth + 1)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is an upload that is renamed when it is complete."""
    lower = name.lower()
    if lower.endswith(TEMPORARY_SUFFIXES) or lower.startswith(TEMPORARY_PREFIX):
        return True
    return lower.startswith(".") and any(suffix in lower for suffix in SUFFIXES)


def final_name(name: str) -> str:
    """The name that an upload with this temporary name will get, as far as that is known."""
    plain = name.removeprefix(TEMPORARY_PREFIX).removeprefix(".in.").strip(".")
    stem, suffix = os.path.splitext(plain)
    return stem if suffix.lower() in TEMPORARY_SUFFIXES else plain


def entries(folder: int) -> Iterator[os.DirEntry[str]]:
    """What the open folder holds.

    Raises `safe_open.FolderNotFound` where it cannot be listed, as on a damaged disk, and
    `safe_open.StorageNotAnswering`.
    """
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError as error:
        unlisted = safe_open.FolderNotFound(0, error.errno or errno.EIO)
        raise safe_open.failure(error, unlisted) from None


def require_listing(folder: int, components: list[str]) -> None:
    """Raise `safe_open.StorageNotAnswering` if the folder itself fails for that reason too."""
    with contextlib.suppress(safe_open.OutsideBase, safe_open.FolderNotFound):
        opened = safe_open.open_below(folder, components)
        try:
            next(entries(opened), None)
        finally:
            os.close(opened)


def ask_entry(question: Callable[..., Answer]) -> Answer | None:
    """The result of an entry's ``is_file``, ``is_dir`` or ``stat``, without following a link.

    None where the entry is gone since its folder was listed, or cannot be read.
    """
    try:
        return question(follow_symlinks=False)
    except OSError:
        return None


def has_suffix(name: str) -> bool:
    """Whether a file's name has the suffix of a picture."""
    return name.lower().endswith(SUFFIXES)


def is_clip(name: str) -> bool:
    """Whether a file's name has the suffix of a clip."""
    return name.lower().endswith(CLIP_SUFFIXES)


def is_housekeeping(name: str) -> bool:
    """Whether a folder of this name belongs to the storage system and not to a camera."""
    return name.startswith(HOUSEKEEPING_PREFIXES) or name.lower() in HOUSEKEEPING


def upload_filter(file_pattern: str | None) -> NameFilter:
    """Whether a name is that of a picture or clip and matches the camera's ``file_pattern``."""
    matches = name_filter(file_pattern)
    return lambda name: name.lower().endswith(UPLOAD_SUFFIXES) and matches(name)


@lru_cache(COMPILED_PATTERNS)
def name_filter(file_pattern: str | None) -> NameFilter:
    """Whether a file's whole name, as text, matches a pattern of `fnmatch`, letter case aside.

    None matches every name. `fnmatch.translate` never backtracks over more than one ``*``, so
    that the time grows with the product of both lengths at the most.
    """
    if file_pattern is None:
        return lambda _: True
    pattern = re.compile(translate(normalize("NFC", file_pattern)), re.IGNORECASE)
    return lambda name: pattern.match(name if name.isascii() else normalised(name)) is not None


def is_candidate(status: os.stat_result, most_bytes: int) -> bool:
    """Whether it is a regular file of at most ``most_bytes`` bytes."""
    return status.st_size <= most_bytes and stat.S_ISREG(status.st_mode)


def is_readable(parent: int, path: str, status: os.stat_result) -> bool:
    """Calls access(2) only where some read bit is missing, so that a walk of 100,000 files is
    cheap.
    """
    if status.st_mode & READABLE_BY_ALL == READABLE_BY_ALL:
        return True
    return os.access(path, os.R_OK, dir_fd=parent, effective_ids=True)


def may_enter(folder: int) -> bool:
    """Whether the service may look up names in the folder: the right x, beside r for its list."""
    return os.access(".", os.X_OK, dir_fd=folder, effective_ids=True)


def _files_in(
    parent: int,
    place: Place,
    name: str,
    enter: Enter[Place],
    is_upload: NameFilter,
    note_gone: Callable[[str], None],
    depth: int,
) -> Iterator[Found[Place]]:
    try:
        folder = safe_open.open_below(parent, [name])
    except (safe_open.OutsideBase, safe_open.FolderNotFound) as error:
        if isinstance(error, safe_open.FolderNotFound) and error.reason == errno.ENOENT:
            note_gone(name)
        return  # gone, replaced by a link, or closed to the service
    try:
        below = enter(folder, place, name)
        if below is not None:
            yield from files(folder, below, enter, is_upload, note_gone, depth)
    except safe_open.FolderNotFound:
        return  # it cannot be listed
    finally:
        os.close(folder)
