"""Does /docs work in a browser, on a box that has no internet?"""

import json
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests

from app.api.docs import POLICY
from tests.e2e.devtools import Browser
from tests.e2e.server import Server

DEADLINE_SECONDS = 120
# The browser's own errands fail at once, and nothing but the box could answer the page.
CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--virtual-time-budget=20000",
    "--dump-dom",
)
ONLY_THE_BOX = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


# What Swagger UI calls the operation and its answer.
CREATE = "#operations-cameras-post_api_cameras"
STATUS = ".live-responses-table tbody .response-col_status"
COMPLAINTS = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")


class Links(HTMLParser):
    """Every URL that a page loads by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what the tag names; no script may stand in the page itself."""
        self.urls += [value for name, value in attrs if name in ("src", "href") and value]
        assert tag != "script" or dict(attrs).get("src")


def test_the_page_names_no_other_host(client):
    page = client.get("/docs")
    urls = Links(page.text).urls
    assert len(urls) == 4
    for url in urls:
        assert re.match(r"/docs/[\w.-]+$", url)
        with client.get(url) as answer:
            assert answer.status_code == 200
    for text in (page.text, client.get("/docs/start.js").text):
        assert not re.search(r"(https?:)?//[\w-]+[.:]", text)
    assert "/openapi.json" in client.get("/docs/start.js").text


def test_the_policy_forbids_other_hosts_and_inline_scripts(client):
    policy = client.get("/docs").headers["Content-Security-Policy"]
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert policy == POLICY
    assert directives["default-src"] == "'self'"
    assert "script-src" not in directives
    assert "style-src" not in directives
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.fixture
def home():
    """A folder with a short name: the path of Chromium's socket ends at 108 bytes (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="nvr-") as folder:
        yield Path(folder)


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_a_browser_shows_the_operations_and_asks_nobody_else(shared_server, home):
    net_log = home / "net.json"
    done = subprocess.run(
        [
            *CHROMIUM,
            ONLY_THE_BOX,
            f"--user-data-dir={home}/profile",
            f"--log-net-log={net_log}",
            shared_server.url + "/docs",
        ],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('class="opblock ') >= 6
    assert "Get the newest whole picture" in done.stdout
    assert asked_by(net_log, shared_server.url) == {
        f"{shared_server.url}/{path}"
        for path in (
            "docs/swagger-ui.css",
            "docs/swagger-ui-bundle.js",
            "docs/start.js",
            "docs/favicon-32x32.png",
            "openapi.json",
        )
    }


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_a_person_authorizes_themselves_with_a_token_and_writes(tmp_path):
    """The policy of the page forbids nothing that it does: the browser complains of nothing."""
    with Server(tmp_path, NVR_ANONYMOUS="read") as server, Browser() as browser:
        browser.open(server.url + "/docs")
        browser.wait(f"!!document.querySelector('{CREATE} button')")
        browser.run(f"document.querySelector('{CREATE} button').click()")
        browser.wait(f"!!document.querySelector('{CREATE} .try-out__btn')")
        browser.run(f"document.querySelector('{CREATE} .try-out__btn').click()")
        authorize(browser, server.token("write"))
        assert executed(browser) == "201"
        assert complaints(browser) == []
        entries = requests.get(f"{server.url}/api/audit?action=camera_created").json()["entries"]
        assert [entry["actor"] for entry in entries] == ["write only"]


def complaints(browser: Browser) -> list[str]:
    """What the browser has against the page; mere advice to its author does not count."""
    told = [event["params"] for event in browser.events if event["method"] in COMPLAINTS]
    return [str(params) for params in told if params.get("entry", {}).get("level") != "verbose"]


def executed(browser: Browser) -> str:
    """The status that the page shows once its button is pressed."""
    browser.run(f"document.querySelector('{CREATE} .execute').click()")
    return browser.wait(f"document.querySelector('{CREATE} {STATUS}')?.textContent")


def authorize(browser: Browser, token: str) -> None:
    """Type the token into the dialog that the page has for it."""
    browser.run("document.querySelector('.btn.authorize').click()")
    browser.wait("!!document.querySelector('#auth-bearer-value')")
    browser.run("document.querySelector('#auth-bearer-value').focus()")
    browser.tell("Input.insertText", text=token)
    browser.run("document.querySelector('.auth-btn-wrapper .authorize').click()")
    browser.wait("!document.querySelector('#auth-bearer-value')")
    browser.run("document.querySelector('.modal-ux .close-modal').click()")


def asked_by(net_log: Path, origin: str) -> set[str]:
    """Every URL that a page of ``origin`` made the browser ask for."""
    logged = [event.get("params", {}) for event in json.loads(net_log.read_text())["events"]]
    return {params["url"] for params in logged if params.get("initiator") == origin}
