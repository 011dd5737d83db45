"""Does the wall work with a token, and hide controls that the token may not use?"""

import re

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.forked import ForkedServer
from tests.e2e.pages.browser import Visit, needs_chromium
from tests.pictures import picture, put

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A server that requires a token, with a camera, an event and a folder."""
    with ForkedServer(tmp_path_factory.mktemp("closed"), NVR_ANONYMOUS="none") as server:
        server.tokens = {role: server.token(role) for role in ("read", "write")}
        shown = {"headers": {"Authorization": f"Bearer {server.tokens['write']}"}, "timeout": 30}
        put(server.base / "front" / "a.jpg", picture())
        put(server.base / "garden" / "a.jpg", picture())
        body = {"name": "Front Door", "folder_path": "front"}
        camera = requests.post(f"{server.url}/api/cameras", json=body, **shown).json()
        event = {"camera_id": camera["id"], "started_at": "2025-12-23T12:00:00Z"}
        requests.post(f"{server.url}/api/events", json=event, **shown)
        server.shown, server.camera = shown, camera
        yield server


@pytest.fixture
def visit_as(closed, browser):
    """Opens a tab that sends a token as the browser's password."""
    visits = []

    def visit(secret, hurry=True):
        login = {"username": "anybody", "password": secret}
        visits.append(Visit(browser, closed.url, hurry=hurry, http_credentials=login))
        return visits[-1]

    yield visit
    for each in visits:
        each.close()


def test_a_token_as_the_browsers_password_opens_the_wall(closed, visit_as):
    visit = visit_as(closed.tokens["read"])
    visit.page.goto("/?refresh=1")
    state = visit.page.locator(".state")
    expect(state).to_have_text("LIVE")
    picture_of = visit.page.locator(".tile img")
    before = picture_of.get_attribute("src")
    put(closed.base / "front" / "b.jpg", picture(shade=90))
    expect(picture_of).not_to_have_attribute("src", before)
    assert visit.violations() == []


def test_a_reading_token_sees_no_controls_that_write(closed, visit_as):
    visit = visit_as(closed.tokens["read"])
    page = visit.page
    page.goto(f"/#{closed.camera['id']}")
    large = page.locator("#large")
    expect(large).to_contain_text("camera created by write only")
    assert large.get_by_role("button").all_text_contents() == ["Close"]
    assert visit.violations() == []
    page.keyboard.press("Escape")
    page.goto(f"/cameras/{closed.camera['id']}")
    expect(page.locator("#viewer img")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("Keep|Delete")).count() == 0
    expect(page.get_by_role("link", name="Save")).to_be_visible()
    assert visit.violations() == []
    page.goto("/")
    expect(page.get_by_text("Read-only")).to_be_visible()
    assert page.get_by_role("button").count() == 0
    page.goto("/storage")
    expect(page.locator("#cameras > li")).to_contain_text("Front Door")
    expect(page.locator("#limits")).to_contain_text("No limit is set")
    assert page.get_by_role("button").count() == 0
    page.goto("/events")
    row = page.locator("#events > li")
    expect(row).to_contain_text("Not reviewed")
    assert row.get_by_role("button").count() == 0
    row.focus()
    page.keyboard.press("r")
    page.wait_for_timeout(100)
    expect(row).to_contain_text("Not reviewed")
    expect(page.locator("#trouble")).to_be_empty()
    assert visit.violations() == []


def test_a_reading_token_sees_unused_folders_without_buttons(closed, visit_as):
    visit = visit_as(closed.tokens["read"])
    visit.page.route("**/api/cameras", lambda route: route.fulfill(json={"cameras": []}))
    visit.page.goto("/")
    expect(visit.page.locator("#waiting")).to_contain_text("garden 1 picture")
    expect(visit.page.locator("#empty")).to_contain_text(
        "somebody whose token may write can register it"
    )
    assert visit.page.get_by_role("button").count() == 0


def test_a_writing_token_sees_all_controls(closed, visit_as):
    page = visit_as(closed.tokens["write"]).page
    page.goto("/events")
    reviewed = page.get_by_role("button", name="Reviewed")
    reviewed.press("r")
    expect(reviewed).to_have_attribute("aria-pressed", "true")
    page.goto("/")
    page.get_by_role("button", name="Add a camera").click()
    page.get_by_role("button", name="Register garden").click()
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.get_by_text("Read-only")).to_have_count(0)


def test_a_revoked_token_is_reported_and_tried_less_and_less_often(closed, visit_as):
    secret = closed.flask("tokens", "create", "guest", "--role", "read").strip()
    visit = visit_as(secret)
    visit.page.goto("/?refresh=1")
    expect(visit.page.locator(".state").first).to_have_text("LIVE")
    closed.flask("tokens", "revoke", "guest")
    trouble = visit.page.locator("#trouble")
    expect(trouble).to_contain_text("Send a token of this service")
    expect(trouble).to_contain_text(re.compile(r"Next attempt in (8|16|32|64|128|256|300) s\."))


def test_a_wrong_password_leads_to_a_page_that_says_how_to_get_a_token(closed, visit_as):
    page = visit_as("wrong").page
    assert page.goto("/").status == 401
    expect(page.get_by_role("main")).to_contain_text("tokens create NAME --role read")
