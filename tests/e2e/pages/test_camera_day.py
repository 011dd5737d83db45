"""Can a person look back at a day of a camera: moments, pictures and clips?"""

import os
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import requests
from playwright.sync_api import expect

from app.models import Row
from tests.clips import H264, H265, H265_WITH_SOUND, MPEG4, make_clip, make_long_clip, needs_ffmpeg
from tests.e2e.forked import ForkedServer
from tests.e2e.pages.browser import Visit, needs_chromium
from tests.e2e.pages.wall import HOSTILE
from tests.pictures import picture, put

pytestmark = needs_chromium
ZONE = ZoneInfo("Europe/Berlin")
# Two moments on the 22nd, a third after midnight (still the 22nd in UTC), and a full page later.
NIGHT = datetime(2025, 12, 23, 0, 12, tzinfo=ZONE)
TIMES = [
    *(NIGHT - timedelta(hours=12, seconds=s) for s in (0, 10)),
    *(NIGHT - timedelta(hours=6, seconds=s) for s in (0, 10, 20)),
    *(NIGHT + timedelta(seconds=s) for s in (0, 10, 20, 30)),
    *(NIGHT + timedelta(days=3, seconds=s) for s in range(150)),
]
CLIPS = {
    "h264.mp4": (datetime(2025, 12, 28, 12, tzinfo=ZONE), H264),
    "h265.mp4": (datetime(2025, 12, 28, 13, tzinfo=ZONE), H265),
    "sound.mp4": (datetime(2025, 12, 28, 13, 30, tzinfo=ZONE), H265_WITH_SOUND),
    "old.avi": (datetime(2025, 12, 28, 14, tzinfo=ZONE), MPEG4),
}
CLIP_BYTES = 300 * 1024 * 1024


def set_time(path, moment):
    os.utime(path, (moment.timestamp(), moment.timestamp()))


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A server in Berlin with a camera that has uploaded on three days, and one with clips."""
    folder = tmp_path_factory.mktemp("days")
    with ForkedServer(folder, NVR_TIMEZONE=ZONE.key) as server:
        for number, moment in enumerate(TIMES):
            path = put(server.base / "front" / f"{number}.jpg", picture(shade=number % 256))
            set_time(path, moment)
        server.front = add(server, "Front Door", "front")
        yield server


def add(server, name, folder):
    body = {"name": name, "folder_path": folder}
    answer: Row = requests.post(f"{server.url}/api/cameras", json=body, timeout=30).json()
    return f"/cameras/{answer['id']}"


@pytest.fixture(scope="module")
def tokyo(box, browser):
    """A tab of a reader in another time zone than the box's."""
    visit = Visit(browser, box.url, timezone_id="Asia/Tokyo")
    yield visit
    visit.close()


@pytest.fixture
def page(tokyo):
    tokyo.page.violations = tokyo.violations
    yield tokyo.page
    tokyo.leave()


def caption(page):
    return page.locator("figcaption")


def thumbs(page):
    return page.locator("#strip a")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1366])
def test_a_day_shows_its_moments_and_pictures_in_any_window(page, box, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(f"{box.front}?day=2025-12-22")
    expect(page.locator("#title")).to_have_text("Monday, 22 December 2025")
    expect(page.locator("#moments a")).to_have_count(2)
    expect(page.locator("#moments")).to_contain_text("18:12:003 pictures")
    expect(thumbs(page)).to_have_count(5)
    expect(caption(page)).to_contain_text("Picture of 2025-12-22 18:12:00")
    expect(page.locator("#viewer img")).to_have_js_property("naturalWidth", 320)
    expect(page.locator("#strip img").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.violations() == []


def test_steps_lead_over_pictures_moments_and_days_and_back(page, box):
    page.goto(f"{box.front}?day=2025-12-22")
    expect(caption(page)).to_contain_text("22 18:12:00")
    press(page, "Previous picture")
    expect(caption(page)).to_contain_text("22 18:11:50")
    press(page, "Previous moment")
    expect(caption(page)).to_contain_text("22 12:11:50")
    press(page, "Previous moment")
    expect(page.locator("#trouble")).to_have_text("There is no earlier one.")
    press(page, "Next moment")
    expect(caption(page)).to_contain_text("22 18:11:40")
    expect(page.locator("#moments [aria-current=true]")).to_contain_text("18:11:40")
    press(page, "Next moment")
    expect(caption(page)).to_contain_text("23 00:12:00")
    press(page, "Next day")
    expect(page.locator("#title")).to_have_text("Friday, 26 December 2025")
    press(page, "Previous day")
    expect(caption(page)).to_contain_text("23 00:12:30")
    page.reload()
    expect(caption(page)).to_contain_text("23 00:12:30")
    page.go_back()
    expect(caption(page)).to_contain_text("26 00:12:00")
    page.go_back()
    expect(caption(page)).to_contain_text("23 00:12:00")
    page.go_forward()
    expect(caption(page)).to_contain_text("26 00:12:00")


def test_the_arrow_keys_go_through_the_pictures_over_the_end_of_a_day(page, box):
    page.goto(f"{box.front}?day=2025-12-22")
    expect(caption(page)).to_contain_text("22 18:12:00")
    thumbs(page).last.focus()
    page.keyboard.press("ArrowLeft")
    expect(caption(page)).to_contain_text("22 18:11:50")
    expect(thumbs(page).nth(3)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(caption(page)).to_contain_text("22 18:12:00")
    page.keyboard.press("ArrowRight")
    expect(caption(page)).to_contain_text("23 00:12:00")
    page.keyboard.press("Shift+ArrowLeft")
    expect(caption(page)).to_contain_text("22 18:11:40")


def test_an_entered_time_is_one_of_the_boxs_time_zone(page, box):
    page.goto(f"{box.front}?day=2025-12-26")
    expect(caption(page)).to_contain_text("26 00:14:29")
    page.get_by_label("Day").fill("2025-12-23")
    page.get_by_label("Time").fill("00:12:14")
    page.keyboard.press("Enter")
    expect(caption(page)).to_contain_text("23 00:12:10")
    assert "at=2025-12-22T23%3A12%3A14.000Z" in page.url
    page.goto(f"{box.front}?at=2025-12-23T08:12:26%2B09:00")
    expect(caption(page)).to_contain_text("23 00:12:30")


def test_a_day_of_many_pictures_is_shown_page_by_page(page, box):
    page.goto(f"{box.front}?at=2025-12-25T23:13:00Z")
    expect(caption(page)).to_contain_text("26 00:13:00")
    expect(thumbs(page)).to_have_count(60)
    expect(page.locator("#count")).to_have_text("150 uploads.")
    press(page, "Later pictures")
    expect(caption(page)).to_contain_text("26 00:13:31")
    press(page, "Previous picture")
    expect(caption(page)).to_contain_text("26 00:13:30")
    expect(page.locator("#strip [aria-current]")).to_have_count(1)
    assert thumbs(page).count() <= 60


@pytest.mark.parametrize(
    "query", ["?day=2025-02-30", "?at=2025-02-30T12:00:00Z", "?picture=..%2Fx", "?at=2025-02-28"]
)
def test_what_the_address_cannot_name_is_not_used(page, box, query):
    page.goto(f"{box.front}{query}")
    expect(page.locator("main > .notice").first).to_contain_text("is not used.")
    present = re.compile(r"(?!2025)\d{4}-")
    expect(page.locator("[name=day]")).to_have_value(present)
    expect(page.locator("#gone")).to_be_empty()


def test_a_day_without_uploads_says_so_and_leads_to_its_neighbours(page, box):
    page.goto(f"{box.front}?day=2025-12-24")
    expect(page.locator("#viewer")).to_contain_text("Nothing was uploaded on this day.")
    assert page.violations() == []
    press(page, "Previous day")
    expect(caption(page)).to_contain_text("23 00:12:30")
    for beyond in ("day=9999-12-31", "day=0001-01-01", "at=9999-12-31T23:59:59Z"):
        page.goto(f"{box.front}?{beyond}")
        expect(page.locator("#viewer")).to_contain_text("Nothing was uploaded on this day.")
    page.goto(add(box, "Nobody", "empty"))
    expect(page.locator("#viewer")).to_contain_text("The camera's folder does not exist")
    (box.base / "empty").mkdir()
    press(page, "Try again")
    expect(page.locator("#viewer")).to_contain_text("has not uploaded a picture or a clip yet")


def test_a_failure_is_shown_and_can_be_tried_again(page, box):
    page.goto(box.front.replace(box.front[-6:], "000000"))
    expect(page.locator("body")).to_contain_text("There is no camera")
    page.route("**/api/**", lambda route: route.abort())
    page.goto(f"{box.front}?day=2025-12-23")
    expect(page.locator("#viewer")).to_contain_text("The service does not answer.")
    expect(page.locator("#trouble")).to_contain_text("The service does not answer.")
    assert page.violations() == []
    page.unroute("**/api/**")
    press(page, "Try again")
    expect(caption(page)).to_contain_text("23 00:12:30")
    expect(page.locator("#trouble")).to_be_empty()


def test_the_moments_are_shown_while_the_folder_does_not_answer(page, box):
    body = '{"code": "storage_not_answering", "detail": "The disk does not answer."}'
    page.route("**/pictures?**", lambda route: route.fulfill(status=503, body=body))
    page.goto(f"{box.front}?day=2025-12-22")
    expect(page.locator("#viewer")).to_contain_text("The disk does not answer.")
    expect(page.locator("#moments a")).to_have_count(2)
    page.unroute("**/pictures?**")
    press(page, "Try again")
    expect(caption(page)).to_contain_text("22 18:12:00")


def test_small_pictures_are_asked_for_again_while_the_service_is_busy(page, box, tokyo):
    refused = []

    def refuse(route):
        refused.append(route.request.url)
        body = '{"code": "out_of_resources", "detail": "Try again in a moment."}'
        route.fulfill(status=503, body=body) if len(refused) < 4 else route.fallback()

    page.route("**/pictures/*?thumbnail=1**", refuse)
    page.goto(f"{box.front}?day=2025-12-23")
    expect(page.locator("#strip img")).to_have_count(4)
    expect(page.locator("#moments img")).to_have_count(1)
    assert all("width=320" in url for url in refused)


def test_hostile_names_are_text(page, box):
    for name in ("<b>bold<b>.jpg", "\N{RIGHT-TO-LEFT OVERRIDE}gpj.jpg"):
        set_time(put(box.base / "hostile" / name, picture()), NIGHT)
    page.goto(f"{add(box, HOSTILE[0], 'hostile')}?day=2025-12-23")
    expect(page.locator("h1")).to_have_text(HOSTILE[0])
    expect(thumbs(page)).to_have_count(2)
    texts = set()
    for _ in range(2):
        thumbs(page).nth(len(texts)).click()
        expect(page.locator("#strip [aria-current]")).to_have_count(1)
        texts.add(caption(page).text_content())
    assert any("<b>bold<b>.jpg" in text for text in texts)
    assert page.title().startswith("<img")


@pytest.fixture
def today(box, page, request):
    """The page of a camera that has just uploaded three pictures, and its folder."""
    folder = box.base / request.node.name
    for number in range(3):
        put(folder / f"{number}.jpg", picture(shade=number), age=30 - number * 10)
    page.goto(add(box, "Today", request.node.name))
    expect(thumbs(page)).to_have_count(3)
    return page, folder


def test_new_pictures_appear_while_another_one_is_looked_at(today):
    page, folder = today
    thumbs(page).first.click()
    before, url = caption(page).text_content(), page.url
    put(folder / "new.jpg", picture(shade=99))
    expect(thumbs(page)).to_have_count(4)
    expect(page.locator("#moments")).to_contain_text("4 pictures")
    assert (caption(page).text_content(), page.url) == (before, url)
    expect(thumbs(page).first).to_have_attribute("aria-current", "true")


def test_the_address_names_the_picture_even_where_none_was_asked_for(today):
    page, folder = today
    expect(page).to_have_url(re.compile("picture="))
    shown = caption(page).text_content()
    put(folder / "new.jpg", picture(shade=99))
    page.reload()
    expect(thumbs(page)).to_have_count(4)
    assert caption(page).text_content() == shown
    page.go_back()
    expect(page).not_to_have_url(re.compile("cameras"))


def test_a_picture_is_saved_under_the_name_that_the_service_gives(page, box):
    page.goto(f"{box.front}?day=2025-12-23")
    expect(caption(page)).to_contain_text("23 00:12:30")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save").click()
    assert download.value.suggested_filename == "Front_Door_20251223T001230+0100.jpg"


def test_a_picture_is_kept_released_and_deleted_after_a_question(today):
    page, folder = today
    page.get_by_role("button", name="Keep").press("Enter")
    expect(caption(page)).to_contain_text("kept")
    expect(page.get_by_role("button", name="Release")).to_be_focused()
    expect(thumbs(page).last).to_contain_text("kept")
    press(page, "Delete")
    dialog = page.get_by_role("dialog", name="Delete this picture?")
    assert page.violations() == []
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_have_text("The picture is kept. Release it first.")
    page.keyboard.press("Escape")
    press(page, "Release")
    expect(page.get_by_role("button", name="Keep", exact=True)).to_be_visible()
    url = page.url
    press(page, "Delete")
    dialog.get_by_role("button", name="Cancel").click()
    assert len(list(folder.iterdir())) == 3
    thumbs(page).last.click()
    expect(page).to_have_url(re.compile("picture="))
    gone = page.url
    press(page, "Delete")
    dialog.get_by_role("button", name="Delete").click()
    expect(thumbs(page)).to_have_count(2)
    expect(thumbs(page).last).to_have_attribute("aria-current", "true")
    assert not (folder / "2.jpg").exists()
    assert page.url not in (gone, url)
    page.goto(gone)
    expect(page.locator("#gone")).to_contain_text("This picture is gone")
    expect(thumbs(page).last).to_have_attribute("aria-current", "true")
    assert page.violations() == []


@pytest.fixture(scope="module")
def clips(box):
    """The path of a camera with clips, of which one has 300 MB."""
    folder = box.base / "clips"
    folder.mkdir()
    for name, (moment, options) in CLIPS.items():
        make_clip(folder / name, moment, *options)
    make_long_clip(folder / "long.mp4", datetime(2025, 12, 27, 12, tzinfo=ZONE), CLIP_BYTES)
    assert (folder / "long.mp4").stat().st_size >= CLIP_BYTES
    return add(box, "Clips", "clips")


@needs_ffmpeg
def test_a_clip_of_300_megabytes_plays_and_seeks(page, clips):
    page.goto(f"{clips}?day=2025-12-27")
    video = page.locator("video")
    expect(video).to_have_js_property("videoWidth", 640)
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    end = video.evaluate("(v) => { v.currentTime = v.duration * 0.9; return v.duration * 0.9; }")
    expect(video).to_have_js_property("seeking", False)
    video.evaluate("(v) => { v.muted = true; return v.play(); }")
    page.wait_for_function(f"() => document.querySelector('video').currentTime > {end} + 0.2")
    expect(page.locator("#strip")).to_contain_text("clip")
    assert page.violations() == []


@needs_ffmpeg
def test_a_clip_that_the_browser_cannot_decode_is_offered_for_saving(page, box, clips):
    for moment in ("13:00", "13:30", "14:00"):
        page.goto(f"{clips}?at=2025-12-28T{moment}:00%2B01:00")
        expect(page.locator("#viewer")).to_contain_text("This browser cannot play this clip.")
        expect(page.locator("#strip img")).to_have_count(4)
        assert page.violations() == []
        save = page.get_by_role("link", name="Save the clip")
        is_legible = (
            "(link) => { const s = getComputedStyle(link); return s.color != s.backgroundColor; }"
        )
        assert save.evaluate(is_legible)
        with page.expect_download() as download:
            save.click()
        assert f"20251228T{moment.replace(':', '')}00+0100" in download.value.suggested_filename
    for _ in range(3):
        press(page, "Previous picture")
    expect(page.locator("video")).to_have_js_property("videoWidth", 320)
    (box.base / "clips" / "h264.mp4").unlink()
    page.goto(f"{clips}?day=2025-12-28")
    expect(thumbs(page)).to_have_count(3)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        *(("Europe/Berlin", "2025-03-30", 23), ("Europe/Berlin", "2025-10-26", 25)),
        # Clocks are set at midnight, forward and back.
        *(("Africa/Cairo", "2025-04-25", 23), ("America/Havana", "2025-11-02", 25)),
        *(("Asia/Kolkata", "2025-12-23", 24), ("Pacific/Apia", "2025-12-23", 24)),
    ],
)
def test_a_day_begins_with_its_first_instant_in_the_zone_of_the_box(page, box, zone, day, hours):
    page.goto(box.front)
    module = page.locator('link[href*="zone.js"]').get_attribute("href")
    start, end, shown = page.evaluate(
        """([path, name, day]) => import(path).then(({ Zone }) => {
          const zone = new Zone(name);
          const { start, end } = zone.period(day);
          return [start, end, [zone.day(Date.parse(start)), zone.day(Date.parse(start) - 1)]];
        })""",
        [module, zone, day],
    )
    first = datetime.fromisoformat(start).astimezone(ZoneInfo(zone))
    before = (first.astimezone(UTC) - timedelta(milliseconds=1)).astimezone(ZoneInfo(zone))
    assert [first.date().isoformat(), before.date().isoformat()] == shown
    assert first.date().isoformat() == day > before.date().isoformat()
    length = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    assert length == timedelta(hours=hours)
