"""Does a wall of many cameras load only the pictures that can be seen?"""

import time

import pytest
from playwright.sync_api import expect

from tests.e2e.pages.browser import CAMERA_ID, DEADLINE_MS, needs_chromium

pytestmark = needs_chromium
CAMERAS, AT_ONCE = 60, 3
WINDOW = {"width": 400, "height": 500}  # one column, of which two tiles are in view


@pytest.fixture
def crowded(wall):
    """A wall of many cameras, in the order of their names, in a small window."""
    wall.page.set_viewport_size(WINDOW)
    wall.put("all/a.jpg")
    wall.cameras = [wall.add(f"Camera {number}", "all") for number in range(CAMERAS)]
    return wall


def wait_for(wall, condition):
    """Let the page go on until the condition holds."""
    deadline = time.monotonic() + DEADLINE_MS / 1000
    while not condition():
        assert time.monotonic() < deadline
        wall.page.wait_for_timeout(50)


def pictured(wall):
    """The numbers of the cameras whose pictures were requested, in that order."""
    numbers = {camera["id"]: number for number, camera in enumerate(wall.cameras)}
    asked = [url for url in wall.visit.asked if "/snapshot" in url]
    return [numbers[CAMERA_ID.search(url)[0]] for url in asked]


def test_pictures_are_loaded_when_they_come_near_the_window(crowded):
    crowded.see(crowded.cameras[0], "LIVE", "?refresh=1")
    crowded.page.wait_for_timeout(500)  # five rounds
    assert set(pictured(crowded)) <= set(range(6))
    last = crowded.cameras[-1]
    expect(crowded.tile(last).locator(".state")).to_have_text("…")
    crowded.tile(last).scroll_into_view_if_needed()
    expect(crowded.tile(last).locator(".state")).to_have_text("LIVE")
    assert len(set(pictured(crowded))) < CAMERAS / 2


def test_only_a_few_pictures_are_loaded_at_once(crowded):
    held = []
    crowded.page.set_viewport_size({"width": 1280, "height": 2000})
    crowded.page.route("**/snapshot*", lambda route: held.append(route))
    crowded.page.goto("/?refresh=1")
    expect(crowded.page.locator(".tile")).to_have_count(CAMERAS)
    # Rounds go by, and tiles come into view, while nothing is answered.
    wait_for(crowded, lambda: len(held) >= AT_ONCE)
    crowded.page.wait_for_timeout(600)
    crowded.page.mouse.wheel(0, 3000)
    crowded.page.wait_for_timeout(300)
    assert len(held) == AT_ONCE
    held[0].continue_()
    wait_for(crowded, lambda: len(held) > AT_ONCE)
    crowded.page.wait_for_timeout(200)
    assert len(held) == AT_ONCE + 1


def test_the_camera_in_the_address_is_loaded_wherever_its_tile_is(crowded):
    last = crowded.cameras[-1]
    crowded.page.goto(f"/?refresh=3600#{last['id']}")
    shown = crowded.page.locator("#large figure > img")
    expect(shown).to_have_attribute("alt", f"Newest picture of {last['name']}")


def test_tiles_not_loaded_yet_are_ordered_by_their_last_upload(wall):
    wall.page.set_viewport_size(WINDOW)
    cameras = [wall.add(f"Camera {number}", f"{number}") for number in range(12)]
    for number in (3, 11):
        wall.put(f"{number}/a.jpg")
    wall.until_seen(cameras[3], cameras[11])
    wall.page.goto("/?order=age")
    names = wall.page.locator(".tile .name")
    expect(wall.tile(cameras[0]).locator(".state")).to_have_text("ERROR")
    expect(wall.tile(cameras[9]).locator(".state")).to_have_text("…")
    assert set(names.all_text_contents()[:2]) == {"Camera 3", "Camera 11"}
