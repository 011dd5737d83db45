"""Is every state of the pages accessible, in the light and the dark scheme?"""

import pytest
from playwright.sync_api import expect

from tests.e2e.pages.browser import needs_chromium

pytestmark = needs_chromium
BOX = {"x": 8, "y": 8, "width": 20, "height": 20}


@pytest.fixture
def box(wall):
    """A live camera with a detection and events of every level, a broken one, a folder."""
    wall.put()
    wall.put("garden/a.jpg")
    camera = wall.add()
    wall.add("Nowhere", "nowhere")
    seen = {"camera_id": camera["id"], "confidence": 0.9, "file_path": "a.jpg"}
    wall.post("detections", **seen, object_type="person", bbox=BOX)
    for score in (None, 10, 40, 70, 90):
        started = {"camera_id": camera["id"], "started_at": "2025-12-23T12:00:00Z"}
        wall.post("events", **started, risk_score=score, reviewed=score == 10)
    wall.camera = camera
    return wall


def check(wall, state, subtests):
    with subtests.test(state):
        assert wall.visit.violations() == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_no_fault_in_any_state(box, scheme, subtests):
    page = box.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/?refresh=3600&columns=x#{box.camera['id']}")
    large = page.locator("#large")
    large.get_by_role("button", name="person 90 %").click()
    expect(large.locator(".boxed img")).to_be_visible()
    expect(large).to_contain_text("camera created by anonymous")
    check(box, "one camera large", subtests)
    large.get_by_role("button", name="Rename or move").click()
    check(box, "rename or move", subtests)
    page.keyboard.press("Escape")
    large.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog", name="Delete this camera?")).to_contain_text("5 events")
    check(box, "delete", subtests)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    check(box, "a wish that cannot be used", subtests)
    page.get_by_role("button", name="Add a camera").click()
    dialog = page.get_by_role("dialog", name="Add a camera")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_contain_text("Correct the marked fields.")
    expect(dialog).to_contain_text("Register garden")
    check(box, "add, with errors and folders", subtests)
    page.goto("/notifications")
    page.get_by_role("button", name="Add a notification").click()
    check(box, "add a notification", subtests)
    page.goto("/homeassistant")
    check(box, "Home Assistant", subtests)
    page.goto("/events")
    expect(page.locator("#events > li")).to_have_count(5)
    page.locator("summary").first.click()
    expect(page.locator("details[open]")).to_contain_text("No detection.")
    check(box, "events", subtests)
    page.route("**/api/**", lambda route: route.abort())
    for path in ("/", "/events?day=x"):
        page.goto(path)
        expect(page.locator("#trouble")).to_contain_text("The service does not answer.")
        check(box, f"trouble on {path}", subtests)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_no_fault_in_empty_pages(wall, scheme, subtests):
    wall.page.emulate_media(color_scheme=scheme)
    wall.page.goto("/")
    expect(wall.page.locator("#empty")).to_contain_text(
        "There is no upload folder without a camera."
    )
    check(wall, "empty", subtests)
    wall.page.goto("/events")
    expect(wall.page.locator("#found")).to_have_text("No events.")
    check(wall, "no event", subtests)


def test_every_control_has_a_name_and_is_reached_by_keyboard(box):
    """Tab alone reaches every control; each has a role and a name for a screen reader."""
    page = box.page
    box.see(box.camera, "LIVE", "?refresh=3600")
    reached = []
    for _ in range(10):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert reached == [
        *("Skip to the content", "Wall", "Events", "Storage", "Notifications", "Home Assistant"),
        *("API", "Add a camera"),
        *("Front Door", "Nowhere"),
    ]
    tree = page.locator("body").aria_snapshot()
    for said in (
        'navigation "Pages"',
        'button "Add a camera"',
        'heading "Cameras" [level=1]',
        'img "Newest picture of Front Door"',
        'link "Front Door"',
        "LIVE",
    ):
        assert said in tree
