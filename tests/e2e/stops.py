"""Starts the service many times and stops it at any moment under load; prints what went wrong.

``python -m tests.e2e.stops COUNT FOLDER``. The app is made once, and each service is a forked
process that runs `app.server.main.main`, so that a start takes milliseconds.
"""

import os
import random
import re
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from flask import Flask

from app import create_app
from app.server import main

STOP_SECONDS = 8
# What Python writes where a signal arrives in the microsecond in which `signal.signal` lets it be
# ignored (CPython, Modules/signalmodule.c). It is ignored, and nothing has failed.
IGNORED = re.compile(
    r"Traceback \(most recent call last\):\n(?:  .*\n)+"
    r"OSError: Signal \d+ ignored due to race condition\n"
)
CLIENTS = 8
REQUESTS = (
    b"GET /api/cameras HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api/cameras HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 38\r\n\r\n{"name": "a", "folder_path": "a b c "}',
    b"POST /api/cameras HTTP/1.1\r\nHost: localhost\r\nContent-Le",
)


def start_service(app: Flask, log: Path) -> int:
    """The process id of a service that writes its log there."""
    if pid := os.fork():
        return pid
    with log.open("wb") as out:
        os.dup2(out.fileno(), 2)
    code = 1
    try:
        main.main(app)
        code = 0
    finally:
        os._exit(code)


def start_load(port: int) -> int:
    """The process id of clients that send requests until no service answers."""
    if pid := os.fork():
        return pid
    with suppress(OSError):
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS)]
        while True:
            for client in clients:
                client.sendall(
                    random.choice(REQUESTS[:3] if client is not clients[0] else REQUESTS)
                )
            for client in clients[1:]:
                client.recv(65536)
    os._exit(0)


def wait_for_port(log: Path) -> int:
    """The port that a service says that it listens on."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := re.search(
            r"serving http://\S+:(\d+) ", log.read_text() if log.exists() else ""
        ):
            return int(found[1])
        time.sleep(0.001)
    raise TimeoutError(log.read_text())


def wait_for_end(pid: int) -> int | None:
    """The exit code of a process, negative for a signal; None where it outlives its time."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def stop_once(app: Flask, log: Path) -> tuple[int | None, float]:
    """Stop a service under load at any moment, mostly by two signals; its code and seconds."""
    log.unlink(missing_ok=True)
    service = start_service(app, log)
    load = start_load(wait_for_port(log))
    time.sleep(random.choice((0, random.uniform(0, 0.05), random.uniform(0, 0.3))))
    os.kill(service, random.choice((signal.SIGTERM, signal.SIGINT)))
    for _ in range(random.randrange(3)):
        time.sleep(random.choice((0, random.uniform(0, 0.05))))
        with suppress(ProcessLookupError):
            os.kill(service, random.choice((signal.SIGTERM, signal.SIGINT)))
    began = time.monotonic()
    code = wait_for_end(service)
    seconds = time.monotonic() - began
    os.kill(load, signal.SIGKILL)
    os.waitpid(load, 0)
    return code, seconds


def run(count: int, folder: Path) -> int:
    """Stop ``count`` services; return how many did not end in time with code 0."""
    app = create_app(
        {
            "NVR_FOSCAM_BASE_PATH": str(folder),
            "NVR_DATABASE_URL": f"sqlite:///{folder}/nvr.db",
            "NVR_PORT": "0",
            "NVR_CLIENT_SECONDS": "2",
        }
    )
    log, failed, longest = folder / "stderr.log", 0, 0.0
    for number in range(count):
        code, seconds = stop_once(app, log)
        longest = max(longest, seconds)
        text = IGNORED.sub("", log.read_text())
        if code != 0 or "Traceback" in text:
            failed += 1
            print(f"stop {number}: exit code {code}\n{text}")
    print(f"the longest of {count} stops took {longest:.1f} s")
    return failed


if __name__ == "__main__":
    sys.exit(min(1, run(int(sys.argv[1]), Path(sys.argv[2]))))
