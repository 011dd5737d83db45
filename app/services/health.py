"""Can the service do its work? Each check returns a status and a message on what to do."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import peewee

from .. import db, unit
from ..layout import START
from ..models import Secret
from ..storage import safe_open
from ..storage.folders import Folders
from ..storage.mount_threads import StorageThreads
from ..storage.watches import with_remedy
from .clock_guard import ClockGuard, ClockImplausible

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
# How long a request for the health waits for another write, in seconds.
PATIENCE_SECONDS = 0.1
# With less free space than this, in bytes, the cameras' next uploads may fail.
LITTLE_SPACE = 256 * 1024 * 1024
# The least days with room, and the least free share of the disk where nothing is
# uploaded and no limit is set.
FEW_DAYS, SMALL_SHARE = 3, 0.05
# From here on a sentence does not name the number of days.
MANY_DAYS = 3653
LIMIT_ADVICE = "set a limit: keep_days, keep_bytes or keep_free_bytes of /api/settings"
# A tick of the monitor that takes longer than this, in seconds, hangs: one is due every second.
HANGING_SECONDS = 60
# How long a failure of the event loop is reported as degraded, in seconds.
RECENT_FAILURE_SECONDS = 600


class Check(NamedTuple):
    status: str
    message: str


class Room(NamedTuple):
    """For how many days there is room for pictures, None where no end is foreseen, and whether the
    box has a limit in force that keeps the disk from filling.
    """

    days_left: float | None = None
    has_limit: bool = True


class Pulse(NamedTuple):
    """The state of the monitor.

    ``seconds_since_tick``: since its last tick began, None before the first; ``leads``: whether
    this process is the leader; ``faulty``: whether the last tick failed; ``failing``: for how many
    cameras it fails; ``failures``: of all kinds, since the start.
    """

    seconds_since_tick: float | None = None
    leads: bool = False
    faulty: bool = False
    failing: int = 0
    failures: int = 0


class ServerPulse(NamedTuple):
    """The state of the event loop.

    ``answers``: whether waiting requests are answered; ``failures``: how often the loop has
    failed since the start; ``seconds_since_failure``: since the last time.
    """

    answers: bool = True
    failures: int = 0
    seconds_since_failure: float = float("inf")


# For any other WSGI server, whose state is unknown.
OTHER_SERVER = ServerPulse()


def check_database() -> Check:
    """Whether the database can be written; the check itself writes nothing to the disk.

    BEGIN IMMEDIATE alone succeeds on a file that was opened read-only; a change of no row fails.
    """
    try:
        db.migrate()
        db.writer.run(Secret.write_nothing, patience=PATIENCE_SECONDS)
    except db.DatabaseBusy:
        return Check(DEGRADED, "The database is busy with another write; this may pass.")
    except (peewee.DatabaseError, db.NewerDatabase, db.InvalidDatabaseFile, OSError):
        return Check(
            UNHEALTHY,
            "The database cannot be written. Check that its disk is there and not full, and that "
            "the service may write to the file and its folder.",
        )
    return Check(HEALTHY, "The database can be written.")


def check_base_path(base: str, threads: StorageThreads) -> Check:
    """Whether the folder of the cameras' folders can be listed."""
    try:
        threads.ask(lambda: os.close(safe_open.open_folder(base, base)), base)
    except safe_open.StorageNotAnswering:
        return Check(
            UNHEALTHY,
            "The storage that the base path of the uploads lies on does not answer. Check the "
            "disk, the network and the server; the service notices when it answers again.",
        )
    except (safe_open.FolderNotFound, safe_open.OutsideBase):
        if home := unit.hidden_by_home(base):
            return Check(UNHEALTHY, unit.how_to_show(base, home))
        return Check(
            UNHEALTHY,
            "The base path of the uploads is missing or cannot be read. Create or mount it, and "
            "let the service's user read it.",
        )
    return Check(HEALTHY, "The base path of the uploads can be read.")


def check_storage(
    path: str, threads: StorageThreads, find_room: Callable[[], Room] = Room
) -> Check:
    """Whether there is room for more files, now and in the next days."""
    try:
        system = threads.ask(lambda: os.statvfs(path), path)
    except safe_open.StorageNotAnswering:
        return Check(DEGRADED, "The free space is unknown while the storage does not answer.")
    except OSError:
        return Check(DEGRADED, "The free space is unknown while the base path is missing.")
    try:
        room = find_room()
    except (peewee.PeeweeException, OSError):
        room = Room()  # another check says that the database cannot be read
    free = system.f_bavail * system.f_frsize
    usable = (system.f_blocks - system.f_bfree + system.f_bavail) * system.f_frsize
    return _judge_room(free, usable, room)


def days_in_words(days: float) -> str:
    """The number of days, or that they are very many."""
    return "more than 10 years" if days > MANY_DAYS else f"{days:.1f} days"


def _judge_room(free: int, usable: int, room: Room) -> Check:
    left, mib = room.days_left, f"{free // 2**20} MiB are free"
    days = "" if left is None else f", enough for {days_in_words(left)}"
    if free < LITTLE_SPACE:
        return Check(DEGRADED, f"Only {mib}{days}. Delete old pictures, or {LIMIT_ADVICE}.")
    if left is not None and left < FEW_DAYS:
        return Check(
            DEGRADED,
            f"{mib}{days} at the cameras' present rate. To let the service delete old pictures, "
            f"{LIMIT_ADVICE}; or delete pictures, or use a larger disk.",
        )
    if left is None and not room.has_limit and free < SMALL_SHARE * usable:
        share = f"{free / usable:.1%} of the disk"
        return Check(DEGRADED, f"Only {mib}, {share}. Delete old files, or {LIMIT_ADVICE}.")
    return Check(HEALTHY, f"{mib} for uploads{days}.")


def check_storage_answering(not_answering: Sequence[str]) -> Check:
    """Whether all storage answers; ``not_answering``: the mounts that do not."""
    if not_answering:
        return Check(
            DEGRADED,
            f"Storage that does not answer: {', '.join(not_answering)}. The cameras that upload "
            "there show nothing meanwhile, all others do. Check the disk, the network and the "
            "server that it lies on; the service notices by itself when it answers again.",
        )
    return Check(HEALTHY, "All storage in use answers.")


def check_watcher(folders: Folders) -> Check:
    """How new pictures are noticed."""
    if not folders.watch:
        return Check(HEALTHY, "NVR_WATCH=off: the folders are read instead of watched.")
    if polling := folders.polling():
        return Check(
            DEGRADED,
            f"Folders that are read again and again instead of watched: {len(polling)} "
            f"({'; '.join(sorted(set(map(with_remedy, polling))))}).",
        )
    return Check(HEALTHY, "The kernel reports new pictures in all folders in use (inotify).")


def check_monitor(pulse: Pulse) -> Check:
    """Whether some process updates ``last_seen_at`` and ``status`` when the cameras upload."""
    if trouble := _monitor_trouble(pulse):
        return Check(DEGRADED, trouble)
    if not pulse.leads:
        return Check(HEALTHY, "Another process on this database monitors the uploads.")
    past = f" It has failed {pulse.failures} times since the start." if pulse.failures else ""
    return Check(HEALTHY, f"The monitor checks the uploads of all cameras.{past}")


def _monitor_trouble(pulse: Pulse) -> str | None:
    seconds = pulse.seconds_since_tick
    if seconds is None and not db.leader_lock_is_held():
        return (
            "No process monitors the uploads, so last_seen_at and status do not change. "
            f"Run {START} itself; under another WSGI server the service only answers requests."
        )
    if seconds is not None and seconds > HANGING_SECONDS:
        return (
            f"The monitor has not finished its round for {int(seconds)} seconds: a disk or a "
            "network folder may not answer. Check the mounts, then restart the service."
        )
    if pulse.faulty or pulse.failing:
        what = "" if pulse.faulty else f" for {pulse.failing} of the cameras"
        return (
            f"The monitor fails{what}; {pulse.failures} failures since the start. The service's "
            "log says why. The monitor tries again every second."
        )
    return None


def check_clock(guard: ClockGuard) -> Check:
    """Whether the clock is plausible; while it is not, nothing is deleted by its age."""
    try:
        guard.check()
    except ClockImplausible as implausible:
        return Check(DEGRADED, str(implausible))
    except (peewee.PeeweeException, OSError):
        return Check(DEGRADED, "The stored times cannot be read from the database.")
    return Check(HEALTHY, "The clock is plausible.")


def check_server(pulse: ServerPulse) -> Check:
    """Whether requests are answered and the event loop has not failed recently."""
    if not pulse.answers:
        return Check(
            DEGRADED,
            "Requests wait, but no worker thread answers them. If this lasts, restart the "
            "service.",
        )
    past = f" The event loop has failed {pulse.failures} times since the start."
    if pulse.seconds_since_failure < RECENT_FAILURE_SECONDS:
        return Check(DEGRADED, f"Requests are answered.{past} The service's log says why.")
    return Check(HEALTHY, f"Requests are answered.{past if pulse.failures else ''}")


def combine(*checks: Check) -> Check:
    """Several checks as one, with the worst status and all sentences."""
    return Check(worst(*checks), " ".join(check.message for check in checks))


def worst(*checks: Check) -> str:
    return max((check.status for check in checks), key=[HEALTHY, DEGRADED, UNHEALTHY].index)
