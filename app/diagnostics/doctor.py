"""What on this box keeps the service from working, and what should a person do about it?

The checks run in a process of their own, with the rights of the user who starts it. They change
nothing.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import peewee

from .. import clock, unit
from ..db import backup
from ..models import AuditEntry, Row
from ..services import health
from ..services.clock_guard import ClockGuard
from ..services.health import (
    DEGRADED,
    HEALTHY,
    UNHEALTHY,
    Check,
    check_base_path,
    check_database,
    check_storage,
)
from ..services.stats import existing
from ..storage import filesystems
from ..storage.mount_threads import StorageThreads
from . import folder_access
from .folder_access import service_user

# What Linux grants to a user by default on small boxes (inotify(7)).
FEWEST_WATCHES = 8192
# A camera's folder and the folders below it, one for each day of two months.
WATCHES_PER_CAMERA = 64
# The service needs one instance for all cameras; other programs of the same user need some too.
FEWEST_INSTANCES = 8
# How many checks `check_box` makes.
BOX_CHECKS = 7
# The clock cannot be right before this: the service did not exist then.
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
CLOCK_BEHIND = (
    "The clock says {}, but the newest audit entry has the time {}. If the clock is wrong, set it "
    "and let NTP keep it right: timedatectl set-ntp true. If it is right, it was ahead when that "
    "entry was written: nothing needs to be done, and this message ends at that time."
)


def check_box(
    base: str, path: str, cameras: int, now: datetime, guard: ClockGuard
) -> Iterator[tuple[str, Check]]:
    """Each check of the box by its name; ``path``: the database's file, ``cameras``: how many."""
    exists, threads = Path(path).exists(), StorageThreads()
    yield "base path", _prefixed(base, _check_base_path(base, threads))
    yield "permissions", check_permissions(path)
    yield "database", _check_integrity(path) if exists else _no_database(path)
    yield "free space", _prefixed(base, check_storage(base, threads))
    yield "free space of the database", _prefixed(path, check_storage(existing(path), threads))
    yield "clock", _check_clock_with(guard, now) if exists else check_clock(now, None)
    yield "inotify", check_inotify(cameras)


def check_camera(problems: list[Row], deletion: Check) -> Check:
    """The problems that `camera.diagnose` and `check_deletion` found, as one check."""
    status, messages = HEALTHY, ["Its folder can be read and shows what it uploads."]
    if problems:
        is_closed = any(problem["code"] in folder_access.ADVICE for problem in problems)
        status = UNHEALTHY if is_closed else DEGRADED
        messages = [problem["message"] for problem in problems]
    if deletion.message:
        messages.append(deletion.message)
    return Check(health.worst(Check(status, ""), deletion), " ".join(messages))


def check_permissions(path: str) -> Check:
    """Whether this user may write to the database, and is the one that the service runs as."""
    nearest = existing(path)
    if os.stat(nearest).st_uid != os.geteuid() and nearest == path:
        return Check(
            DEGRADED,
            f"The doctor runs as {service_user()}, but the database {path} belongs to another "
            "user, probably the service's, who may have other rights. Run the doctor as the "
            "service's user.",
        )
    if not os.access(nearest, os.W_OK):
        return Check(
            UNHEALTHY,
            f"{service_user()} may not write to {nearest}. Give it to the service's user with "
            "chown, or set NVR_DATABASE_URL to a file in a folder of its own.",
        )
    return Check(HEALTHY, f"{service_user()} may write to {nearest}.")


def check_clock(now: datetime, last_entry: str | None) -> Check:
    """Whether the clock is plausible and kept by NTP.

    ``last_entry``: the time of the newest audit entry, if there is one. Where it lies after
    ``now``, either the clock is wrong, or it was wrong when the entry was written.
    """
    is_synchronised, shown = clock.read().is_synchronised, clock.rfc3339(now)
    if now < EARLIEST:
        return Check(
            UNHEALTHY,
            f"The clock says {shown}, but it must be later than {clock.rfc3339(EARLIEST)}. Set "
            "it, and let NTP keep it right: timedatectl set-ntp true.",
        )
    if shown < (last_entry or ""):
        return Check(
            DEGRADED if is_synchronised else UNHEALTHY,
            CLOCK_BEHIND.format(shown, last_entry),
        )
    if not is_synchronised:
        return Check(
            DEGRADED,
            "No time service keeps the clock right, and pictures are ordered by their times. Let "
            "NTP do it: timedatectl set-ntp true.",
        )
    return Check(HEALTHY, "NTP keeps the clock right.")


def check_inotify(cameras: int) -> Check:
    """Whether the kernel lets one user watch the folders of this many cameras."""
    needed = {
        "max_user_watches": max(FEWEST_WATCHES, cameras * WATCHES_PER_CAMERA),
        "max_user_instances": FEWEST_INSTANCES,
    }
    for name, least in needed.items():
        limit = filesystems.inotify_limit(name)
        if limit < least:
            return Check(
                DEGRADED,
                f"fs.inotify.{name} is {limit}, so some folders may be read again and again "
                f"instead of watched. Raise it: sysctl -w fs.inotify.{name}={2 * least}; to keep "
                f"it after a restart, write fs.inotify.{name}={2 * least} into "
                "/etc/sysctl.d/nvr.conf.",
            )
    return Check(HEALTHY, "The kernel lets all cameras' folders be watched.")


def _check_base_path(base: str, threads: StorageThreads) -> Check:
    """Whether the folder can be read here, and by the service under its unit."""
    home = unit.read_unit().hides(base)
    if home:
        return Check(UNHEALTHY, unit.how_to_show(base, home))
    return check_base_path(base, threads)


def _check_integrity(path: str) -> Check:
    """Whether the database can be written and is not damaged."""
    found = check_database()
    if found.status != HEALTHY:
        return found
    if result := backup.damage(path):
        return Check(
            UNHEALTHY,
            f"The database is damaged ({result}). Stop the service, keep a copy of {path} and of "
            "the files whose names begin like it, and restore a backup.",
        )
    return Check(HEALTHY, "The database can be written and is not damaged.")


def _no_database(path: str) -> Check:
    """The doctor creates no database: the file would belong to the user who runs it."""
    return Check(HEALTHY, f"There is no database at {path} yet; the first start creates it.")


def _check_clock_with(guard: ClockGuard, now: datetime) -> Check:
    """The check of the clock, with the times in the database if that can be read."""
    found = health.check_clock(guard)
    try:
        last_entry = AuditEntry.last_timestamp()
    except peewee.DatabaseError:
        return found
    return found if found.status != HEALTHY else check_clock(now, last_entry)


def _prefixed(path: str, check: Check) -> Check:
    return check._replace(message=f"{path}: {check.message}")
