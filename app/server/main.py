"""How does the service start, tune its process, notify systemd, and stop?"""

import contextlib
import ctypes
import faulthandler
import importlib
import importlib.metadata
import logging
import os
import shlex
import signal
import socket
import sys
import time
from functools import partial
from typing import NoReturn

from flask import Flask
from peewee import DatabaseError

from .. import db, installation, layout, logs, unit
from ..access.authorize import is_locked_out
from ..cli.tokens import command_to_create
from ..config import MIB
from ..pictures import index
from ..services.clock_guard import FOLLOW_SECONDS
from ..services.jobs import Job
from ..services.retention import CHANGE_SECONDS, Pruning
from ..services.tokens import usage
from ..storage.folders import DRAIN_SECONDS
from .event_loop import EventLoop

log = logging.getLogger(__name__)

# The pause between two turns of MQTT, each of which waits for the broker itself, in seconds.
MQTT_SECONDS = 0.05
# How often the last uses of tokens are written, in seconds.
USAGE_SECONDS = 60
SIGNALS = (signal.SIGTERM, signal.SIGINT)
# How long the service answers requests that came before the stop; a change may wait for the
# database for `BUSY_SECONDS`.
ANSWER_SECONDS = 5.2
# How long all jobs together have to end; one that takes longer ends with the process.
STOP_JOBS_SECONDS = 0.5
# The process ends this long after the signal in any case, and the log shows what every thread did.
STOP_SECONDS = 7.0
# The loop waits at most this long before limits and deadlines are checked.
TURN_SECONDS = 1.0
# systemd is notified several times per WatchdogSec= of the unit while requests are answered.
WATCHDOG_SECONDS = 5.0
# mallopt(3): M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of glibc's malloc.h.
MALLOPT = {-8: 1, -3: MIB, -1: 4 * MIB}
# How long a thread may keep the interpreter from one that waits for it. With Python's 5 ms, reads
# beside 200 detections a second took 1.7 to 1.9 times as long as idle (99th percentile), with
# this 1.3 to 1.5 times. The interpreter runs one thread at a time; threads on two processors
# contend for its lock, and 8 clients got half as many answers. So all stay on one.
SWITCH_SECONDS = 0.001


class StopRequest:
    """Whether a signal asked the process to stop.

    The handler only sets a flag, because the main thread may hold a lock that the handler would
    need. The byte that the interpreter writes into ``wakeup`` ends the loop's wait
    (signal.set_wakeup_fd).
    """

    is_made = False

    def __init__(self, wakeup: int) -> None:
        for number in SIGNALS:
            signal.signal(number, lambda *_: setattr(self, "is_made", True))
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)

    def begin_stop(self) -> None:
        """Ignore further signals, and end the process in `STOP_SECONDS` whatever happens."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        faulthandler.dump_traceback_later(STOP_SECONDS, exit=True)


def main(app: Flask) -> None:
    """Migrate, serve until SIGTERM or SIGINT, and leave the database closed."""
    logs.configure(app.config["NVR_LOG_LEVEL"])
    tune_process(one_processor=app.config["NVR_ONE_PROCESSOR"] == "auto")
    loop = app.extensions["event_loop"] = _prepare(app)
    stop = StopRequest(loop.wakeup_descriptor())
    installation.write_record(app.config)
    _announce(app, loop)
    jobs = start_jobs(app)
    _serve(loop, stop)
    stop.begin_stop()
    notify("STOPPING=1")
    for job in jobs:
        job.ask_to_stop()
    app.extensions["pruner"].stop()
    app.extensions["pictures"].stop()
    loop.close(ANSWER_SECONDS)
    deadline = time.monotonic() + STOP_JOBS_SECONDS
    for job in jobs:
        job.stop(max(0.0, deadline - time.monotonic()))
    db.close_all(are_threads_over=not any(job.is_alive() for job in jobs))
    log.info("stopped")
    faulthandler.cancel_dump_traceback_later()


def start_jobs(app: Flask) -> list[Job]:
    monitor, guard = app.extensions["monitor"], app.extensions["clock_guard"]
    pictures, deliveries = app.extensions["pictures"], app.extensions["deliveries"]
    pruner = app.extensions["pruner"]
    with contextlib.suppress(OSError, DatabaseError, db.DatabaseBusy):  # the jobs try again
        if monitor.lead():
            guard.follow()  # clears the record of an earlier process before the first request
    jobs = [
        Job("monitor", monitor.tick_seconds, monitor.tick, monitor.close),
        # Deliveries have no job of their own, because most boxes have no notifications.
        Job("clock and deliveries", FOLLOW_SECONDS, partial(_follow, app), deliveries.close),
        Job("inotify", DRAIN_SECONDS, monitor.read_overwritten),
        Job("pictures", index.TICK_SECONDS, pictures.tick, pictures.close),
        Job("usage of tokens", USAGE_SECONDS, usage.write, usage.write),
        Job("retention", CHANGE_SECONDS, Pruning(app.extensions["settings"], guard).run_if_due),
        Job("retention of pictures", CHANGE_SECONDS, pruner.run_if_due, pruner.close),
    ]
    if publisher := app.extensions.get("mqtt"):
        jobs.append(Job("mqtt", MQTT_SECONDS, publisher.tick, publisher.close))
    deliveries.start()
    for job in jobs:
        job.start()
    return jobs


def _follow(app: Flask) -> None:
    """Follow the clock, and begin the deliveries that are due."""
    try:
        if app.extensions["monitor"].leads:
            app.extensions["clock_guard"].follow()
    finally:
        app.extensions["deliveries"].tick()


def _prepare(app: Flask) -> EventLoop:
    """Migrate and listen; where that fails, print one line and end the process."""
    host, port = app.config["NVR_HOST"], app.config["NVR_PORT"]
    try:
        db.migrate()
    except (db.NewerDatabase, db.InvalidDatabaseFile) as error:
        _refuse(str(error))
    except (OSError, DatabaseError, db.DatabaseBusy) as error:
        path, is_os_error = app.config["NVR_DATABASE_URL"], isinstance(error, OSError)
        remedy = unit.how_to_write(path) if is_os_error else ""
        _refuse(f"the database {path} cannot be used: {error}{remedy}")
    try:
        loop = EventLoop(app)
    except (OSError, ValueError) as error:
        _refuse(f"NVR_HOST={host} NVR_PORT={port} cannot be listened on: {error}")
    app.config["NVR_PORT"] = int(loop.addresses()[0][1])
    if app.config["NVR_MQTT_URL"]:
        _prepare_mqtt(app)
    return loop


def _prepare_mqtt(app: Flask) -> None:
    """Make the publisher; where that fails, print one line and end the process.

    The import is here, so that a service without a broker does not spend memory on it.
    """
    try:
        importlib.import_module("..mqtt.publisher", __package__).init_app(app)
    except ModuleNotFoundError as error:
        command = shlex.join((sys.executable, "-m", "pip", "install", *_what_mqtt_needs()))
        _refuse(f"NVR_MQTT_URL needs the extra mqtt ({error}); type: {command}")
    except OSError as error:
        _refuse(f"NVR_MQTT_CA_FILE={app.config['NVR_MQTT_CA_FILE']} cannot be used: {error}")


def _what_mqtt_needs() -> list[str]:
    """What pip is to install: the extra of the checkout, or the packages that the wheel lists."""
    if not layout.IS_INSTALLED:
        return ["-e", f"{layout.PROJECT}[mqtt]"]
    listed = importlib.metadata.requires(layout.NAME) or []
    needed = (each.partition(";") for each in listed if each.endswith('extra == "mqtt"'))
    return [name.strip() for name, _, _ in needed]


def _refuse(reason: str) -> NoReturn:
    sys.exit(logs.one_line(f"cannot start: {reason}"))


def _announce(app: Flask, loop: EventLoop) -> None:
    log.info(
        "serving http://%s base path %s database %s",
        " http://".join(f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in loop.addresses()),
        app.config["NVR_FOSCAM_BASE_PATH"],
        app.config["NVR_DATABASE_URL"],
    )
    if is_locked_out(app):
        log.warning(
            "every request is refused until there is a token; type: %s", command_to_create(app)
        )


def _serve(loop: EventLoop, stop: StopRequest) -> None:
    """Serve until a signal, and tell systemd when it is ready and that requests are answered."""
    loop.start()
    notify("READY=1")
    told_at = 0.0
    while not stop.is_made:
        loop.turn(TURN_SECONDS)
        if time.monotonic() - told_at > WATCHDOG_SECONDS and loop.is_answering():
            told_at = time.monotonic()
            notify("WATCHDOG=1")


def tune_process(one_processor: bool) -> None:
    """Tune interpreter, memory and processors; call it before the first thread begins.

    All threads share one heap: with a heap each, a thread would keep memory that it needed only
    once, such as 9 MiB to resize a 1080p picture. Freed blocks of 1 MiB go back to the system: by
    default those of up to 32 MiB are kept, and 8 clients that read nothing drove the peak to 300
    MiB instead of 221.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    with contextlib.suppress(AttributeError):  # of musl, which keeps little anyway
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in MALLOPT.items():
            mallopt(parameter, value)
    if one_processor:
        with contextlib.suppress(PermissionError):  # of a sandbox: slower, nothing else
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def notify(state: str) -> None:
    """Send systemd one datagram (sd_notify(3)), where it waits for one.

    ``state``: ``READY=1``, ``WATCHDOG=1`` or ``STOPPING=1``.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    # A leading @ stands for the NUL of Linux' abstract names.
    address = f"\0{path[1:]}" if path[0] == "@" else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(state.encode(), address)
