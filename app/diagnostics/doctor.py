"""What on this box keeps the service from working, and what should a person do about it?

Looks from a process of its own, with the rights of whoever runs it. Changes nothing.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import peewee

from .. import clock
from ..models import Row, fetch
from ..services.health import DEGRADED, HEALTHY, UNHEALTHY, Check, base_path, database, free_space
from ..services.stats import existing
from ..storage import kernel
from .folder_advice import OBSTACLES, service_user

# As Linux grants them to a user by default on small boxes (inotify(7)).
FEWEST_WATCHES = 8192
# What the service itself needs beside one instance for each camera.
SPARE_INSTANCES = 8
# How many checks `look` makes.
OF_THE_BOX = 7
# Before this the clock cannot be: the service did not exist.
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)


def look(base: str, path: str, cameras: int, now: datetime) -> Iterator[tuple[str, Check]]:
    """Each check by its name; ``path`` is the database's file."""
    there = Path(path).exists()
    yield "base path", _of(base, base_path(base))
    yield "permissions", permissions(path)
    yield "database", _database(path) if there else no_database(path)
    yield "free space", _of(base, free_space(base))
    yield "free space of the database", _of(path, free_space(existing(path)))
    yield "clock", time_of_day(now, _last_entry() if there else None)
    yield "inotify", inotify(cameras)


def permissions(path: str) -> Check:
    """Whether these are the rights that the service has."""
    there = existing(path)
    if os.stat(there).st_uid != os.geteuid() and there == path:
        return Check(
            DEGRADED,
            f"This is {service_user()}, but the database {path} is somebody else's, and so is "
            "probably the service: what holds here may not hold there. Run the doctor as the "
            "service's user.",
        )
    if not os.access(there, os.W_OK):
        return Check(
            UNHEALTHY,
            f"{service_user()} may not write to {there}. Give it to the service's user with "
            "chown, or set NVR_DATABASE_URL to a file in a folder of its own.",
        )
    return Check(HEALTHY, f"{service_user()} may write to {there}.")


def no_database(path: str) -> Check:
    """Nothing is made here: it would belong to whoever runs the doctor."""
    return Check(HEALTHY, f"There is no database at {path} yet; the first start makes it.")


def _database(path: str) -> Check:
    """Whether it can be written and holds together."""
    found = database()
    if found.status != HEALTHY:
        return found
    try:
        verdict = fetch("PRAGMA quick_check(1)", ())[0]["quick_check"]
    except peewee.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        return Check(
            UNHEALTHY,
            f"The database is damaged ({verdict}). Stop the service, keep {path} and what begins "
            "like it, and restore a backup.",
        )
    return Check(HEALTHY, "The database can be written and holds together.")


def time_of_day(now: datetime, last_entry: str | None) -> Check:
    """Whether the clock can be right: it ran on since the last entry, and somebody sets it."""
    if now < EARLIEST or clock.rfc3339(now) < (last_entry or ""):
        since = last_entry if now >= EARLIEST else clock.rfc3339(EARLIEST)
        return Check(
            UNHEALTHY,
            f"The clock says {clock.rfc3339(now)}, but it was {since} already. Set it, and let "
            "NTP keep it: timedatectl set-ntp true.",
        )
    if not kernel.keeps_time():
        return Check(
            DEGRADED,
            "Nobody keeps the clock right. Let NTP do it: timedatectl set-ntp true. Pictures are "
            "ordered by time.",
        )
    return Check(HEALTHY, "NTP keeps the clock right.")


def inotify(cameras: int) -> Check:
    """Whether the kernel lets one user watch so many cameras."""
    needed = {
        "max_user_watches": FEWEST_WATCHES,
        "max_user_instances": cameras + SPARE_INSTANCES,
    }
    for name, least in needed.items():
        limit = kernel.inotify_limit(name)
        if limit < least:
            return Check(
                DEGRADED,
                f"fs.inotify.{name} is {limit}, so some folders may be read again and again "
                f"instead of watched. Raise it: sysctl -w fs.inotify.{name}={2 * least}; to keep "
                "it so, put the same without sysctl -w into /etc/sysctl.d/nvr.conf.",
            )
    return Check(HEALTHY, "The kernel lets all cameras' folders be watched.")


def of_camera(problems: list[Row]) -> Check:
    """What `diagnosis` says of a camera, as one check."""
    if not problems:
        return Check(HEALTHY, "Its folder can be read and shows what it uploads.")
    blocked = any(problem["code"] in OBSTACLES for problem in problems)
    message = " ".join(problem["message"] for problem in problems)
    return Check(UNHEALTHY if blocked else DEGRADED, message)


def _of(path: str, check: Check) -> Check:
    return check._replace(message=f"{path}: {check.message}")


def _last_entry() -> str | None:
    try:
        return str(fetch("SELECT max(timestamp) AS last FROM audit_entry", ())[0]["last"] or "")
    except peewee.DatabaseError:
        return None
