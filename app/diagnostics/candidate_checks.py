"""Which of the newest files are pictures, and which are halves of one or something else?"""

import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ..storage import safe_open
from ..storage.formats import HEAD_BYTES, SIGNATURES, TAIL_BYTES, describe, has_end_mark, is_whole
from ..storage.newest_files import Candidate
from .survey import File

BEING_WRITTEN, CUT_SHORT, FOREIGN = "being_written", "cut_short", "foreign"


class Unfinished(NamedTuple):
    """An upload that is not complete: ``because`` of its temporary name, because somebody is
    writing it, or because it has no end mark.
    """

    file: File
    because: str


@dataclass(slots=True)
class Trials:
    """``newest``: what the snapshot shows; of those tried, the ``unfinished`` and the ``foreign``
    that do not begin as a picture does.
    """

    newest: File | None = None
    unfinished: list[Unfinished] = field(default_factory=list)
    foreign: list[File] = field(default_factory=list)


def trials(folder: int, candidates: list[Candidate], now: datetime) -> Trials:
    """Try every candidate below the descriptor ``folder``, which come in the snapshot's order."""
    found, first = Trials(), None
    for candidate in candidates:
        try:
            file, flaw, served = _try(folder, candidate, now)
        except (safe_open.FileNotReadable, safe_open.OutsideFolder, OSError):
            continue  # gone, or replaced, since the folder was listed
        first = first or file
        if served and not found.newest:
            found.newest = file
        if flaw == FOREIGN:
            found.foreign.append(file)
        elif flaw:
            found.unfinished.append(Unfinished(file, flaw))
    found.newest = found.newest or first
    return found


def _try(folder: int, candidate: Candidate, now: datetime) -> tuple[File, str | None, bool]:
    """The file, its flaw if it has one, and whether the snapshot would take it."""
    way = candidate.path.split("/")
    descriptor = safe_open.open_file(folder, way)
    try:
        picture = describe(descriptor, way[-1])
        head = os.pread(descriptor, HEAD_BYTES, 0)
        tail = os.pread(descriptor, TAIL_BYTES, max(0, picture.size - TAIL_BYTES))
        served = is_whole(descriptor, picture, now)
    finally:
        os.close(descriptor)
    file = File(candidate.path, picture.mtime_ns, picture.size)
    if not head.startswith(SIGNATURES):
        return file, FOREIGN, served
    if has_end_mark(head, tail):
        return file, None, served
    return file, CUT_SHORT if candidate.idle else BEING_WRITTEN, served
