"""Can a person find events, read them and mark them as reviewed?"""

from datetime import UTC, datetime

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.pages.browser import Visit, needs_chromium
from tests.e2e.pages.wall import HOSTILE
from tests.pictures import picture, put

pytestmark = needs_chromium
PAGE, MANY = 50, 53
STARTED = datetime(2025, 12, 23, 12, tzinfo=UTC)
# When pictures were taken, in seconds from the start of the event that ended 20 seconds later.
AROUND = (-31, -20, 10, 49, 51)
SUMMARY = HOSTILE[0]


@pytest.fixture(scope="module")
def box(shared_server):
    """A server with two cameras and events of three days, and the cameras' ids."""
    url = f"{shared_server.url}/api"
    ids = {}
    for name in ("Front Door", SUMMARY):
        body = {"name": name, "folder_path": "front"}
        ids[name] = requests.post(f"{url}/cameras", json=body, timeout=30).json()["id"]
    put(shared_server.base / "front" / "a.jpg", picture())
    age = (datetime.now(UTC) - STARTED).total_seconds()
    for seconds in AROUND:
        put(shared_server.base / "front" / f"{seconds}.jpg", picture(), age=age - seconds)
    front = {"camera_id": ids["Front Door"]}
    for minute in range(MANY):
        started = f"2025-12-22T10:{minute:02}:00Z"
        requests.post(f"{url}/events", json={**front, "started_at": started}, timeout=30)
    detection = {**front, "object_type": "person", "confidence": 0.5, "file_path": "a.jpg"}
    seen = requests.post(f"{url}/detections", json=detection, timeout=30).json()
    for body in (
        {
            "risk_score": 90,
            "ended_at": "2025-12-23T12:00:20Z",
            "summary": "Fire",
            "reasoning": "It burns",
            "detection_ids": [seen["id"]],
        },
        {"risk_score": 10, "summary": SUMMARY, "camera_id": ids[SUMMARY], "reviewed": True},
    ):
        event = {**front, "started_at": STARTED.isoformat(), **body}
        requests.post(f"{url}/events", json=event, timeout=30)
    return shared_server, ids


@pytest.fixture(scope="module")
def berlin(box, browser):
    """A tab in the time zone of Berlin."""
    visit = Visit(browser, box[0].url, timezone_id="Europe/Berlin")
    visit.page.violations = visit.violations
    yield visit
    visit.close()


@pytest.fixture
def page(berlin):
    yield berlin.page
    berlin.leave()


def test_older_events_are_loaded_page_by_page(page):
    page.goto("/events")
    rows = page.locator("#events > li")
    expect(rows).to_have_count(PAGE)
    expect(page.locator("#found")).to_have_text(f"50 of {MANY + 2} events")
    page.get_by_role("button", name="Show older events").click()
    expect(rows).to_have_count(MANY + 2)
    expect(rows.nth(50)).to_be_focused()
    expect(page.get_by_role("button", name="Show older events")).to_be_hidden()
    texts = rows.all_text_contents()
    assert len(set(texts)) == len(texts)
    assert page.violations() == []


def test_filters_change_the_list_the_address_and_the_download(page, box):
    page.goto("/events")
    rows = page.locator("#events > li")
    page.get_by_label("Level").select_option("critical")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Fire")
    assert page.url.endswith("/events?risk_level=critical")
    page.get_by_label("Reviewed").select_option("true")
    expect(page.locator("#found")).to_have_text("No events.")
    page.get_by_label("Level").select_option("")
    expect(rows).to_contain_text(SUMMARY)
    csv = page.get_by_role("link", name="Download as CSV").get_attribute("href")
    assert csv == "/api/events/export?reviewed=true"
    answer = requests.get(box[0].url + csv, timeout=30)
    assert len(answer.text.strip().splitlines()) == 2
    page.reload()
    expect(rows).to_have_count(1)
    page.get_by_label("Camera").select_option(box[1]["Front Door"])
    expect(page.locator("#found")).to_have_text("No events.")


def test_a_late_response_to_an_earlier_request_is_ignored(page):
    held = []
    page.route(f"**/api/events?limit={PAGE}", lambda route: held.append(route))
    page.goto("/events")
    page.get_by_label("Level").select_option("critical")
    expect(page.locator("#events > li")).to_have_count(1)
    with page.expect_response(f"**/api/events?limit={PAGE}"):
        held[0].continue_()
    page.wait_for_timeout(200)
    expect(page.locator("#events > li")).to_have_count(1)


def test_a_day_is_in_the_readers_time_zone(page):
    page.goto("/events?day=2025-12-23")
    expect(page.locator("#events > li")).to_have_count(2)
    csv = page.locator("#csv").get_attribute("href")
    assert "start_date=2025-12-22T23%3A00%3A00.000Z&end_date=2025-12-23T23%3A00%3A00.000Z" in csv
    page.get_by_label("Day").fill("2025-12-22")
    expect(page.locator("#found")).to_have_text(f"50 of {MANY} events")


def test_one_key_reviews_the_event_in_focus_and_arrows_move_the_focus(page, box):
    page.goto("/events?day=2025-12-23")
    rows = page.locator("#events > li")
    expect(rows).to_have_count(2)
    fire = rows.filter(has_text="Fire")
    button = fire.get_by_role("button", name="Reviewed")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("r")
    button.focus()
    page.keyboard.press("r")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#news")).to_have_text("Reviewed.")
    url = f"{box[0].url}/api/events?risk_level=critical"
    assert [e["reviewed"] for e in requests.get(url, timeout=30).json()["events"]] == [True]
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    expect(rows.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(rows.first).to_be_focused()


def test_the_details_of_an_event_are_its_reasoning_and_its_picture(page):
    page.goto("/events?risk_level=critical")
    page.get_by_text("More, 1 detection").click()
    expect(page.locator("details")).to_contain_text("Reasoning: It burns")
    expect(page.locator("details .boxed img")).to_be_visible()
    expect(page.locator("details")).to_contain_text("person 50 %")
    assert page.violations() == []


def test_an_event_leads_to_the_pictures_around_it(page, box):
    page.goto("/events?risk_level=critical")
    page.get_by_text("More, 1 detection").click()
    strip = page.get_by_role("list", name="Pictures around it")
    expect(strip.locator("time")).to_have_text(["12:59:40", "13:00:10", "13:00:49"])
    expect(strip.locator("img")).to_have_count(3)
    assert page.violations() == []
    strip.get_by_role("link").nth(1).click()
    expect(page.locator("figcaption")).to_contain_text(":00:10")
    page.go_back()
    page.get_by_role("link", name="Pictures around it").click()
    expect(page.locator("figcaption")).to_contain_text(":00:10")


def test_an_event_with_more_pictures_than_are_shown_leads_to_the_others(page):
    def claim_more(route):
        route.fulfill(json=route.fetch().json() | {"next_cursor": "more"})

    page.route("**/api/events/*/pictures?**", claim_more)
    page.goto("/events?risk_level=critical")
    page.get_by_text("More, 1 detection").click()
    expect(page.locator("details")).to_contain_text("Only the first 100 are shown.")
    page.get_by_role("link", name="The others are in the camera's day.").click()
    expect(page.locator("figcaption")).to_contain_text(":00:49")


def test_a_request_that_failed_can_be_repeated(page):
    page.route("**/api/events?**", lambda route: route.abort())
    page.goto("/events")
    expect(page.locator("#trouble")).to_contain_text("The service does not answer.")
    page.unroute("**/api/events?**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#events > li")).to_have_count(PAGE)
    expect(page.locator("#trouble")).to_be_empty()


def test_it_fits_a_phone_in_dark_mode(page):
    page.set_viewport_size({"width": 320, "height": 600})
    page.emulate_media(color_scheme="dark")
    page.goto("/events?day=2025-12-23")
    expect(page.locator("#events > li")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert not page.title().startswith("run")
    assert page.violations() == []
