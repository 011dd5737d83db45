"""How does a test get the service without waiting for its imports? By a fork (forkserver).

The imports are two thirds of the time that a start takes. A process that has done them forks for
each server, and runs ``wsgi.py`` there, and for each command. Tests of the start itself use
`server.Server`.
"""

import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.e2e.server import PROJECT, Server

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["app.server.main"])


def start_forking() -> None:
    """Start the process that forks, unless it runs already."""
    forkserver.ensure_running()


class ForkedProcess:
    """A forked process with the methods of `subprocess.Popen` that `Server` calls."""

    def __init__(self, *args: Any) -> None:
        self._process = FORKING.Process(target=serve, args=args)
        self._process.start()
        self.pid = self._process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while the process runs."""
        if self.returncode is None:
            self.returncode = self._process.exitcode
            if self.returncode is not None:
                self._process.close()
        return self.returncode

    def wait(self, seconds: float | None = None) -> int:
        """The exit code of a process that ends in time."""
        if self.returncode is None:
            self._process.join(seconds)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("wsgi.py", seconds or 0)
        return code

    def send_signal(self, how: signal.Signals) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, how)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)


class ForkedServer(Server):
    """The same as `Server`, started faster; in its process ``fault``, Python code, runs first."""

    def __init__(self, folder: Path, fault: str = "", **settings: str) -> None:
        super().__init__(folder, **settings)
        self.fault = fault

    def start(self) -> None:
        """Start the process in a working directory that is not the project's; do not wait."""
        self.base.mkdir(parents=True, exist_ok=True)
        self.log_file.write_bytes(b"")
        self.process = ForkedProcess(self.folder, self.log_file, self.environ(), self.fault)

    def flask(self, *words: str) -> str:
        """What a command prints that is typed on the same box."""
        receiver, sender = FORKING.Pipe(duplex=False)
        command = FORKING.Process(target=run_flask, args=(sender, words, self.environ()))
        command.start()
        sender.close()
        with receiver, closing(command):
            printed = receiver.recv()
            command.join()
            assert command.exitcode == 0, words
        return printed


def serve(folder: Path, log: Path, environ: dict[str, str], fault: str) -> None:
    """Run ``wsgi.py`` in this process, with this environment, working directory and log."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    for path, descriptor in ((os.devnull, 0), (os.devnull, 1), (log, 2)):
        opened = os.open(path, os.O_RDWR | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    exec(fault, {})
    sys.argv = [str(PROJECT / "wsgi.py")]
    runpy.run_path(sys.argv[0], run_name="__main__")


def run_flask(sender: Connection, words: Sequence[str], environ: dict[str, str]) -> None:
    """Run a command of ``flask`` in this process, and send what it prints."""
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["flask", "--app", f"{PROJECT}/wsgi.py", *words]
    with redirect_stdout(io.StringIO()) as printed:
        try:
            runpy.run_module("flask", run_name="__main__", alter_sys=True)
        finally:
            sender.send(printed.getvalue())
