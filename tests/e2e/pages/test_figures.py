"""What does a wall of 16 cameras cost, in time and in bytes on the wire?"""

import pytest
from playwright.sync_api import expect

from tests.e2e.pages.browser import Visit, needs_chromium
from tests.e2e.pages.counting import counted

pytestmark = needs_chromium
CAMERAS = 16
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"  # ms
SHIFT = """new Promise((done) => new PerformanceObserver((list) =>
  done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))
  .observe({ type: "layout-shift", buffered: true })) """
NO_SHIFT = "new Promise((done) => setTimeout(() => done(0), 300))"


@pytest.fixture
def hung(wall):
    """A wall with 16 cameras and their pictures."""
    for number in range(CAMERAS):
        wall.add(f"Camera {number}", f"{number}")
        wall.put(f"{number}/20251223/MDAlarm_20251223-120000.jpg", shade=number * 15, age=60)
    return wall


def expect_pictures(page):
    expect(page.locator(".tile img")).to_have_count(CAMERAS)


@pytest.mark.slow
def test_the_page_is_light_and_painted_within_a_second(hung, browser):
    paints, weights = [], []
    while not paints or (min(paints) >= 1000 and len(paints) < 10):
        visit = Visit(browser, hung.server.url, hurry=False)
        weight = weigh(visit)
        visit.page.goto("/")
        expect_pictures(visit.page)
        paints.append(visit.page.evaluate(PAINT))
        assert visit.page.evaluate(f"Promise.race([{SHIFT}, {NO_SHIFT}])") < 0.01
        weights.append(sum(weight))
        visit.close()
    print(f"first paint {sorted(paints)} ms, weight {weights} bytes")
    assert min(paints) < 1000
    assert max(weights) < 40_000


def weigh(visit):
    """The bytes of every response except pictures, headers included."""
    session = visit.context.new_cdp_session(visit.page)
    session.send("Network.enable")
    urls, weight = {}, []

    def note(event):
        urls[event["requestId"]] = event["response"]["url"]

    def add(event):
        if "/snapshot" not in urls.get(event["requestId"], ""):
            weight.append(event["encodedDataLength"])

    session.on("Network.responseReceived", note)
    session.on("Network.loadingFinished", add)
    return weight


@pytest.mark.slow
def test_an_idle_minute_is_less_than_100_kilobytes(hung, browser):
    with counted(hung.server.url) as counter:
        visit = Visit(browser, counter.url, hurry=False)
        visit.page.goto("/?refresh=10")
        expect_pictures(visit.page)
        visit.page.wait_for_timeout(2000)
        before, asked = counter.bytes, len(visit.asked)
        visit.page.wait_for_timeout(60_000)
        spent, asked = counter.bytes - before, len(visit.asked) - asked
        visit.close()
    print(f"an idle minute: {spent} bytes, {asked} requests")
    assert asked > CAMERAS
    assert spent < 100_000
