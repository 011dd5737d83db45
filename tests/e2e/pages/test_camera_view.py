"""Does the large view show a camera, and can cameras be added, changed and deleted?"""

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.pages.browser import needs_chromium
from tests.pictures import picture, put

pytestmark = needs_chromium
SIZE = (640, 400)
BOX = {"x": 64, "y": 40, "width": 160, "height": 200}


@pytest.fixture
def seen(wall):
    """A camera with two detections in one picture, another in none, and an event."""
    camera = wall.add()
    wall.put()
    put(wall.server.base / "front" / "seen.jpg", picture(size=SIZE), age=60)
    common = {"camera_id": camera["id"], "confidence": 0.9, "file_path": "seen.jpg"}
    first = wall.post("detections", **common, object_type="person", bbox=BOX)
    small = {"x": 600, "y": 0, "width": 500, "height": 30}
    wall.post("detections", **common, object_type="<i>car</i>", bbox=small)
    gone = {**common, "file_path": "gone.jpg"}
    wall.post("detections", **gone, object_type="dog", bbox=BOX)
    wall.post(
        "events",
        camera_id=camera["id"],
        started_at="2025-12-23T12:00:00Z",
        risk_score=72,
        summary="Somebody at the door",
        detection_ids=[first["id"]],
    )
    return camera


def large_of(wall, camera):
    """Open the large view with the keyboard."""
    wall.see(camera, "LIVE")
    wall.page.locator(f'a[href="#{camera["id"]}"]').focus()
    wall.page.keyboard.press("Enter")
    large = wall.page.locator("#large")
    expect(large.locator("h2")).to_have_text(camera["name"])
    return large


def test_boxes_are_drawn_at_their_place_in_the_picture_of_the_detection(wall, seen):
    large = large_of(wall, seen)
    large.get_by_role("button", name="person 90 %").click()
    expect(large.locator(".boxed img")).to_be_visible()
    assert large.locator("svg text").all_text_contents() == ["<i>car</i> 90 %", "person 90 %"]
    image = large.locator(".boxed img").bounding_box()
    box = large.locator("rect.chosen").bounding_box()
    scale = image["width"] / SIZE[0]
    assert box["x"] - image["x"] == pytest.approx(BOX["x"] * scale, abs=3)
    assert box["y"] - image["y"] == pytest.approx(BOX["y"] * scale, abs=3)
    assert box["width"] == pytest.approx(BOX["width"] * scale, abs=6)
    pressed = large.locator("button[aria-pressed=true]")
    expect(pressed).to_have_count(1)
    assert wall.visit.violations() == []
    large.get_by_role("button", name="dog").click()
    expect(large).to_contain_text("it is gone from the camera's folder")
    pressed.click()
    expect(large.locator("figure > img")).to_have_attribute("alt", "Newest picture of Front Door")


@pytest.mark.parametrize("width", [320, 3840])
def test_the_picture_is_as_large_as_the_window_allows(wall, seen, width):
    wall.page.set_viewport_size({"width": width, "height": 2160})
    large = large_of(wall, seen)
    room = large.bounding_box()["width"] - 2 * large.locator(".bar h2").evaluate(
        "() => parseFloat(getComputedStyle(document.documentElement).fontSize)"
    )
    for picture_of in ("figure > img", ".boxed img"):
        shown = large.locator(picture_of).bounding_box()
        assert shown["width"] == pytest.approx(room, abs=3)
        ratio = large.locator(picture_of).evaluate("(i) => i.naturalHeight / i.naturalWidth")
        assert shown["height"] == pytest.approx(shown["width"] * ratio, abs=2)
        large.get_by_role("button", name="person 90 %").click()


@pytest.mark.parametrize("width", [320, 1280])
def test_labels_are_legible_at_any_size_and_inside_the_picture(wall, seen, width):
    wall.page.set_viewport_size({"width": width, "height": 640})
    large = large_of(wall, seen)
    large.get_by_role("button", name="person 90 %").click()
    image = large.locator(".boxed img").bounding_box()
    wall.page.wait_for_timeout(100)
    for label in large.locator(".boxed text").all():
        box = label.bounding_box()
        assert box["height"] >= 12
        assert box["x"] >= image["x"] - 1
        assert box["x"] + box["width"] <= image["x"] + image["width"] + 1
        assert box["y"] >= image["y"] - 4


def test_on_a_phone_the_close_button_is_always_in_view(wall, seen):
    wall.page.set_viewport_size({"width": 320, "height": 568})
    large = large_of(wall, seen)
    expect(large).to_contain_text("No problem was found.")
    close = large.get_by_role("button", name="Close")
    for bottom in (0, 10_000):
        large.evaluate("(node, top) => node.scrollTo(0, top)", bottom)
        expect(close).to_be_in_viewport(ratio=1)
        top = close.evaluate("""(node) => {
          const { left, top } = node.getBoundingClientRect();
          return document.elementFromPoint(left + 5, top + 5) === node;
        }""")
        assert top
    close.click()
    expect(large).to_have_count(0)


def test_a_part_of_the_page_that_cannot_be_loaded_is_reported(wall, seen):
    wall.page.route("**/camera.js", lambda route: route.fulfill(status=404))
    wall.see(seen, "LIVE", "?refresh=3600")
    wall.page.locator(f'a[href="#{seen["id"]}"]').click()
    expect(wall.page.locator("#trouble")).to_contain_text(
        "A part of this page could not be loaded."
    )
    wall.page.unroute("**/camera.js")
    wall.page.get_by_role("button", name="Reload").click()
    expect(wall.page.locator("#large h2")).to_have_text(seen["name"])


def test_it_shows_events_changes_and_whether_diagnostics_are_available(wall, seen):
    url = f"{wall.server.url}/api/cameras/{seen['id']}"
    requests.patch(url, json={"name": "Front <b>Door</b>"}, timeout=30)
    missing = '{"code": "not_found", "detail": "There is nothing at this URL."}'
    wall.page.route("**/diagnostics", lambda route: route.fulfill(status=404, body=missing))
    large = large_of(wall, seen | {"name": "Front <b>Door</b>"})
    expect(large).to_contain_text("high Somebody at the door")
    expect(large).to_contain_text("Not available here.")
    expect(large).to_contain_text("name Front Door → Front <b>Door</b>")
    expect(large).to_contain_text("camera created by anonymous")
    events = large.get_by_role("link", name="All events of this camera")
    assert events.get_attribute("href") == f"/events?camera_id={seen['id']}"


def test_it_shows_what_the_diagnostics_find(wall, seen):
    put(wall.server.base / "front" / "b.tmp", b"half", age=7200)
    wall.add("Back <b>Door</b>", "front/")
    large = large_of(wall, seen)
    for text in (
        *("Uploads that were never finished: 1, for example b.tmp.", f"{wall.server.base}/front"),
        *("a.jpg, ", "Unfinished uploadsb.tmp", "watching", "Back <b>Door</b>"),
    ):
        expect(large).to_contain_text(text)


def test_it_says_how_to_repair_a_camera_without_a_picture(wall):
    camera = wall.add("Nowhere", "nowhere")
    wall.see(camera, "ERROR", f"#{camera['id']}")
    large = wall.page.locator("#large")
    expect(large).to_contain_text("No picture.")
    expect(large).to_contain_text(f"There is no folder {wall.server.base}/nowhere")


def test_escape_closes_it_and_restores_the_focus(wall, seen):
    large = large_of(wall, seen)
    expect(large.locator("h2")).to_be_focused()
    wall.page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(wall.page.locator(f'a[href="#{seen["id"]}"]')).to_be_focused()
    assert wall.page.url == f"{wall.server.url}/"
    wall.page.keyboard.press("Enter")
    expect(large).to_be_visible()
    wall.page.go_back()
    expect(large).to_have_count(0)
    picture = wall.tile(seen).locator(".picture").bounding_box()
    wall.page.mouse.click(picture["x"] + picture["width"] / 2, picture["y"] + 20)
    expect(large).to_be_visible()


def test_its_address_opens_it_and_it_follows_the_newest_picture(wall, seen):
    wall.see(seen, "LIVE", f"?refresh=1#{seen['id']}")
    shown = wall.page.locator("#large figure > img")
    first = shown.get_attribute("src")
    wall.put("front/b.jpg", shade=99)
    expect(shown).not_to_have_attribute("src", first)


def test_a_camera_is_added_and_each_error_is_shown_at_its_field(wall):
    wall.page.goto("/")
    wall.page.get_by_role("button", name="Add a camera").press("Enter")
    dialog = wall.page.get_by_role("dialog", name="Add a camera")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Upload folder").fill("garden")
    wall.page.keyboard.press("Enter")
    expect(dialog.locator("#e-name")).to_have_text("Length must be between 1 and 255.")
    expect(dialog.get_by_label("Name")).to_be_focused()
    assert dialog.get_by_label("Name").get_attribute("aria-invalid") == "true"
    assert wall.visit.violations() == []
    wall.page.keyboard.type("Garden")
    wall.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(wall.page.locator(".tile")).to_contain_text("Garden")
    expect(wall.page.locator("#news")).to_have_text("Garden is registered.")
    expect(wall.page.locator("#empty")).to_be_hidden()


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("/srv/other", "The folder is not inside the base path"),
        ("garden", "There is no folder"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_as_soon_as_a_camera_is_added(wall, folder, said):
    wall.page.goto("/")
    wall.page.get_by_role("button", name="Add a camera").click()
    form = wall.page.get_by_role("dialog", name="Add a camera")
    form.get_by_label("Name").fill("Garden")
    form.get_by_label("Upload folder").fill(folder)
    form.get_by_role("button", name="Add", exact=True).click()
    dialog = wall.page.get_by_role("dialog", name="The upload folder cannot be used yet")
    expect(dialog).to_contain_text(said)
    assert wall.visit.violations() == []
    dialog.get_by_role("button", name="Close").click()
    expect(wall.page.locator(".tile")).to_contain_text("Garden")
    expect(wall.page.locator("dialog")).to_have_count(0)


def test_a_camera_is_renamed_and_moved(wall, seen):
    large_of(wall, seen).get_by_role("button", name="Rename or move").click()
    dialog = wall.page.get_by_role("dialog", name="Rename or move")
    assert dialog.get_by_label("Upload folder").input_value() == "front"
    dialog.get_by_label("Name").fill("Gate")
    dialog.get_by_label("Upload folder").fill("gate")
    dialog.get_by_role("button", name="Save").click()
    expect(wall.page.locator("#large h2")).to_have_text("Gate")
    expect(wall.page.locator("#large")).to_contain_text("name Front Door → Gate")
    dialog = wall.page.get_by_role("dialog", name="The upload folder cannot be used yet")
    dialog.get_by_role("button", name="Close").click()
    wall.page.keyboard.press("Escape")
    expect(wall.tile(seen)).to_contain_text("ERROR")


def test_deletion_asks_first_and_says_what_is_deleted(wall, seen):
    large = large_of(wall, seen)
    large.get_by_role("button", name="Delete").click()
    dialog = wall.page.get_by_role("dialog", name="Delete this camera?")
    expect(dialog).to_contain_text("3 detections and 1 event will be deleted with it.")
    assert wall.visit.violations() == []
    dialog.get_by_role("button", name="Cancel").click()
    expect(wall.tile(seen)).to_have_count(1)
    large.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(wall.tile(seen)).to_have_count(0)
    expect(wall.page.locator("dialog")).to_have_count(0)
    expect(wall.page.locator("#main")).to_be_focused()
    assert (wall.server.base / "front" / "a.jpg").exists()


def test_nothing_is_deleted_before_the_counts_are_known(wall, seen):
    held = []
    large = large_of(wall, seen)
    wall.page.route("**/api/events?**limit=1", lambda route: held.append(route))
    with wall.page.expect_request("**/api/events?**limit=1"):
        large.get_by_role("button", name="Delete").click()
    dialog = wall.page.get_by_role("dialog", name="Delete this camera?")
    button = dialog.get_by_role("button", name="Delete")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    expect(button).to_be_disabled()
    held[0].continue_()
    expect(button).to_be_enabled()


def test_a_camera_gets_no_second_request_while_its_picture_is_slow(wall, seen):
    held = []
    wall.page.route("**/snapshot*", lambda route: held.append(route))
    wall.page.goto(f"/#{seen['id']}")
    large = wall.page.locator("#large")
    expect(large.locator("h2")).to_have_text("Front Door")
    wall.page.wait_for_timeout(200)
    assert not [url for url in wall.visit.asked if "camera_id" in url]
    held[0].continue_()
    expect(large).to_contain_text("Somebody at the door")


def test_the_large_view_closes_when_the_camera_is_deleted_elsewhere(wall, seen):
    large = large_of(wall, seen)
    expect(large).to_contain_text("Somebody at the door")
    requests.delete(f"{wall.server.url}/api/cameras/{seen['id']}", timeout=30)
    expect(large).to_have_count(0)
    expect(wall.page.locator("#main")).to_be_focused()


def test_a_failed_deletion_is_reported(wall, seen):
    large_of(wall, seen).get_by_role("button", name="Delete").click()
    body = '{"code": "storage_full", "detail": "The disk is full, nothing was stored."}'
    wall.page.route(
        f"**/api/cameras/{seen['id']}", lambda route: route.fulfill(status=507, body=body)
    )
    dialog = wall.page.get_by_role("dialog", name="Delete this camera?")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_have_text("The disk is full, nothing was stored.")


def test_each_unused_folder_has_a_button_that_registers_it(wall):
    for name in ("garden/a.jpg", "garden/b.jpg", "<b>pool/a.jpg"):
        wall.put(name, age=7200)
    wall.page.goto("/")
    empty = wall.page.locator("#empty")
    expect(empty).to_contain_text("Register garden 2 pictures, the newest 2 h ago")
    expect(empty).to_contain_text("Register <b>pool 1 picture, the newest 2 h ago")
    assert wall.visit.violations() == []
    empty.get_by_role("button", name="Register garden").press("Enter")
    expect(wall.page.locator(".tile")).to_contain_text("garden")
    expect(empty).to_be_hidden()
    expect(wall.page.locator("#main")).to_be_focused()
    wall.page.get_by_role("button", name="Add a camera").click()
    dialog = wall.page.get_by_role("dialog", name="Add a camera")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    dialog.get_by_role("button", name="Register <b>pool").click()
    expect(wall.page.locator(".tile")).to_have_count(2)
    expect(wall.page.locator("dialog")).to_have_count(0)


def test_where_folders_cannot_be_listed_the_page_says_so(wall):
    missing = '{"code": "not_found", "detail": "There is nothing at this URL."}'
    wall.page.route("**/api/folders", lambda route: route.fulfill(status=404, body=missing))
    wall.page.goto("/")
    expect(wall.page.locator("#empty")).to_contain_text(
        "The list of unused folders is not available here."
    )
