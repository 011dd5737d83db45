"""How does the service start, say that it lives, and stop?"""

import faulthandler
import logging
import signal
import sys
import time
from typing import NoReturn

from flask import Flask
from peewee import DatabaseError

from .. import clock, db, logs
from ..access.authorize import is_locked_out
from ..cli.prune import limits_of
from ..cli.tokens import command_to_create
from ..services.jobs import Job
from ..services.monitor import TICK_SECONDS
from ..services.retention import prune
from ..services.tokens import usage
from ..storage.folders import DRAIN_SECONDS
from .event_loop import EventLoop
from .process import notify, set_up

log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600
# How soon a token's first use shows.
USES_SECONDS = 60
SIGNALS = (signal.SIGTERM, signal.SIGINT)
# What was asked before the stop is answered within so many seconds; a change may wait
# `db.BUSY_SECONDS` for its turn.
ANSWER_SECONDS = 5.2
# All jobs together have so long to end; one that does not ends with the process.
STOP_JOBS_SECONDS = 0.5
# So long after the signal the process ends in any case, and the log shows what every thread did.
STOP_SECONDS = 7.0
# The loop waits at most so long before limits and deadlines are looked at.
TURN_SECONDS = 1.0
# systemd is told a few times per WatchdogSec= of the unit that requests are still answered.
WATCHDOG_SECONDS = 5.0


class StopRequest:
    """Whether a signal asked the process to stop.

    The handler takes no lock, which the main thread could hold: it sets a flag. What ends the
    loop's wait is the byte that the interpreter itself writes (signal.set_wakeup_fd).
    """

    def __init__(self, wakeup: int) -> None:
        self.is_made = False
        for number in SIGNALS:
            signal.signal(number, self._note)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)

    def _note(self, *_: object) -> None:
        self.is_made = True

    def begin_stop(self) -> None:
        """Ignore further signals, and end the process in `STOP_SECONDS` whatever happens."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        faulthandler.dump_traceback_later(STOP_SECONDS, exit=True)


def main(app: Flask) -> None:
    """Migrate, serve until SIGTERM or SIGINT, and leave the database closed."""
    logs.configure(app.config["NVR_LOG_LEVEL"])
    set_up(one_processor=app.config["NVR_ONE_PROCESSOR"] == "auto")
    loop = app.extensions["event_loop"] = _prepare(app)
    stop = StopRequest(loop.waker.sender.fileno())
    _announce(app, loop)
    jobs = start_jobs(app)
    _serve(loop, stop)
    stop.begin_stop()
    notify("STOPPING=1")
    for job in jobs:
        job.ask_to_stop()
    loop.close(ANSWER_SECONDS)
    deadline = time.monotonic() + STOP_JOBS_SECONDS
    for job in jobs:
        job.stop(max(0.0, deadline - time.monotonic()))
    db.close_all()
    log.info("stopped")
    faulthandler.cancel_dump_traceback_later()


def start_jobs(app: Flask) -> list[Job]:
    """What runs beside the requests, running."""
    limits = limits_of(app)
    monitor = app.extensions["monitor"]
    jobs = [
        Job("monitor", TICK_SECONDS, monitor.tick, monitor.close),
        Job("inotify", DRAIN_SECONDS, app.extensions["folders"].drain),
        Job("uses of tokens", USES_SECONDS, usage.write, usage.write),
    ]
    if limits:
        jobs.append(Job("retention", DAY_SECONDS, lambda: prune(limits, clock.now())))
    for job in jobs:
        job.start()
    return jobs


def _prepare(app: Flask) -> EventLoop:
    """A loop that listens, over a database of the newest schema; or one line, and the end."""
    host, port = app.config["NVR_HOST"], app.config["NVR_PORT"]
    try:
        db.migrate()
    except (db.NewerDatabase, db.InvalidDatabaseFile) as error:
        _refuse(str(error))
    except (OSError, DatabaseError, db.DatabaseBusy) as error:
        _refuse(f"the database {app.config['NVR_DATABASE_URL']} cannot be used: {error}")
    try:
        return EventLoop(app)
    except (OSError, ValueError) as error:
        _refuse(f"NVR_HOST={host} NVR_PORT={port} cannot be listened on: {error}")


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
        log.warning("nobody gets in before there is a token; type: %s", command_to_create(app))


def _serve(loop: EventLoop, stop: StopRequest) -> None:
    """Until a signal; tell systemd that it is ready, and then that requests are answered."""
    loop.start()
    notify("READY=1")
    told_at = 0.0
    while not stop.is_made:
        loop.turn(TURN_SECONDS)
        if time.monotonic() - told_at > WATCHDOG_SECONDS and loop.is_answering():
            told_at = time.monotonic()
            notify("WATCHDOG=1")
