"""How does a test get the service without waiting for its imports? By a fork (forkserver).

The imports are two thirds of the time that a start takes. A process that has done them forks for
each server and runs ``wsgi.py`` there. Tests of the start itself use `server.Server`.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from multiprocessing import forkserver
from pathlib import Path

from tests.e2e.server import PROJECT, Server

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["app.server.main"])


def start_forking() -> None:
    """Start the process that forks, unless it runs already."""
    forkserver.ensure_running()


class ForkedProcess:
    """A forked process with the methods of `subprocess.Popen` that `Server` calls."""

    def __init__(self, folder: Path, log: Path, environ: dict[str, str]) -> None:
        self._process = FORKING.Process(target=serve, args=(folder, log, environ))
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
    """The same as `Server`, without a wrapper, and started faster."""

    def start(self) -> None:
        """Start the process in a working directory that is not the project's; do not wait."""
        self.base.mkdir(parents=True, exist_ok=True)
        self.log_file.write_bytes(b"")
        self.process = ForkedProcess(self.folder, self.log_file, self.environ())


def serve(folder: Path, log: Path, environ: dict[str, str]) -> None:
    """Run ``wsgi.py`` in this process, with this environment, working directory and log."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    for path, descriptor in ((os.devnull, 0), (os.devnull, 1), (log, 2)):
        opened = os.open(path, os.O_RDWR | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = [str(PROJECT / "wsgi.py")]
    runpy.run_path(sys.argv[0], run_name="__main__")
