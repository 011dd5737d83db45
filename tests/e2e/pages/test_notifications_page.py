"""Can a person add, test, change, switch off and delete a notification, and see its messages?"""

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.pages.browser import needs_chromium
from tests.receivers import receiving

FILTERS = ("cameras", "object_types", "min_confidence", "min_risk_level", "quiet_hours")
pytestmark = needs_chromium


@pytest.fixture
def page(wall):
    """The page; its rules are deleted afterwards, because all tests share the server."""
    wall.page.goto("/notifications")
    yield wall.page
    url = f"{wall.server.url}/api/notifications"
    for rule in requests.get(url, timeout=30).json()["notifications"]:
        requests.delete(f"{url}/{rule['id']}", timeout=30)


def add(page, url):
    page.get_by_role("button", name="Add a notification").click()
    dialog = page.get_by_role("dialog", name="Add a notification")
    dialog.get_by_label("Name").fill("Hallway")
    dialog.get_by_label("URL").fill(url)
    dialog.get_by_label("What is told").select_option(["detection", "camera_offline"])
    dialog.get_by_role("button", name="Save").click()
    secret = page.get_by_role("dialog", name="The secret of this notification")
    expect(secret.locator("code")).to_contain_text("whsec_")
    secret.get_by_role("button", name="Close").click()


def test_a_notification_is_added_tested_changed_switched_off_and_deleted(wall, page):
    expect(page.locator("#rules")).to_contain_text("Nobody is told anything yet.")
    rules = page.locator("#rules > li")
    with receiving() as receiver:
        add(page, f"{receiver.url}?key=T0KEN")
        expect(rules).to_contain_text("Hallway")
        expect(rules).to_contain_text("/***?***")
        rules.get_by_role("button", name="Test").click()
        expect(page.locator("#news")).to_contain_text("was taken")
        assert receiver.wait_for(1)[0].path == "/hook?key=T0KEN"
    rules.get_by_role("button", name="Test").click()
    expect(rules.get_by_role("alert")).to_contain_text("the connection was refused")
    rules.get_by_role("button", name="Switch off").click()
    expect(rules).to_contain_text("Switched off.")
    rules.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change this notification")
    dialog.get_by_label("Name").fill("Kitchen")
    dialog.get_by_role("button", name="Save").click()
    expect(rules).to_contain_text("Kitchen")
    rules.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog", name="Delete this notification?")
    question.get_by_role("button", name="Delete").click()
    expect(page.locator("#rules")).to_contain_text("Nobody is told anything yet.")


def test_the_focus_stays_where_a_person_works_by_keyboard(page):
    add(page, "http://127.0.0.1:9/hook")
    expect(page.get_by_role("button", name="Add a notification")).to_be_focused()
    for pressed, now in (("Test", "Test"), ("Switch off", "Switch on")):
        page.get_by_role("button", name=pressed).press("Enter")
        expect(page.get_by_role("button", name=now)).to_be_focused()
    for end in ("Escape", "Enter"):
        page.get_by_role("button", name="Change").press("Enter")
        page.get_by_label("Name").fill("Kitchen")
        page.keyboard.press(end)
        expect(page.get_by_role("button", name="Change")).to_be_focused()
    expect(page.locator("#rules")).to_contain_text("Kitchen")
    page.get_by_role("button", name="Delete").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_role("button", name="Add a notification")).to_be_focused()


def test_what_cannot_be_used_is_marked_and_messages_are_shown(wall, page):
    page.get_by_role("button", name="Add a notification").click()
    dialog = page.get_by_role("dialog", name="Add a notification")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Correct the marked fields.")
    expect(dialog.locator("#e-kinds")).not_to_be_empty()
    page.keyboard.press("Escape")
    with receiving() as receiver:
        add(page, receiver.url)
        camera = wall.add("Front Door", "front")["id"]
        seen = {"camera_id": camera, "object_type": "person", "confidence": 1}
        assert requests.post(f"{wall.server.url}/api/detections", json=seen, timeout=30).ok
        receiver.wait_for(1)
    expect(page.locator("#rules > li").first).to_contain_text("Hallway")
    page.reload()
    expect(page.locator("#rules li li")).to_contain_text("Something is detected.")


def test_the_filters_of_a_rule_are_set_and_taken_away(wall, page):
    camera = wall.add("Front Door", "front")["id"]
    with receiving() as receiver:
        add(page, receiver.url)
    url = f"{wall.server.url}/api/notifications"
    change = page.locator("#rules > li").get_by_role("button", name="Change")
    dialog = page.get_by_role("dialog", name="Change this notification")

    def fill(cameras, types, confidence, risk, hours):
        change.click()
        dialog.get_by_label("Of which cameras").select_option(cameras)
        dialog.get_by_label("Only these object types").fill(types)
        dialog.get_by_label("Least confidence").fill(confidence)
        dialog.get_by_label("Least risk level").select_option(risk)
        dialog.get_by_label("Quiet hours from").fill(hours[0])
        dialog.get_by_label("Quiet hours to").fill(hours[1])
        dialog.get_by_role("button", name="Save").click()

    def stored():
        expect(dialog).to_have_count(0)
        (rule,) = requests.get(url, timeout=30).json()["notifications"]
        return [rule[name] for name in FILTERS]

    fill(camera, "person\ncar", "0.6", "high", ("22:00", "22:00"))
    expect(dialog.locator("#e-quiet_to")).to_contain_text("Must not be the same")
    dialog.get_by_label("Quiet hours to").fill("06:30")
    dialog.get_by_role("button", name="Save").click()
    hours = {"from": "22:00", "to": "06:30"}
    shown = page.locator("#rules dd")
    expect(shown).to_have_text(
        [
            "A camera is offline, Something is detected",
            *("Front Door", "person, car", "at least 0.6 sure", "of at least high risk"),
            "22:00 to 06:30",
        ]
    )
    assert stored() == [[camera], ["person", "car"], 0.6, "high", hours]
    change.click()
    dialog.get_by_label("Seconds without a message").fill("60")
    dialog.get_by_role("button", name="Save").click()
    assert stored() == [[camera], ["person", "car"], 0.6, "high", hours]
    expect(shown.last).to_have_text("60 seconds")
    fill("", "", "", "", ("", ""))
    assert stored() == [None] * 5
