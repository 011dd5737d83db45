"""What does a person see and do in a browser? Chromium, driven over its debugging pipe."""

import json
import os
import select
import subprocess
import tempfile
import time
from typing import Any

DEADLINE_SECONDS = 60
POLL_SECONDS = 0.05
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-pipe",
)


class Browser:
    """A browser with one empty page; as a context manager it is gone after the block."""

    def __init__(self) -> None:
        # What the browser has told by itself.
        self.events: list[dict[str, Any]] = []
        self._number, self._received = 0, b""
        self._session: str | None = None

    def __enter__(self) -> "Browser":
        # Short: a socket in it has a path of 107 characters at the most.
        self._folder = tempfile.TemporaryDirectory(prefix="nvr-", ignore_cleanup_errors=True)
        folder = self._folder.name
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4.
        pipes = f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out}'
        profile = f"--user-data-dir={folder}/profile"
        self._process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *OPTIONS, profile, "about:blank"],
            env={"HOME": folder, "PATH": "/usr/bin:/bin", "TMPDIR": folder},
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        self._process.terminate()
        self._process.wait(DEADLINE_SECONDS)
        os.close(self._in)
        self._folder.cleanup()

    def open(self, url: str) -> None:
        """Go to a page."""
        self.tell("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script: str) -> Any:
        """The value of the expression once it is true."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, script
            time.sleep(POLL_SECONDS)
        return value

    def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command of the DevTools protocol."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        while (message := self._next()).get("id") != self._number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def _attach(self) -> None:
        pages = self.tell("Target.getTargets")["targetInfos"]
        (page,) = [page for page in pages if page["type"] == "page"]
        attached = self.tell("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.tell(f"{domain}.enable")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._in], [], [], DEADLINE_SECONDS)
            assert ready, "the browser is silent"
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser is gone"
            self._received += piece
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)
