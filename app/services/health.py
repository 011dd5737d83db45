"""Is the box well? Each check answers with a status and a sentence that a person can act on."""

import os
from typing import NamedTuple

import peewee

from .. import db
from ..layout import START
from ..models import Row, Secret
from ..storage import safe_open
from .pulse import Pulse, ServerPulse

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
# Who asks for the health must not wait long for another writer.
PATIENCE_SECONDS = 0.1
# Below this, in bytes, the cameras' next uploads are in danger.
LITTLE_SPACE = 256 * 1024 * 1024
# A round of the monitor that takes longer than this, in seconds, hangs: its next one is due after
# a second.
STILL_SECONDS = 60
# A failure of the event loop is a warning for so long, in seconds.
RECENT_FAILURE_SECONDS = 600
# Of a WSGI server that says nothing of itself.
OTHER_SERVER = ServerPulse()


class Check(NamedTuple):
    """What one look found."""

    status: str
    message: str


def look(
    base: str, polling: list[str], pulse: Pulse, server_pulse: ServerPulse = OTHER_SERVER
) -> Row:
    """All checks and the worst of their statuses; ``polling`` as `watcher` takes it."""
    checks = {
        "database": database(),
        "base_path": base_path(base),
        "free_space": free_space(base),
        "watcher": both(watcher(polling), monitor(pulse)),
        "server": server(server_pulse),
    }
    return {
        "status": worst(*checks.values()),
        "checks": {name: check._asdict() for name, check in checks.items()},
    }


def database() -> Check:
    """Whether a write could happen now; makes none that reaches the disk.

    BEGIN IMMEDIATE alone succeeds on a file that was opened read-only, a write of no row does not.
    """
    try:
        db.migrate()
        db.writer.run(Secret.write_nothing, patience=PATIENCE_SECONDS)
    except db.DatabaseBusy:
        return Check(DEGRADED, "Another writer has held the database for long; it may recover.")
    except (peewee.DatabaseError, db.NewerDatabase, db.InvalidDatabaseFile, OSError):
        return Check(
            UNHEALTHY,
            "The database cannot be written. Check that its disk is there, not full, and that the "
            "service may write to the file and its folder.",
        )
    return Check(HEALTHY, "The database can be written.")


def base_path(base: str) -> Check:
    """Whether the cameras' folders can be listed."""
    try:
        os.close(safe_open.open_folder(base, base))
    except (safe_open.FolderNotFound, safe_open.OutsideBase):
        return Check(
            UNHEALTHY,
            "The base path of the uploads is missing or cannot be read. Create or mount it, and "
            "let the service's user read it.",
        )
    return Check(HEALTHY, "The base path of the uploads can be read.")


def free_space(base: str) -> Check:
    """Whether there is room for more uploads."""
    try:
        system = os.statvfs(base)
    except OSError:
        return Check(DEGRADED, "The free space is unknown while the base path is missing.")
    free = system.f_bavail * system.f_frsize
    if free < LITTLE_SPACE:
        return Check(DEGRADED, f"Only {free // 2**20} MiB are free. Delete old pictures.")
    return Check(HEALTHY, f"{free // 2**20} MiB are free for uploads.")


def watcher(polling: list[str]) -> Check:
    """How new pictures are noticed; ``polling``: why some folders must be read instead."""
    if polling:
        return Check(DEGRADED, f"{len(polling)} folders are polling: {'; '.join(set(polling))}.")
    return Check(HEALTHY, "The kernel tells of every new picture in the folders in use.")


def monitor(pulse: Pulse) -> Check:
    """Whether somebody lets ``last_seen_at`` and ``status`` follow the uploads."""
    if pulse.still is None and not db.leader_lock_is_held():
        return Check(
            DEGRADED,
            "Nobody monitors: last_seen_at and status stand still. "
            f"Run {START} itself; under another WSGI server the service only answers requests.",
        )
    if pulse.still is not None and pulse.still > STILL_SECONDS:
        return Check(
            DEGRADED,
            f"The monitor has stood still for {int(pulse.still)} seconds: a disk or a network "
            "folder may hang. Check the mounts, then restart the service.",
        )
    if pulse.faulty or pulse.failing:
        what = "The monitor" if pulse.faulty else f"Looking after {pulse.failing} cameras"
        return Check(
            DEGRADED,
            f"{what} fails, {pulse.failures} times since the start. The service's log says why; "
            "it tries again every second.",
        )
    if not pulse.leads:
        return Check(HEALTHY, "Another process on this database monitors the cameras.")
    past = f" It has failed {pulse.failures} times since the start." if pulse.failures else ""
    return Check(HEALTHY, f"The monitor looks after the cameras.{past}")


def server(pulse: ServerPulse) -> Check:
    """Whether the event loop runs without failures and no request waits in vain."""
    if not pulse.answers:
        return Check(
            DEGRADED,
            "Requests wait in vain for a worker thread. If that lasts, restart the service.",
        )
    past = f" The event loop has failed {pulse.failures} times since the start."
    if pulse.seconds_since_failure < RECENT_FAILURE_SECONDS:
        return Check(DEGRADED, f"Requests are answered.{past} The service's log says why.")
    return Check(HEALTHY, f"Requests are answered.{past if pulse.failures else ''}")


def both(one: Check, other: Check) -> Check:
    """Two checks as one: the worse status and both sentences."""
    return Check(worst(one, other), f"{one.message} {other.message}")


def worst(*checks: Check) -> str:
    """The worst of their statuses."""
    return max((check.status for check in checks), key=[HEALTHY, DEGRADED, UNHEALTHY].index)
