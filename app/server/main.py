"""How does the service start and stop?"""

import logging
import signal
import sys
import threading
import time
from typing import NoReturn

from flask import Flask
from peewee import DatabaseError

from .. import clock, db, logs
from ..access.authorize import lets_nobody_in
from ..cli.prune import limits_of
from ..cli.tokens import command_to_create
from ..services.jobs import Job
from ..services.monitor import TICK_SECONDS
from ..services.retention import prune
from ..services.token_usage import uses
from ..storage.folders import DRAIN_SECONDS
from .event_loop import Reception
from .process import notify, set_up

log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600
# How soon a token's first use shows.
USES_SECONDS = 60
# What has been asked before the end is answered within so many seconds; one transaction may wait
# `db.BUSY_SECONDS` for its turn.
FAREWELL_SECONDS = 5.5
# A job that does not end meanwhile ends with the process.
STOP_JOB_SECONDS = 2.0
# systemd is told a few times per WatchdogSec= of the unit that requests are still answered.
WATCHDOG_SECONDS = 5.0


def main(app: Flask) -> None:
    """Migrate, serve until SIGTERM or SIGINT, and leave the database closed."""
    logs.configure(app.config["NVR_LOG_LEVEL"])
    set_up(one_processor=app.config["NVR_ONE_PROCESSOR"] == "auto")
    reception = _prepare(app)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (stopped.set(), reception.wake()))
    _announce(app, reception)
    jobs = start_jobs(app)
    _serve(reception, stopped)
    for job in jobs:
        job.ask_to_stop()
    reception.close(FAREWELL_SECONDS)
    for job in jobs:
        job.stop(STOP_JOB_SECONDS)
    db.close_all()
    log.info("stopped")


def _announce(app: Flask, reception: Reception) -> None:
    log.info(
        "serving http://%s base path %s database %s",
        " http://".join(_addresses(reception)),
        app.config["NVR_FOSCAM_BASE_PATH"],
        app.config["NVR_DATABASE_URL"],
    )
    if lets_nobody_in(app):
        log.warning("nobody gets in before there is a token; type: %s", command_to_create(app))


def _serve(reception: Reception, stopped: threading.Event) -> None:
    """Until ``stopped``; systemd hears of it, and that requests are answered."""
    reception.begin()
    notify("READY=1")
    told_at = 0.0
    while not stopped.is_set():
        reception.serve()
        if time.monotonic() - told_at > WATCHDOG_SECONDS and reception.fairness.answers():
            told_at = time.monotonic()
            notify("WATCHDOG=1")
    notify("STOPPING=1")


def start_jobs(app: Flask) -> list[Job]:
    """What runs beside the requests, running."""
    limits = limits_of(app)
    monitor = app.extensions["monitor"]
    jobs = [
        Job("monitor", TICK_SECONDS, monitor.tick, monitor.close),
        Job("inotify", DRAIN_SECONDS, app.extensions["folders"].drain),
        Job("uses of tokens", USES_SECONDS, uses.write, uses.write),
    ]
    if limits:
        jobs.append(Job("retention", DAY_SECONDS, lambda: prune(limits, clock.now())))
    for job in jobs:
        job.start()
    return jobs


def _prepare(app: Flask) -> Reception:
    """A reception that listens, over a database of the newest schema; or one line, and the end."""
    host, port = app.config["NVR_HOST"], app.config["NVR_PORT"]
    try:
        db.migrate()
    except (db.NewerDatabase, db.InvalidDatabaseFile) as error:
        _refuse(str(error))
    except (OSError, DatabaseError, db.DatabaseBusy) as error:
        _refuse(f"the database {app.config['NVR_DATABASE_URL']} cannot be used: {error}")
    try:
        return Reception(app)
    except (OSError, ValueError) as error:
        _refuse(f"NVR_HOST={host} NVR_PORT={port} cannot be listened on: {error}")


def _refuse(reason: str) -> NoReturn:
    sys.exit(logs.one_line(f"cannot start: {reason}"))


def _addresses(reception: Reception) -> list[str]:
    return [f"[{h}]:{p}" if ":" in h else f"{h}:{p}" for h, p in reception.addresses()]
