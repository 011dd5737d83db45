"""Is the camera alive? Its folder, its stored row and the moment decide, and nothing else."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from .. import clock
from ..models import Row
from ..storage.folders import FolderState
from ..storage.newest_files import EMPTY
from ..storage.snapshots import Look

# Why a status changed, as the audit entry says.
UPLOAD, SILENCE, FOLDER = "upload", "silence", "folder"


class Observation(NamedTuple):
    """What the monitor found when it looked at a camera's folder.

    ``uploaded_at``: the newest upload, in the form of stored times; ``readable``: whether the
    folder can be read now; ``was_readable``: whether it could when it was looked at before;
    ``offline_already_reported``: whether the silence since the stored last_seen_at has made the
    camera offline already.
    """

    uploaded_at: str | None = None
    readable: bool = True
    was_readable: bool = True
    offline_already_reported: bool = False


class Decision(NamedTuple):
    """The camera's new status and last_seen_at, and why the status changes, if it does."""

    status: str
    last_seen_at: str | None
    reason: str | None = None


def decide(camera: Row, seen: Observation, now: datetime, offline_after: int) -> Decision:
    """An upload makes a camera online, silence offline, the loss of its folder an error.

    ``offline_after`` in seconds, 0 for never. A camera that was never seen keeps its status, and
    each observation changes a status once: a status that a person sets later stays.
    """
    status, last_seen_at = camera["status"], camera["last_seen_at"]
    is_new = seen.uploaded_at is not None and seen.uploaded_at > (last_seen_at or "")
    if is_new:
        last_seen_at = seen.uploaded_at
    if last_seen_at is None:
        return Decision(status, None)
    age = (now - clock.parse(last_seen_at)).total_seconds()
    silent = bool(offline_after) and age >= offline_after
    if is_new and not silent:
        return _change(status, "online", last_seen_at, UPLOAD)
    if not seen.readable:
        return _change(status, "error" if seen.was_readable else status, last_seen_at, FOLDER)
    if silent and (is_new or not seen.offline_already_reported):
        return _change(status, "offline", last_seen_at, SILENCE)
    return Decision(status, last_seen_at)


def newest_upload(state: FolderState, looks: Iterable[Look], now: datetime) -> str | None:
    """When the newest upload was completed: by the kernel's events, or by the newest file's time.

    A time in the future is not believed. Nor is the time of a picture that is still being
    uploaded: where the folder is polled, or an upload began before the service did, only the
    missing end of the file shows that.
    """
    until = int(now.timestamp() * 1e9)
    times = (
        candidate.mtime_ns
        for candidate, check, _ in looks
        if candidate.idle
        and candidate.rank != EMPTY
        and candidate.mtime_ns <= until
        and not check.is_being_written
    )
    uploaded_ns = state.uploaded_ns if state.uploaded_ns <= until else 0
    completed_ns = max(next(times, 0), uploaded_ns)
    return clock.rfc3339(clock.from_ns(completed_ns)) if completed_ns > 0 else None


def _change(old: str, new: str, last_seen_at: str, reason: str) -> Decision:
    return Decision(new, last_seen_at, reason if new != old else None)
