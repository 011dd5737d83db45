"""Can a person add, test, change, switch off and delete a notification, and see its messages?"""

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.pages.browser import needs_chromium
from tests.receivers import receiving

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
