"""Does the wall show each camera as it is, with no more requests than necessary?"""

import re
from itertools import pairwise

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.pages.browser import Visit, needs_chromium
from tests.e2e.pages.wall import HOSTILE
from tests.pictures import picture, put

pytestmark = needs_chromium
RULES = [
    ({"status": "online", "age": 0, "problem": None}, "LIVE"),
    ({"status": "online", "age": 600, "problem": None}, "LIVE"),
    ({"status": "online", "age": 601, "problem": None}, "STALE"),
    ({"status": "offline", "age": 1, "problem": None}, "SILENT"),
    ({"status": "online", "age": None, "problem": None}, "SILENT"),
    ({"status": "online", "age": None, "problem": {"code": "no_snapshot"}}, "SILENT"),
    ({"status": "error", "age": 1, "problem": None}, "ERROR"),
    ({"status": "error", "age": None, "problem": {"code": "no_snapshot"}}, "ERROR"),
    ({"status": "online", "age": None, "problem": {"code": "folder_outside_base"}}, "ERROR"),
    ({"status": "offline", "age": None, "problem": {"code": "folder_not_found"}}, "ERROR"),
    ({"status": "online", "age": 5, "problem": {"code": "unreachable"}}, "ERROR"),
    ({"status": "online", "age": 5, "problem": None, "unanswered": True}, "NO ANSWER"),
    ({"status": "error", "age": None, "problem": None, "unanswered": True}, "NO ANSWER"),
]
AGES = [
    *((-1, "0 s ago"), (0.9, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago")),
    *((3599, "59 min ago"), (3600, "1 h ago"), (86399, "23 h ago"), (86400 * 3, "3 d ago")),
]
# Calls a function of a module that the page stands on, for each list of arguments.
CALL = """async ([module, name, calls]) => {
  const script = document.querySelector("script[type=module]").src;
  const found = await import(new URL(module, script));
  return calls.map((call) => found[name](...call));
}"""
# For the rule that the wall looks after a while no time passes, or much at once, in ms.
STOPPED = "window.running = performance.now; performance.now = () => 0"
LATER = "performance.now = window.running ?? performance.now; window.later = 31_000"
WIDTHS = (320, 640, 960, 1280, 1920)
# For each request for the list: when, in ms, and how long the page said that it would wait for it.
RECORD = """() => {
  const { fetch } = window;
  window.attempts = [];
  window.fetch = (path, options) => {
    const [seconds] = document.querySelector("#trouble").textContent.match(/\\d+/) ?? [0];
    if (path === "/api/cameras") window.attempts.push([performance.now(), Number(seconds)]);
    return fetch(path, options);
  };
}"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_the_rules_of_state_and_age(wall):
    wall.page.goto("/")
    states = [[known, 600] for known, _ in RULES]
    assert wall.page.evaluate(CALL, ["state.js", "stateOf", states]) == [s for _, s in RULES]
    ages = [[seconds] for seconds, _ in AGES]
    assert wall.page.evaluate(CALL, ["state.js", "ageText", ages]) == [text for _, text in AGES]


def test_each_state_is_shown_in_words_and_colour(wall):
    wall.put("live/a.jpg")
    wall.put("stale/a.jpg", age=3600)
    (wall.server.base / "silent").mkdir()
    cameras = {name: wall.add(name, name.lower()) for name in ("LIVE", "STALE", "SILENT")}
    cameras["ERROR"] = wall.add("ERROR", "/etc")
    colours = set()
    for name, camera in cameras.items():
        tile = wall.see(camera, name)
        colours.add(tile.locator(".state").evaluate("node => getComputedStyle(node).color"))
    assert len(colours) == 4
    expect(wall.tile(cameras["STALE"]).locator(".age")).to_have_text("1 h ago")
    expect(wall.tile(cameras["SILENT"])).to_contain_text("holds no picture yet")
    expect(wall.tile(cameras["ERROR"])).to_contain_text("not inside the configured base path")
    assert wall.visit.violations() == []


def test_the_age_keeps_counting(wall):
    camera = wall.add()
    wall.put(age=110)
    age = wall.see(camera, "LIVE", "?refresh=3600").locator(".age")
    expect(age).to_have_text(re.compile(r"^([2-9]|\d\d) min ago"))
    asked = [url for url in wall.visit.asked if "/snapshot" in url]
    assert len(asked) == 1
    expect(wall.see(camera, "STALE", "?stale=60").locator("img")).to_be_visible()


def test_a_new_picture_replaces_the_old_one_and_an_unchanged_one_costs_a_304(wall):
    camera = wall.add()
    wall.put()
    answers = []
    wall.page.on("response", lambda answer: "snapshot" in answer.url and answers.append(answer))
    image = wall.see(camera, "LIVE", "?refresh=1").locator("img")
    first = image.get_attribute("src")
    wall.page.evaluate(STOPPED)
    wall.put("front/b.jpg", shade=200)
    expect(image).not_to_have_attribute("src", first)
    assert wall.page.evaluate("document.querySelectorAll('.tile img').length") == 1
    # The wall checks each picture after a while even without a new upload.
    wall.page.evaluate(LATER)
    with wall.page.expect_response(lambda answer: answer.status == 304):
        pass
    # It may have looked in between, too.
    statuses = [answer.status for answer in answers]
    assert (statuses.count(200), set(statuses)) == (2, {200, 304})


def test_a_deleted_picture_disappears_from_the_wall(wall):
    camera = wall.add()
    wall.put()
    tile = wall.see(camera, "LIVE", "?refresh=1")
    (wall.server.base / "front" / "a.jpg").unlink()
    wall.page.evaluate(LATER)
    expect(tile.locator(".state")).to_have_text("SILENT")
    expect(tile.locator("img")).to_have_count(0)
    expect(wall.page.locator("#news")).to_have_text("Front Door is SILENT now.")


def test_a_broken_picture_is_an_error_and_is_not_fetched_repeatedly(wall):
    camera = wall.add()
    broken = b"\xff\xd8\xff" + bytes(1000) + b"\xff\xd9"
    put(wall.server.base / "front" / "a.jpg", broken, age=60)
    expect(wall.see(camera, "ERROR", "?refresh=1")).to_contain_text("cannot be displayed")
    with wall.page.expect_response(lambda answer: answer.status == 304):
        wall.page.evaluate(LATER)
    expect(wall.tile(camera)).to_contain_text("cannot be displayed")


def test_added_changed_and_deleted_cameras_show_without_a_reload(wall):
    wall.page.goto("/?refresh=1")
    expect(wall.page.locator("#empty")).to_be_visible()
    camera = wall.add("Zebra")
    expect(wall.tile(camera)).to_contain_text("Zebra")
    expect(wall.page.locator("#empty")).to_be_hidden()
    other = wall.add("Ant")
    expect(wall.page.locator(".tile").first).to_contain_text("Ant")
    url = f"{wall.server.url}/api/cameras/"
    requests.patch(url + camera["id"], json={"name": "Yak"}, timeout=30)
    expect(wall.tile(camera).locator(".name")).to_have_text("Yak")
    requests.delete(url + other["id"], timeout=30)
    expect(wall.tile(other)).to_have_count(0)


def test_the_order_by_age(wall):
    for name, age in (("Ant", 100), ("Bee", 10), ("Cat", 50)):
        wall.put(f"{name}/a.jpg", age=age)
        wall.add(name, name)
    last = wall.add("Aaa", "nothing")
    wall.see(last, "ERROR", "?order=age")
    names = wall.page.locator(".tile .name")
    expect(names).to_have_text(["Bee", "Cat", "Ant", "Aaa"])


def test_tiles_keep_their_order_while_one_has_the_focus(wall):
    for name, age in (("Ant", 100), ("Bee", 200)):
        wall.put(f"{name}/a.jpg", age=age)
    cameras = [wall.add(name, name) for name in ("Ant", "Bee")]
    wall.see(cameras[1], "LIVE", "?order=age&refresh=1")
    names = wall.page.locator(".tile .name")
    expect(names).to_have_text(["Ant", "Bee"])
    names.nth(1).focus()
    picture = wall.tile(cameras[1]).locator("img")
    before = picture.get_attribute("src")
    wall.put("Bee/b.jpg", shade=99)
    expect(picture).not_to_have_attribute("src", before)
    wall.page.wait_for_timeout(300)
    assert names.all_text_contents() == ["Ant", "Bee"]
    names.nth(1).blur()
    expect(names).to_have_text(["Bee", "Ant"])


def test_a_service_that_fails_is_asked_less_and_less_often_and_the_page_says_so(wall):
    camera = wall.add()
    wall.put()
    wall.see(camera, "LIVE", "?refresh=1")
    wall.page.evaluate(RECORD)
    wall.page.route("**/api/**", lambda route: route.abort())
    trouble = wall.page.locator("#trouble")
    expect(trouble).to_contain_text(
        re.compile(r"not answer\. Next attempt in (32|64|128|256|300) s\.")
    )
    attempts = wall.page.evaluate("window.attempts")
    waits = [seconds for _, seconds in attempts if seconds]
    assert waits[:4] == [2, 4, 8, 16]
    for (before, _), (moment, seconds) in pairwise(attempts):
        assert moment - before >= 990 * seconds  # the browser rounds its clock
    expect(wall.tile(camera).locator("img")).to_be_visible()
    wall.page.set_viewport_size({"width": 320, "height": 200})
    expect(trouble).to_be_in_viewport()
    wall.page.unroute("**/api/**")
    expect(trouble).to_be_empty()


def test_the_next_attempt_can_be_made_at_once(wall):
    wall.see(wall.add(), "ERROR", "?refresh=60")
    wall.page.route("**/api/**", lambda route: route.abort())
    trouble = wall.page.locator("#trouble")
    for wait in (120, 240, 300, 300):
        wall.page.evaluate(HIDE, False)
        expect(trouble).to_contain_text(f"The service does not answer. Next attempt in {wait} s.")
    assert wall.visit.violations() == []
    wall.page.unroute("**/api/**")
    trouble.get_by_role("button", name="Try now").click()
    expect(trouble).to_be_empty()


def test_without_an_answer_for_15_seconds_a_tile_says_since_when(wall):
    camera = wall.add()
    wall.put()
    tile = wall.see(camera, "LIVE", "?refresh=1")
    wall.page.route("**/api/**", lambda route: route.abort())
    expect(tile.locator(".state")).to_have_text("NO ANSWER")
    expect(tile.locator(".age")).to_have_text(re.compile(r"since \d\d:\d\d:\d\d"))
    expect(wall.page.locator("#news")).to_have_text("No answer about Front Door.")
    assert wall.visit.violations() == []
    wall.page.unroute("**/api/**")
    expect(tile.locator(".state")).to_have_text("LIVE")
    expect(tile.locator(".age")).to_have_text(re.compile("ago"))


def test_a_picture_that_is_not_answered_for_15_seconds_is_not_called_live(wall):
    camera = wall.add()
    wall.put()
    tile = wall.see(camera, "LIVE", "?refresh=1")
    held = []
    wall.page.route("**/snapshot*", lambda route: held.append(route))
    with wall.page.expect_request("**/snapshot*"):
        wall.put("front/b.jpg", shade=99)
    expect(tile.locator(".state")).to_have_text("NO ANSWER")
    held[0].continue_()
    wall.page.unroute("**/snapshot*")
    expect(tile.locator(".state")).to_have_text("LIVE")


@pytest.mark.parametrize(("window", "scale"), [(360, 1), (1366, 1), (360, 3)])
def test_pictures_are_as_wide_as_their_tiles(browser, wall, window, scale):
    put(wall.server.base / "front" / "a.jpg", picture(size=(1920, 1080)))
    camera = wall.add()
    viewport = {"width": window, "height": 700}
    visit = Visit(browser, wall.server.url, viewport=viewport, device_scale_factor=scale)
    visit.page.goto("/?refresh=3600")
    tile = visit.page.locator(f'.tile[data-id="{camera["id"]}"]')
    expect(tile.locator(".state")).to_have_text("LIVE")
    shown = scale * tile.locator(".picture").evaluate("node => node.clientWidth")
    natural = tile.locator("img").evaluate("node => node.naturalWidth")
    assert shown <= natural == next(width for width in WIDTHS if width >= shown)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == window
    tile.locator(".name").click()
    large = visit.page.locator("#large figure > img")
    expect(large).to_be_visible()
    visit.page.wait_for_function(
        "() => document.querySelector('#large figure > img').naturalWidth === 1920"
    )
    expect(visit.page.locator("#large")).to_contain_text("camera created by anonymous")
    visit.close()


def test_a_picture_that_cannot_be_resized_is_shown_as_it_is(wall):
    camera = wall.add()
    body = '{"code": "picture_not_resizable", "detail": "It cannot be resized."}'
    wall.page.route("**/snapshot?width=*", lambda route: route.fulfill(status=422, body=body))
    wall.put()
    expect(wall.see(camera, "LIVE").locator("img")).to_be_visible()


def test_one_picture_that_fails_does_not_stop_the_others(wall):
    bad, good = wall.add("Bad", "bad"), wall.add("Good", "good")
    wall.put("good/a.jpg")
    body = '{"code": "internal_error", "detail": "The service failed."}'
    wall.page.route(
        f"**/{bad['id']}/snapshot*", lambda route: route.fulfill(status=500, body=body)
    )
    wall.see(good, "LIVE")
    expect(wall.tile(bad)).to_contain_text("The service failed. Next attempt in 60 s.")
    expect(wall.tile(bad).locator(".state")).to_have_text("ERROR")


def test_a_hidden_tab_sends_no_requests(wall):
    wall.see(wall.add(), "ERROR", "?refresh=1")
    wall.page.evaluate(HIDE, True)
    wall.page.wait_for_timeout(200)
    before = len(wall.visit.asked)
    wall.page.wait_for_timeout(500)
    assert len(wall.visit.asked) == before
    with wall.page.expect_request("**/api/cameras"):
        wall.page.evaluate(HIDE, False)


def test_hostile_names_stay_text_and_break_nothing(wall):
    wall.page.set_viewport_size({"width": 320, "height": 600})
    cameras = [wall.add(name, name[:100]) for name in (*HOSTILE, "Last")]
    wall.see(cameras[-1], "ERROR")
    for camera in cameras[:-1]:
        wall.page.click(f'a[href="#{camera["id"]}"]')
        large = wall.page.locator("#large")
        expect(large.locator("h2")).to_have_text(camera["name"])
        expect(large).to_contain_text("camera created by anonymous")
        assert large.evaluate("node => node.scrollWidth - node.clientWidth") == 0
        if len(camera["name"]) == 255:
            assert wall.visit.violations() == []
        large.get_by_role("button", name="Close").click()
    names = wall.page.locator(".tile .name").all_text_contents()
    assert sorted(names) == sorted([*HOSTILE, "Last"])
    assert not wall.page.title().startswith("run")
    assert wall.page.locator("[onerror], .tile img").count() == 0
    wide = wall.page.evaluate("document.documentElement.scrollWidth")
    assert wide == 320
    assert wall.visit.violations() == []


def test_a_kiosk_is_pictures_from_edge_to_edge(wall):
    wall.page.set_viewport_size({"width": 1280, "height": 720})
    cameras = [wall.add(f"Camera {number}", f"{number}") for number in range(6)]
    for number in range(6):
        wall.put(f"{number}/a.jpg", shade=number * 40)
    wall.see(cameras[-1], "LIVE", "?kiosk=1&columns=3")
    assert wall.page.locator("header").is_hidden()
    assert wall.page.locator("#wall a, #wall button").count() == 0
    tops = wall.page.locator(".tile").evaluate_all("nodes => nodes.map((n) => n.offsetTop)")
    assert len(set(tops)) == 2
    assert wall.page.evaluate("document.documentElement.scrollHeight") == 720
    assert wall.visit.violations() == []


# Pictures, width, height and caption of the screen, and how many columns show them largest.
KIOSKS = [
    *(((1, 1920, 1080, 32), 1), ((2, 1920, 1080, 32), 2), ((2, 390, 844, 32), 1)),
    *(((4, 1920, 1080, 32), 2), ((6, 1920, 1080, 32), 3), ((10, 1920, 1080, 32), 4)),
    *(((10, 390, 844, 32), 2), ((16, 1024, 768, 32), 4), ((500, 1920, 1080, 32), 12)),
]


def test_a_kiosk_has_the_columns_that_show_the_pictures_largest(wall):
    wall.page.goto("/")
    asked = [list(screen) for screen, _ in KIOSKS]
    found = wall.page.evaluate(CALL, ["columns.js", "columnsFor", asked])
    assert found == [columns for _, columns in KIOSKS]
    for number in range(10):
        wall.add(f"Camera {number}", f"{number}")
    wall.page.set_viewport_size({"width": 1920, "height": 1080})
    wall.page.goto("/?kiosk=1&refresh=1")
    lefts = "[...new Set([...document.querySelectorAll('.tile')].map((t) => t.offsetLeft))].length"
    wall.page.wait_for_function(f"() => {lefts} === 4")
    wall.page.set_viewport_size({"width": 390, "height": 844})
    wall.page.wait_for_function(f"() => {lefts} === 2")
    assert wall.page.evaluate("document.documentElement.scrollHeight") == 844
    for number in range(10, 30):
        wall.add(f"Camera {number}", f"{number}")
    wall.page.wait_for_function(f"() => {lefts} === 3")


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        *(("light", 3840), ("dark", 320)),
        pytest.param("light", 320, marks=pytest.mark.slow),
        pytest.param("dark", 3840, marks=pytest.mark.slow),
    ],
)
def test_it_is_readable_and_usable_at_any_size(wall, scheme, width):
    wall.page.emulate_media(color_scheme=scheme)
    wall.page.set_viewport_size({"width": width, "height": 900})
    wall.put()
    wall.see(wall.add(), "LIVE")
    assert wall.page.evaluate("document.documentElement.scrollWidth") == width
    assert wall.visit.violations() == []
    boxes = [found.bounding_box() for found in wall.page.locator("button, nav a").all()]
    assert all(min(box["width"], box["height"]) >= 44 for box in boxes)
    assert wall.page.evaluate("document.getAnimations().length") == 0


def test_it_shows_the_pictures_without_javascript(browser, wall):
    wall.add()
    wall.put()
    bare = Visit(browser, wall.server.url, java_script_enabled=False)
    bare.page.goto("/")
    expect(bare.page.get_by_alt_text("Newest picture of Front Door")).to_be_visible()
    assert [url for url in bare.asked if url.endswith("?disposition=inline")]
    bare.close()
