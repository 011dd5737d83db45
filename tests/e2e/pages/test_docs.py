"""Does /docs work in a browser, on a box that has no internet?"""

import re
from html.parser import HTMLParser

import pytest
import requests
from playwright.sync_api import Page, expect

from app.api.openapi import DOCS_POLICY
from tests.e2e.forked import ForkedServer
from tests.e2e.pages.browser import Visit, needs_chromium

# What Swagger UI calls the operation and its answer.
CREATE = "#operations-cameras-post_api_cameras"
STATUS = ".live-responses-table tbody .response-col_status"


class Links(HTMLParser):
    """Collects every URL that a page loads by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the tag's URL; no script may be inline."""
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
    assert policy == DOCS_POLICY
    assert directives["default-src"] == "'self'"
    assert "script-src" not in directives
    assert "style-src" not in directives
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


@needs_chromium
def test_a_browser_shows_the_operations_and_asks_no_other_host(shared_server, browser):
    visit = Visit(browser, shared_server.url, hurry=False)
    visit.page.goto("/docs")
    expect(visit.page.get_by_text("Get the newest whole picture")).to_be_visible()
    assert visit.page.locator(".opblock").count() >= 6
    asked = {url for url in visit.asked if not url.startswith("data:")}
    assert asked == {
        f"{shared_server.url}/{path}"
        for path in (
            "docs",
            "docs/swagger-ui.css",
            "docs/swagger-ui-bundle.js",
            "docs/start.js",
            "docs/favicon-32x32.png",
            "openapi.json",
        )
    }
    visit.close()


@needs_chromium
@pytest.mark.slow
def test_a_person_authorizes_themselves_with_a_token_and_writes(tmp_path, browser):
    """The page's policy blocks nothing that it does: the browser reports no error."""
    with ForkedServer(tmp_path, NVR_ANONYMOUS="read") as server:
        visit = Visit(browser, server.url, hurry=False)
        visit.page.goto("/docs")
        create = visit.page.locator(CREATE)
        create.get_by_role("button").first.click()
        create.get_by_role("button", name="Try it out").click()
        authorize(visit.page, server.token("write"))
        create.get_by_role("button", name="Execute").click()
        expect(create.locator(STATUS)).to_have_text("201")
        entries = requests.get(f"{server.url}/api/audit?action=camera_created").json()["entries"]
        assert [entry["actor"] for entry in entries] == ["write only"]
        visit.close()


def authorize(page: Page, token: str) -> None:
    """Type the token into the dialog of the page."""
    page.locator(".btn.authorize").click()
    bearer = page.locator("form").filter(has=page.locator("#auth-bearer-value"))
    bearer.locator("#auth-bearer-value").fill(token)
    bearer.locator(".authorize").click()
    page.locator(".modal-ux .close-modal").click()
