"""How do requests come off the wire? By waitress, its own refusals in the one error shape too."""

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import time
from http import HTTPStatus
from typing import Any, NoReturn

import orjson
from flask import Flask
from peewee import DatabaseError
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, WSGITask

from app import clock, db, logs
from app.auth import lets_nobody_in
from app.background import Job
from app.checkpoint import INTERVAL_SECONDS, checkpoint
from app.cli.prune import limits_of
from app.cli.tokens import command_to_create
from app.headers import EVERY, POLICY
from app.monitor import TICK_SECONDS
from app.problems import CONTENT_TYPE, PROBLEMS
from app.retention import prune
from app.uses import uses
from app.workers import Workers

log = logging.getLogger(__name__)

# What waitress refuses before the app sees it. 501 is its answer to a transfer coding other than
# chunked: the client's fault, so 400 here.
REFUSALS = {413: "payload_too_large", 431: "headers_too_large", 500: "internal_error"}
# Room for the framing of a chunked body, which waitress counts with the body itself.
FRAMING_BYTES = 64 * 1024
LINGER_SECONDS = 5
DAY_SECONDS = 24 * 3600
# How soon a token's first use shows.
USES_SECONDS = 60
# malloc.h of glibc.
M_ARENA_MAX = -8


class Refusal(ErrorTask):
    """The answer to what is not a request that the app can be given."""

    def execute(self) -> None:
        """Write the problem and close; the client may still be sending meanwhile."""
        problem = PROBLEMS[REFUSALS.get(self.request.error.code, "bad_request")]
        body = orjson.dumps(problem.body(), option=orjson.OPT_APPEND_NEWLINE)
        self.status = f"{problem.status} {HTTPStatus(problem.status).phrase}"
        self.response_headers += [("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store")]
        self.response_headers += [*EVERY, POLICY]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.channel.refused = True
        self.write(b"" if getattr(self.request, "command", "") == "HEAD" else body)


class Answer(WSGITask):
    """The app's answer to a request."""

    def get_environment(self) -> dict[str, Any]:
        """What the app is told; a host in the target is the one that is asked.

        The Host header is ignored beside it (RFC 9112, section 3.2.2).
        """
        environ: dict[str, Any] = super().get_environment()
        if self.request.proxy_netloc:
            environ["HTTP_HOST"] = self.request.proxy_netloc
        return environ

    def set_close_on_finish(self) -> None:
        """Close afterwards, but not for want of a Content-Length where there is no body.

        204 and 304 end with their headers (RFC 9112, section 6.3); waitress would make every
        client that is told «not modified» connect anew.
        """
        wants_close = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or wants_close or self.version == "1.0":
            super().set_close_on_finish()


class Channel(HTTPChannel):
    """A connection that, after a refusal, takes what the client still sends for a few seconds.

    Closing a socket with unread data makes the kernel send RST, and the client would lose the
    answer that tells it why (RFC 9112, section 9.6).
    """

    task_class = Answer
    error_task_class = Refusal
    refused = False
    lingers_until = 0.0

    def handle_close(self) -> None:
        """Close, or first stop sending and wait for the client to notice."""
        if not self.refused or self.lingers_until:
            super().handle_close()
            return
        self.lingers_until = time.monotonic() + LINGER_SECONDS
        self.will_close = False
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            super().handle_close()

    def readable(self) -> bool:
        """Whether to be told of data; while lingering always."""
        return bool(self.lingers_until) or super().readable()

    def handle_read(self) -> None:
        """Read; while lingering only to throw it away."""
        if not self.lingers_until:
            super().handle_read()
        elif not self._discard() or time.monotonic() > self.lingers_until:
            self.handle_close()

    def _discard(self) -> bytes:
        try:
            return bytes(self.recv(self.adj.recv_bytes))
        except OSError:
            return b""


def listen(app: Flask) -> Any:
    """A waitress server for ``app`` that listens already; raises `OSError` where it cannot."""
    host, body_bytes = app.config["NVR_HOST"], app.config["NVR_MAX_BODY_BYTES"]
    sockets: dict[int, Any] = {}
    server = create_server(
        app,
        map=sockets,
        listen=f"{f'[{host}]' if ':' in host else host}:{app.config['NVR_PORT']}",
        _dispatcher=Workers(app.config["NVR_THREADS"]),
        ident=None,
        # `proxies` says whom to believe.
        clear_untrusted_proxy_headers=False,
        max_request_body_size=body_bytes + FRAMING_BYTES,
        # Bodies and pictures stay in memory: a temporary file would wear the SD card.
        inbuf_overflow=body_bytes + FRAMING_BYTES + 1,
        outbuf_overflow=2 * app.config["NVR_MAX_PICTURE_BYTES"],
    )
    for dispatcher in sockets.values():
        if isinstance(dispatcher, BaseWSGIServer):
            dispatcher.channel_class = Channel
    return server


def main(app: Flask) -> None:
    """Migrate, serve until SIGTERM or SIGINT, and leave the database closed."""
    logs.configure(app.config["NVR_LOG_LEVEL"])
    _share_one_heap()
    server = _prepare(app)
    signal.signal(signal.SIGTERM, _stop)
    log.info(
        "serving http://%s base path %s database %s",
        " http://".join(_addresses(server)),
        app.config["NVR_FOSCAM_BASE_PATH"],
        app.config["NVR_DATABASE_URL"],
    )
    if lets_nobody_in(app):
        log.warning("nobody gets in before there is a token; type: %s", command_to_create(app))
    # The interpreter runs one thread at a time; on two processors they fight for its lock: a
    # snapshot cost 0.63 ms of CPU there and costs 0.55 ms on one (make bench).
    with contextlib.suppress(PermissionError):  # of a sandbox: slower, nothing else
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    jobs = start_jobs(app)
    # What was made up to here stays: the collector need not look at it with every request.
    gc.collect()
    gc.freeze()
    server.run()
    for job in jobs:
        job.stop()
    db.database.close()
    log.info("stopped")


def _share_one_heap() -> None:
    """For all threads, of which one runs at a time; before the first of them begins (mallopt(3)).

    Each thread's own would keep what it needed once, 9 MiB to make a 1080p picture smaller.
    """
    with contextlib.suppress(AttributeError):  # of musl, which has one anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def start_jobs(app: Flask) -> list[Job]:
    """What runs beside the requests, running."""
    limits = limits_of(app)
    monitor = app.extensions["monitor"]
    jobs = [
        Job("monitor", TICK_SECONDS, monitor.tick, monitor.close),
        Job("checkpoint", INTERVAL_SECONDS, checkpoint),
        Job("uses of tokens", USES_SECONDS, uses.write, uses.write),
    ]
    if limits:
        jobs.append(Job("retention", DAY_SECONDS, lambda: prune(limits, clock.now())))
    for job in jobs:
        job.start()
    return jobs


def _prepare(app: Flask) -> Any:
    """A server that listens, over a database of the newest schema; or one line, and the end."""
    host, port = app.config["NVR_HOST"], app.config["NVR_PORT"]
    try:
        db.migrate()
    except db.NewerDatabase as error:
        _refuse(str(error))
    except (OSError, DatabaseError) as error:
        _refuse(f"the database {app.config['NVR_DATABASE_URL']} cannot be used: {error}")
    try:
        return listen(app)
    except (OSError, ValueError) as error:
        _refuse(f"NVR_HOST={host} NVR_PORT={port} cannot be listened on: {error}")


def _refuse(reason: str) -> NoReturn:
    sys.exit(logs.one_line(f"cannot start: {reason}"))


def _addresses(server: Any) -> list[str]:
    listening = getattr(server, "effective_listen", None) or [
        (server.effective_host, server.effective_port)
    ]
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in listening]


def _stop(*_: object) -> NoReturn:
    raise SystemExit
