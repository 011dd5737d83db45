"""Why does retention delete no pictures now? The reasons, as the API names them."""

import os

from flask import Flask

from ..layout import COMMAND
from ..services import database_number
from ..services.clock_guard import ClockGuard
from ..storage import safe_open
from ..storage.mount_threads import StorageThreads

CLOCK, BASE_PATH_MISSING, RESTORED = "clock", "base_path_missing", "restored"
# What an operator is told.
MESSAGES = {
    CLOCK: "No picture is deleted while the clock is implausible; the check clock says why.",
    BASE_PATH_MISSING: "No picture is deleted while the base path is missing or cannot be read.",
    RESTORED: "No picture is deleted, because the database was restored, or is another one than "
    "before: it may not know which pictures are kept. Check the limits, then set one of them, if "
    f"only to its present value, or run {COMMAND} prune --resume.",
}


def reason(app: Flask) -> str | None:
    """The first reason; None while pictures may be deleted. Writes nothing."""
    guard, folders = app.extensions["clock_guard"], app.extensions["folders"]
    base = app.config["NVR_FOSCAM_BASE_PATH"]
    return _clock(guard) or _base_path(base, folders.threads) or _database()


def reason_without_base(app: Flask) -> str | None:
    """The first reason that is known without reading the base path."""
    return _clock(app.extensions["clock_guard"]) or _database()


def _clock(guard: ClockGuard) -> str | None:
    return CLOCK if guard.why_implausible() else None


def _base_path(base: str, threads: StorageThreads) -> str | None:
    """The reason if the base path is missing, or its storage does not answer."""
    try:
        threads.ask(lambda: os.close(safe_open.open_folder(base, base)), base)
    except (safe_open.FolderNotFound, safe_open.OutsideBase, safe_open.StorageNotAnswering):
        return BASE_PATH_MISSING
    return None


def _database() -> str | None:
    """The reason if the database is another one: it may not know which pictures are kept."""
    return RESTORED if database_number.is_other() else None
