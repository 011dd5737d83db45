"""Is the box well? Each check answers with a status and a sentence that a person can act on."""

import os
from typing import NamedTuple

import peewee

from app import containment, db
from app.models import Row

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
# Below this, in bytes, the cameras' next uploads are in danger.
LITTLE_SPACE = 256 * 1024 * 1024


class Check(NamedTuple):
    """What one look found."""

    status: str
    message: str


def look(base: str, polling: list[str]) -> Row:
    """All checks and the worst of their statuses; ``polling`` as `watcher` takes it."""
    checks = {
        "database": database(),
        "base_path": base_path(base),
        "free_space": free_space(base),
        "watcher": watcher(polling),
    }
    worst = max(
        (check.status for check in checks.values()), key=[HEALTHY, DEGRADED, UNHEALTHY].index
    )
    return {"status": worst, "checks": {name: check._asdict() for name, check in checks.items()}}


def database() -> Check:
    """Whether a write could happen now; makes none that reaches the disk.

    BEGIN IMMEDIATE alone succeeds on a file that was opened read-only, a write of no row does not.
    """
    try:
        db.migrate()
        with db.transaction():
            db.database.execute_sql("DELETE FROM secret WHERE 0")
    except db.DatabaseBusy:
        return Check(DEGRADED, "Another writer has held the database for long; it may recover.")
    except (peewee.DatabaseError, db.NewerDatabase, OSError):
        return Check(
            UNHEALTHY,
            "The database cannot be written. Check that its disk is there, not full, and that the "
            "service may write to the file and its folder.",
        )
    return Check(HEALTHY, "The database can be written.")


def base_path(base: str) -> Check:
    """Whether the cameras' folders can be listed."""
    try:
        os.close(containment.open_folder(base, base))
    except (containment.FolderNotFound, containment.OutsideBase):
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
