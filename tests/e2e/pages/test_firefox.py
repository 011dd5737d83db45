"""Do the pages work in Debian's firefox-esr, on a phone and on a laptop?"""

import io
from datetime import UTC, datetime
from functools import partial

import pytest
import requests
from PIL import Image

from tests.clips import H264, MPEG4, make_clip, needs_ffmpeg
from tests.e2e.forked import ForkedServer
from tests.e2e.pages.firefox import firefox, needs_firefox
from tests.e2e.pages.wall import HOSTILE
from tests.pictures import picture, put

pytestmark = needs_firefox
# Width and height of the page in pixels.
SCREENS = [pytest.param((360, 740), id="phone"), pytest.param((1366, 768), id="laptop")]
PICTURE_WIDTH = 640  # that a tile needs on both of them
TILES = "document.querySelectorAll('.tile[data-state=LIVE] img').length"


def photo():
    """A JPEG that is wider than any tile."""
    out = io.BytesIO()
    Image.new("RGB", (1920, 1080), (90, 120, 160)).save(out, "JPEG")
    return out.getvalue()


def says(selector, text):
    return f"document.querySelector('{selector}').textContent.includes('{text}')"


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A server with two cameras, a picture of each and an event."""
    with ForkedServer(tmp_path_factory.mktemp("firefox")) as server:
        for name in ("Front Door", HOSTILE[0]):
            body = {"name": name, "folder_path": "front"}
            camera = requests.post(f"{server.url}/api/cameras", json=body, timeout=30).json()
        put(server.base / "front" / "a.jpg", photo())
        event = {"camera_id": camera["id"], "started_at": "2025-12-23T12:00:00Z"}
        requests.post(f"{server.url}/api/events", json=event, timeout=30)
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with firefox(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(params=SCREENS)
def tab(browser, box, request):
    """The tab in the size of a screen; checks that nothing failed and no other host was asked."""
    browser.resize(*request.param)
    yield browser
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.violations() == []
    strangers = [url for url in browser.asked if not url.startswith((box.url, f"blob:{box.url}"))]
    assert (browser.complaints, strangers) == ([], [])
    browser.asked.clear()


def test_the_wall_asks_for_pictures_as_wide_as_its_tiles(tab, box):
    tab.goto(f"{box.url}/?refresh=3600")
    tab.wait_for(f"{TILES} === 2")
    asked = {url.partition("/snapshot")[2] for url in tab.asked if "/snapshot" in url}
    assert asked == {f"?width={PICTURE_WIDTH}"}
    assert tab.evaluate("document.querySelector('.tile img').naturalWidth") == PICTURE_WIDTH


def test_the_events_page_shows_events_and_saves_a_review(tab, box):
    tab.goto(f"{box.url}/events")
    tab.wait_for("document.querySelectorAll('#events > li').length === 1")
    before = tab.evaluate("document.querySelector('#events button').ariaPressed")
    tab.press("#events button")
    tab.wait_for(f"document.querySelector('#events button').ariaPressed !== '{before}'")
    event = requests.get(f"{box.url}/api/events", timeout=30).json()["events"][0]
    assert event["reviewed"] == (before == "false")


def test_the_storage_page_shows_figures_and_changes_a_limit(tab, box):
    settings = f"{box.url}/api/settings"
    tab.goto(f"{box.url}/storage")
    tab.wait_for("document.querySelector('#cameras').childElementCount === 2")
    tab.press("#limits button")
    tab.evaluate("document.querySelector('#f-keep_days').value = 30")
    tab.press("dialog button.main")
    tab.wait_for("document.querySelector('#limits').textContent.includes('older than 30 days')")
    tab.wait_for("document.querySelector('#plan').textContent.includes('Nothing would be')")
    assert requests.get(settings, timeout=30).json()["keep_days"] == 30
    requests.patch(settings, json={"keep_days": None}, timeout=30)


def test_a_notification_is_added_switched_off_and_deleted(tab, box):
    tab.goto(f"{box.url}/notifications")
    tab.wait_for(says("#rules", "Nobody is told anything yet."))
    tab.press("#add")
    tab.wait_for("document.querySelector('dialog') !== null")
    tab.evaluate("document.querySelector('#f-name').value = 'Hallway'")
    tab.evaluate("document.querySelector('#f-url').value = 'http://127.0.0.1:9/hook'")
    tab.evaluate("document.querySelector('#f-kinds').value = 'event'")
    tab.press("dialog button.main")
    tab.wait_for("document.querySelector('dialog code') !== null")
    tab.press("dialog button")
    tab.evaluate("document.querySelector('[id^=switch-]').focus()")
    tab.press("[id^=switch-]")
    tab.wait_for(says("#rules", "Switched off."))
    assert tab.evaluate("document.activeElement.textContent") == "Switch on"
    tab.press("[id^=delete-]")
    tab.press("dialog button.main")
    tab.wait_for(says("#rules", "Nobody is told anything yet."))


def test_the_page_of_home_assistant_shows_the_address(tab, box):
    tab.goto(f"{box.url}/homeassistant")
    assert tab.evaluate(says("main", f"{box.url}/api/homeassistant"))


@pytest.fixture
def day(tab, box):
    """The address of a camera's day with three pictures and two clips, and what its page says."""
    moment = partial(datetime, 2025, 12, 23, 3, tzinfo=UTC)
    folder = box.base / "day"
    for second in (5, 15, 25):
        data = picture(shade=second)
        put(folder / f"{second}.jpg", data, now=moment(12, second).timestamp())
    make_clip(folder / "clip.mp4", moment(20), *H264)
    make_clip(folder / "old.avi", moment(30), *MPEG4)
    body = {"name": "Day", "folder_path": "day"}
    camera = requests.post(f"{box.url}/api/cameras", json=body, timeout=30).json()
    requests.patch(f"{box.url}/api/settings", json={"timezone": "Europe/Berlin"}, timeout=30)
    yield f"{box.url}/cameras/{camera['id']}"
    requests.delete(f"{box.url}/api/cameras/{camera['id']}", timeout=30)
    for path in folder.iterdir():
        path.unlink()


@needs_ffmpeg
def test_a_day_shows_pictures_and_plays_clips(tab, day, box):
    tab.goto(f"{day}?day=2025-12-23")
    tab.wait_for(says("#viewer", "This browser cannot play this clip."))
    tab.press("[data-step=picture]")
    tab.wait_for("document.querySelector('video')?.videoWidth === 320")
    tab.evaluate("document.querySelector('video').currentTime = 1")
    tab.wait_for("!document.querySelector('video').seeking")
    tab.evaluate("document.querySelector('video').play()")
    tab.wait_for("document.querySelector('video').currentTime > 1.2")
    tab.evaluate("document.querySelector('[name=time]').value = '04:12:16'")
    tab.press("#go button.main")
    tab.wait_for(says("figcaption", "04:12:15"))
    tab.wait_for("document.querySelector('#viewer img')?.naturalWidth === 320")
    tab.press(".tools button")
    tab.wait_for(says("figcaption", "kept"))
    tab.press(".tools button")
    tab.wait_for("!" + says("figcaption", "kept"))
    tab.press(".tools button:last-child")
    tab.press("dialog button.main")
    tab.wait_for("document.querySelectorAll('#strip a').length === 4")
    tab.evaluate("history.back()")
    tab.wait_for(says("figcaption", "clip.mp4"))
    assert not (box.base / "day" / "15.jpg").exists()
