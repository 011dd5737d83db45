"""Is the camera alive? What is known of it and the moment decide, and nothing else."""

from datetime import datetime
from typing import NamedTuple

from ..clock import parse
from ..models import Row

UPLOAD, SILENCE, FOLDER = "upload", "silence", "folder"


class Evidence(NamedTuple):
    """What was seen of a camera's folder.

    ``uploaded_at``: the newest upload, as stored times are; ``readable``: whether the folder can
    be read now; ``was_readable``: whether it could when it was looked at before;
    ``silence_spent``: the last_seen_at whose silence has moved the status already.
    """

    uploaded_at: str | None = None
    readable: bool = True
    was_readable: bool = True
    silence_spent: str | None = None


class Verdict(NamedTuple):
    """What the camera's status and last_seen_at are to be, and what moved the status, if it is
    to move."""

    status: str
    last_seen_at: str | None
    because: str | None = None


def judge(camera: Row, seen: Evidence, now: datetime, offline_after: int) -> Verdict:
    """An upload makes a camera online, silence offline, the loss of its folder an error.

    ``offline_after`` in seconds, 0 for never. A camera that was never seen keeps its status, and
    each piece of evidence moves a status once: what a person set later stays.
    """
    status, last_seen_at = camera["status"], camera["last_seen_at"]
    is_new = seen.uploaded_at is not None and seen.uploaded_at > (last_seen_at or "")
    if is_new:
        last_seen_at = seen.uploaded_at
    if last_seen_at is None:
        return Verdict(status, None)
    silent = bool(offline_after) and (now - parse(last_seen_at)).total_seconds() >= offline_after
    if is_new and not silent:
        return _move(status, "online", last_seen_at, UPLOAD)
    if not seen.readable:
        return _move(status, "error" if seen.was_readable else status, last_seen_at, FOLDER)
    if silent and seen.silence_spent != last_seen_at:
        return _move(status, "offline", last_seen_at, SILENCE)
    return Verdict(status, last_seen_at)


def _move(old: str, new: str, last_seen_at: str, because: str) -> Verdict:
    return Verdict(new, last_seen_at, because if new != old else None)
