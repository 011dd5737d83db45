"""How do tests use a browser? Chromium, with its requests and all errors that it reports."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from math import inf
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
CAMERA_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DEADLINE_MS = 30_000
VIEWPORT: ViewportSize = {"width": 1280, "height": 720}
# The browser's own requests fail at once, and no host but the box is reachable.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
AXE = "() => axe.run(document, {resultTypes: ['violations']})"

# Ten seconds of the page are one of the clock's, so that no test waits long for a round.
HURRY = """{
  const { setTimeout: after, setInterval: every } = window;
  const now = performance.now.bind(performance);
  window.setTimeout = (work, ms) => after(work, ms / 10);
  window.setInterval = (work, ms) => every(work, ms / 10);
  performance.now = () => 10 * now() + (window.later ?? 0);
}"""

expect.set_options(timeout=DEADLINE_MS)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Exchange:
    """A request and its answer, with the moments of both by the browser's clock in seconds."""

    url: str
    document: str  # that sent the request; another one does not wait for its end
    begin: float
    end: float = inf

    def overlaps(self, later: "Exchange") -> bool:
        """Whether ``later`` is about the same camera and began before this one had ended."""
        camera = CAMERA_ID.search(self.url)
        same = camera and camera[0] in later.url and self.document == later.document
        return bool(same) and later.begin < self.end


class Visit:
    """A tab on the server at ``url`` that records its requests and errors.

    With ``hurry`` the page's timers run ten times as fast.
    """

    def __init__(self, browser: Browser, url: str, hurry: bool = True, **options: Any) -> None:
        self.url = url
        self.context = browser.new_context(base_url=url, locale="en-GB", **options)
        if hurry:
            self.context.add_init_script(HURRY)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(DEADLINE_MS)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self._exchanges: dict[str, Exchange] = {}
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)
        # Chromium may report an end late, but with its moment.
        reports = self.context.new_cdp_session(self.page)
        reports.on("Network.requestWillBeSent", self._begin)
        reports.on("Network.responseReceived", self._receive)
        for end in ("loadingFinished", "loadingFailed"):
            reports.on(f"Network.{end}", self._end)
        reports.send("Network.enable")

    def _begin(self, report: dict[str, Any]) -> None:
        url = report["request"]["url"]
        # The browser itself decides when it asks for parts of a clip.
        if url.startswith(f"{self.url}/api/") and report["type"] != "Media":
            exchange = Exchange(url, report["loaderId"], report["timestamp"])
            self._exchanges[report["requestId"]] = exchange

    def _receive(self, report: dict[str, Any]) -> None:
        if report["response"]["status"] == 304:  # it has no body
            self._end(report)

    def _end(self, report: dict[str, Any]) -> None:
        exchange = self._exchanges.get(report["requestId"])
        if exchange:
            exchange.end = min(exchange.end, report["timestamp"])

    def _note(self, message: Any) -> None:
        # An error response of the API that the page shows to the reader is no fault of the page.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def close(self) -> None:
        """Check what it recorded and close the tab."""
        try:
            self.leave()
        finally:
            self.context.close()

    def leave(self) -> None:
        """Check what it recorded and reset it for the next test."""
        self.page.unroute_all()
        self.page.goto("about:blank")
        self.page.set_viewport_size(VIEWPORT)
        self.page.emulate_media(color_scheme="light")
        self.check()

    def check(self) -> None:
        """Check that there was no error, no request to another host, and never two requests about
        one camera at once.
        """
        own = (f"{self.url}/", f"blob:{self.url}/", "about:blank", "data:")
        exchanges = sorted(self._exchanges.values(), key=lambda exchange: exchange.begin)
        found = {
            "complaints": self.complaints[:],
            "overlaps": [pair for pair in combinations(exchanges, 2) if pair[0].overlaps(pair[1])],
            "strangers": [url for url in self.asked if not url.startswith(own)],
        }
        self.asked.clear()
        self.complaints.clear()
        self._exchanges.clear()
        assert not any(found.values()), found

    def violations(self) -> list[tuple[str, list[str]]]:
        """The accessibility faults that axe finds: rule and elements."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found = self.page.evaluate(AXE)["violations"]
        return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
