"""When was the newest upload completed, as far as the folder tells?"""

import os
from datetime import datetime

from .. import clock
from ..storage import safe_open
from ..storage.folders import FolderState
from ..storage.formats import HEAD_BYTES, SETTLED_SECONDS, SIGNATURES, TAIL_BYTES, has_end_mark
from ..storage.newest_files import Candidate


def newest_upload(folder: int, state: FolderState, now: datetime) -> str | None:
    """As it was seen to be completed, or as the newest file below ``folder`` tells.

    A time in the future tells nothing, nor does a picture that is evidently still on its way:
    where the folder is polled, or an upload began before the service did, nobody knows its writer.
    """
    until = int(now.timestamp() * 1e9)
    told = (
        candidate.mtime_ns
        for candidate in state.newest
        if candidate.idle and candidate.mtime_ns <= until and not _is_half(folder, candidate, now)
    )
    moment = max(next(told, 0), min(state.uploaded_ns, until))
    return clock.rfc3339(clock.from_ns(moment)) if moment > 0 else None


def _is_half(folder: int, candidate: Candidate, now: datetime) -> bool:
    """Whether it begins as a picture does, has no end mark, and was written just now."""
    if now.timestamp() - candidate.mtime_ns / 1e9 > SETTLED_SECONDS:
        return False
    try:
        file = safe_open.open_file(folder, candidate.path.split("/"))
    except (safe_open.FileNotReadable, safe_open.OutsideFolder):
        return False
    try:
        head = os.pread(file, HEAD_BYTES, 0)
        tail = os.pread(file, TAIL_BYTES, max(0, os.fstat(file).st_size - TAIL_BYTES))
    finally:
        os.close(file)
    return head.startswith(SIGNATURES) and not has_end_mark(head, tail)
