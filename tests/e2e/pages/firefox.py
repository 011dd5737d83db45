"""How do tests use Debian's firefox-esr? By WebDriver BiDi, which every Firefox speaks itself.

https://www.w3.org/TR/webdriver-bidi/. Playwright needs a Firefox of its own, and geckodriver is no
package of Debian or PyPI.
"""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from websockets.exceptions import InvalidHandshake
from websockets.sync.client import ClientConnection, connect

FIREFOX = shutil.which("firefox-esr")
DEADLINE_SECONDS = 60
# Written by Firefox into its profile once it listens.
ADDRESS = "WebDriverBiDiServer.json"
# No host is found by its name, so no other host than 127.0.0.1 is asked.
PREFERENCES = """user_pref("network.dns.disabled", true);
user_pref("network.proxy.type", 0);
user_pref("intl.accept_languages", "en-GB");
"""
EVENTS = ["log.entryAdded", "network.beforeRequestSent"]
AXE = """axe.run(document, {resultTypes: ["violations"]}).then(({ violations }) =>
  violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.html)}`))"""

needs_firefox = pytest.mark.skipif(not FIREFOX, reason="firefox-esr is not installed")


class Firefox:
    """A tab of a Firefox, with the URLs that it asked for and the errors that it reported."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=EVENTS)
        self.tab = self.command("browsingContext.getTree")["contexts"][0]["context"]

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; events that come before it are recorded."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=DEADLINE_SECONDS))
            if message["type"] == "event":
                self._record(message["method"], message["params"])
            elif message["id"] == number:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result

    def _record(self, method: str, event: dict[str, Any]) -> None:
        if method == "network.beforeRequestSent":
            self.asked.append(event["request"]["url"])
        elif event["level"] in ("error", "warn"):
            self.complaints.append(event["text"])

    def goto(self, url: str) -> None:
        """Load a page."""
        self.command("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page in pixels."""
        size = {"width": width, "height": height}
        self.command("browsingContext.setViewport", context=self.tab, viewport=size)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        answer = self.command(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value))",
            target={"context": self.tab},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"].get("value", "null"))

    def wait_for(self, expression: str) -> Any:
        """Wait until an expression is true; its value."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, (expression, self.complaints)
            time.sleep(0.1)
        return value

    def press(self, selector: str) -> None:
        """Press the first button that matches."""
        self.evaluate(f"document.querySelector({selector!r}).click()")

    def violations(self) -> list[str]:
        """The accessibility faults that axe finds."""
        self.evaluate(f"(() => {{ {AXE_SCRIPT} }})()")
        found: list[str] = self.evaluate(AXE)
        return found

    def screenshot(self, path: Path) -> None:
        """Save what the tab shows as a PNG."""
        shot = self.command("browsingContext.captureScreenshot", context=self.tab)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Start a Firefox with its settings in the empty folder ``profile``."""
    (profile / "user.js").write_text(PREFERENCES)
    process = subprocess.Popen(
        [str(FIREFOX), "--headless", "--profile", profile, "--remote-debugging-port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _connect(profile / ADDRESS) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def _connect(address: Path) -> ClientConnection:
    """The connection, as soon as Firefox listens."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            server = json.loads(address.read_text())
            url = f"ws://{server['ws_host']}:{server['ws_port']}/session"
            return connect(url, max_size=None, proxy=None)
        except (
            OSError,
            ValueError,
            InvalidHandshake,
        ):  # not there, half written, not yet listening
            assert time.monotonic() < deadline, "firefox-esr does not listen"
            time.sleep(0.1)
