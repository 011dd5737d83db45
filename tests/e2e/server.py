"""How is the real service started and stopped, for tests, the demo and benchmarks?"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
START_LINE = re.compile(r" serving (http://\S+) .*base path .+ database .+\n")
# A busy machine takes many times as long as an idle one.
DEADLINE_SECONDS = 60
STOP_SECONDS = 20


class NotStarted(Exception):
    """The process has ended or did not start in time; the text is its log."""


class Server:
    """``wsgi.py`` as a process of its own, everything it writes below ``folder``.

    As a context manager it listens inside the block and has stopped after it. ``settings`` are
    NVR_* variables that replace the scratch ones; the caller's own NVR_* variables do not count.
    ``wrapper``: a command that becomes the process that it is given.
    """

    program: Sequence[str | Path] = (sys.executable, PROJECT / "wsgi.py")

    def __init__(self, folder: Path, wrapper: Sequence[str] = (), **settings: str) -> None:
        self.wrapper = wrapper
        self.folder, self.base = folder, folder / "uploads"
        self.database, self.log_file = folder / "nvr.db", folder / "stderr.log"
        self.settings = settings
        self.url = ""
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> "Server":
        self.start()
        try:
            self.url = self._wait_until_it_listens()
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process in a working directory that is not the project's; do not wait."""
        self.base.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *self.program],
                cwd=self.folder,
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def environ(self) -> dict[str, str]:
        """The environment that the process gets."""
        inherited = {name: v for name, v in os.environ.items() if not name.startswith("NVR_")}
        scratch = {
            "NVR_FOSCAM_BASE_PATH": str(self.base),
            "NVR_DATABASE_URL": f"sqlite:///{self.database}",
            "NVR_PORT": "0",
            # A developer's .env beside wsgi.py does not count.
            "FLASK_SKIP_DOTENV": "1",
            # For what the service writes down for commands (systemd.exec(5)).
            "RUNTIME_DIRECTORY": str(self.folder),
        }
        return inherited | scratch | self.settings

    def flask(self, *words: str) -> str:
        """What a command prints that is typed on the same box."""
        command = [sys.executable, "-m", "flask", "--app", f"{PROJECT}/wsgi.py", *words]
        return subprocess.run(
            command, env=self.environ(), stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    def token(self, role: str) -> str:
        """A new token of this role."""
        return self.flask("tokens", "create", f"{role} only", "--role", role).strip()

    def log(self) -> str:
        """Everything that the process has written to stderr so far."""
        return self.log_file.read_text(errors="replace")

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        """The exit code of a process that ends by itself."""
        return self.process.wait(seconds)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop the process if it still runs; its exit code, negative where it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _wait_until_it_listens(self) -> str:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if found := START_LINE.search(self.log()):
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise NotStarted(self.log())
