"""Why are no pictures deleted at the moment? Returns the first reason, as the API names it."""

import os

from flask import Flask

from ..services.clock_guard import ClockGuard
from ..storage import safe_open
from ..storage.mount_threads import StorageThreads

CLOCK, BASE_PATH_MISSING = "clock", "base_path_missing"
# What an operator is told.
MESSAGES = {
    CLOCK: "No picture is deleted while the clock is implausible; the check clock says why.",
    BASE_PATH_MISSING: "No picture is deleted while the base path is missing or cannot be read.",
}


def reason(app: Flask) -> str | None:
    """One of the reasons; None while pictures may be deleted. Writes nothing."""
    guard, folders = app.extensions["clock_guard"], app.extensions["folders"]
    return _clock(guard) or _base_path(app.config["NVR_FOSCAM_BASE_PATH"], folders.threads)


def _clock(guard: ClockGuard) -> str | None:
    return CLOCK if guard.doubt() else None


def _base_path(base: str, threads: StorageThreads) -> str | None:
    """Without a base path, or while its storage does not answer, nothing is known of the files."""
    try:
        threads.ask(lambda: os.close(safe_open.open_folder(base, base)), base)
    except (safe_open.FolderNotFound, safe_open.OutsideBase, safe_open.StorageNotAnswering):
        return BASE_PATH_MISSING
    return None
