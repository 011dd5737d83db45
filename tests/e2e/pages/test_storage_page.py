"""Does the storage page say how long the disk lasts, and what a limit deletes before it acts?"""

import json
import re

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.pages.browser import needs_chromium
from tests.e2e.pages.wall import HOSTILE

pytestmark = needs_chromium
GB = 10**9
HEALTHY = {"status": "healthy", "message": "All is well."}
LIMITS = ("keep_days", "keep_bytes", "keep_free_bytes")
NOTHING = {"pictures": 0, "clips": 0, "bytes": 0, "oldest": None, "newest": None, "existing": 0}
RUN = {"dry_run": True, "suspended": None, "pictures": 0, "clips": 0, "bytes": 0, "cameras": []}
WENT = {
    "pictures": 1200,
    "clips": 1,
    "bytes": 3 * GB,
    "oldest": "2025-11-01T00:00:00.000000Z",
    "newest": "2025-11-23T00:00:00.000000Z",
    "existing": 0,
}


class StoragePage:
    """A box with cameras, whose figures and retention a test decides."""

    def __init__(self, wall):
        self.wall, self.page = wall, wall.page
        names = ("Front Door", HOSTILE[0], HOSTILE[1], HOSTILE[3])
        self.cameras = [
            {"camera_id": wall.add(name, name[:9])["id"], "name": name} for name in names
        ]
        self.figures = {
            "free_bytes": 30 * GB,
            "used_bytes": 70 * GB,
            "database_bytes": 4 * 10**6,
            "days_left": 12.6,
            "rows": {},
            "cameras": [
                {**camera, **NOTHING, "bytes_per_day": 0, "pictures": 1200 - number, "bytes": GB}
                for number, camera in enumerate(self.cameras)
            ],
        }
        self.checks = {"storage": HEALTHY, "retention": HEALTHY}
        self.run = RUN
        self.runs = []
        self.page.route("**/api/system/storage", lambda route: route.fulfill(json=self.figures))
        self.page.route(
            "**/api/system/health", lambda route: route.fulfill(json={"checks": self.checks})
        )
        self.page.route("**/api/system/retention*", self._retain)

    def _retain(self, route):
        self.runs.append(route.request.url.rpartition("/")[2])
        route.fulfill(body=json.dumps(self.run | {"dry_run": "dry_run" in self.runs[-1]}))

    def settings(self):
        settings = requests.get(f"{self.wall.server.url}/api/settings", timeout=30).json()
        return {name: settings[name] for name in LIMITS}

    def open(self):
        self.page.goto("/storage")
        expect(self.page.locator("#cameras > li")).to_have_count(len(self.figures["cameras"]))
        return self.page


@pytest.fixture
def box(wall):
    url = f"{wall.server.url}/api/settings"
    yield StoragePage(wall)
    requests.patch(url, json=dict.fromkeys(LIMITS), timeout=30)


def dialog_of(page, button):
    page.get_by_role("button", name=button, exact=True).click()
    return page.get_by_role("dialog")


def test_it_says_how_long_the_disk_lasts_and_what_each_camera_takes(box):
    page = box.open()
    room = page.locator("#room")
    expect(room).to_contain_text("12 days left until the disk is full")
    expect(room).to_contain_text(
        re.compile(r"30 GB of 100 GB are free\. The database takes 4 MB\.")
    )
    front = page.locator("#cameras > li").first
    expect(front).to_contain_text("Front Door")
    expect(front.locator("dd").first).to_have_text("1,200")
    expect(page.locator("#limits")).to_contain_text("No limit is set")


@pytest.mark.parametrize(
    ("days", "rate", "said"),
    [
        (0.4, 5, "Less than a day is left"),
        (1.9, 5, "1 day left"),
        (None, 5, "A limit holds before the disk is full."),
        (None, 0, "Nothing was uploaded in 7 days."),
    ],
)
def test_every_answer_about_the_days_left_is_a_sentence(box, days, rate, said):
    box.figures["days_left"] = days
    box.figures["cameras"][0]["bytes_per_day"] = rate
    expect(box.open().locator("#room")).to_contain_text(said)


def test_a_saved_limit_shows_what_it_would_delete_and_can_be_taken_back(box):
    box.run = RUN | WENT | {"cameras": [box.cameras[0] | WENT]}
    page = box.open()
    dialog = dialog_of(page, "Change the limits")
    dialog.get_by_label("Greatest age in days").fill("30")
    dialog.get_by_label("Room that stays free").fill("1.5")
    dialog.get_by_role("button", name="Save").click()
    plan = page.locator("#plan")
    expect(plan).to_contain_text("1,200 pictures and 1 clip (3 GB) would be deleted:")
    expect(plan).to_contain_text("Until then they can be taken back.")
    expect(plan.locator("li")).to_contain_text("Front Door")
    assert box.settings() == {"keep_days": 30, "keep_bytes": 0, "keep_free_bytes": 15 * GB // 10}
    expect(page.locator("#limits")).to_contain_text("older than 30 days")
    box.run = RUN
    plan.get_by_role("button", name="Take the change back").click()
    expect(plan).to_contain_text("Nothing would be deleted.")
    assert box.settings() == dict.fromkeys(LIMITS, 0)
    assert box.runs == ["retention?dry_run=true"] * 2


def test_the_focus_stays_where_a_person_works_by_keyboard(box):
    box.run = RUN | WENT | {"cameras": [box.cameras[0] | WENT]}
    page = box.open()
    page.get_by_role("button", name="Change the limits").press("Enter")
    page.get_by_label("Greatest age in days").fill("30")
    page.keyboard.press("Enter")
    expect(page.locator("#plan")).to_contain_text("would be deleted:")
    expect(page.get_by_role("button", name="Change the limits")).to_be_focused()
    page.get_by_role("button", name="Delete now").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    expect(page.locator("#plan")).to_contain_text("were deleted:")
    expect(page.get_by_role("button", name="Show what would be deleted")).to_be_focused()
    page.locator("#cameras").get_by_role("button").first.press("Enter")
    page.get_by_label("Greatest age in days").press("Escape")
    expect(page.locator("#cameras").get_by_role("button").first).to_be_focused()


def test_an_invalid_value_is_refused_beside_its_field(box):
    dialog = dialog_of(box.open(), "Change the limits")
    field = dialog.get_by_label("Greatest age in days")
    field.fill("-1")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator("#e-keep_days")).not_to_be_empty()
    expect(field).to_be_focused()
    assert box.settings() == dict.fromkeys(LIMITS, 0)


def test_a_limit_that_the_environment_sets_is_shown_but_cannot_be_changed(box):
    url = f"{box.wall.server.url}/api/settings"
    settings = requests.get(url, timeout=30).json() | {"fixed": ["keep_days"], "keep_days": 9}
    box.page.route("**/api/settings", lambda route: route.fulfill(json=settings))
    dialog = dialog_of(box.open(), "Change the limits")
    field = dialog.get_by_label("Greatest age in days")
    expect(field).to_be_disabled()
    expect(field).to_have_value("9")
    expect(dialog).to_contain_text("NVR_KEEP_DAYS in the environment of the service fixes it.")


def test_a_camera_has_limits_of_its_own(box):
    page = box.open()
    dialog = dialog_of(page, "Limits of Front Door")
    dialog.get_by_label("Greatest age in days").fill("7")
    dialog.get_by_label("Room for its pictures").fill("20")
    dialog.get_by_label("Files from before").check()
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#plan")).to_contain_text("Nothing would be deleted.")
    url = f"{box.wall.server.url}/api/cameras/{box.cameras[0]['camera_id']}/settings"

    def stored():
        settings = requests.get(url, timeout=30).json()
        return settings["keep_days"], settings["keep_bytes"], settings["prune_existing"]

    assert stored() == (7, 20 * GB, True)
    dialog = dialog_of(page, "Limits of Front Door")
    dialog.get_by_label("Greatest age in days").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert stored() == (None, 20 * GB, True)


def test_the_page_shows_what_health_says_while_the_base_path_is_missing(wall):
    base = wall.server.base
    moved = base.rename(base.with_name("elsewhere"))
    try:
        wall.page.goto("/storage")
        advice = wall.page.locator("#advice")
        expect(advice).to_contain_text("The base path of the uploads is missing")
        expect(advice).to_contain_text("The free space is unknown")
    finally:
        moved.rename(base)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("clock", "the clock of the box cannot be right"),
        ("base_path_missing", "the folder of the uploads is missing"),
        ("restored", "the database was restored or replaced"),
    ],
)
def test_the_page_says_why_nothing_is_deleted_and_what_to_do(box, reason, said):
    box.checks["retention"] = {"status": "degraded", "message": "Retention is suspended."}
    box.run = RUN | {"suspended": reason}
    page = box.open()
    expect(page.locator("#advice")).to_have_text("Retention is suspended.")
    page.get_by_role("button", name="Show what would be deleted").click()
    expect(page.locator("#plan")).to_contain_text(said)
    assert page.get_by_role("button", name="Delete now").count() == 0


def test_after_a_restore_a_person_says_that_the_limits_are_right(box):
    box.run = RUN | {"suspended": "restored"}
    page = box.open()
    page.get_by_role("button", name="Show what would be deleted").click()
    with page.expect_request(lambda request: request.method == "PATCH") as sent:
        page.get_by_role("button", name="The limits are right").click()
    assert sent.value.post_data_json == {"keep_days": 0}


def test_nothing_is_deleted_before_a_person_has_confirmed_it(box):
    box.run = RUN | WENT | {"cameras": [box.cameras[1] | WENT, box.cameras[0] | NOTHING]}
    box.run["cameras"][1]["existing"] = 12
    page = box.open()
    page.get_by_role("button", name="Show what would be deleted").click()
    plan = page.locator("#plan")
    expect(plan).to_contain_text("12 files from before the camera had this folder stay.")
    dialog = dialog_of(page, "Delete now")
    expect(dialog).to_contain_text("1,200 pictures and 1 clip (3 GB) are deleted")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert box.runs == ["retention?dry_run=true"]
    dialog_of(page, "Delete now").get_by_role("button", name="Delete", exact=True).click()
    expect(plan).to_contain_text("1,200 pictures and 1 clip (3 GB) were deleted:")
    assert box.runs == ["retention?dry_run=true", "retention"]


def test_what_was_shown_is_deleted_and_nothing_else(wall):
    camera = wall.add()
    for days in (0, 3, 4, 5):
        wall.put(f"front/{days}.jpg", shade=days, age=days * 86400)
    pictures = f"{wall.server.url}/api/cameras/{camera['id']}/pictures"
    kept = requests.get(pictures, timeout=30).json()["pictures"][1]
    requests.put(f"{pictures}/{kept['id']}/keep", timeout=30)
    page = wall.page
    page.goto("/storage")
    dialog = dialog_of(page, "Change the limits")
    dialog.get_by_label("Greatest age in days").fill("2")
    dialog.get_by_role("button", name="Save").click()
    plan = page.locator("#plan")
    expect(plan).to_contain_text("2 pictures and 0 clips")
    assert len(list((wall.server.base / "front").iterdir())) == 4
    dialog_of(page, "Delete now").get_by_role("button", name="Delete", exact=True).click()
    expect(plan).to_contain_text("were deleted")
    assert {path.name for path in (wall.server.base / "front").iterdir()} == {"0.jpg", "3.jpg"}
    requests.patch(f"{wall.server.url}/api/settings", json={"keep_days": None}, timeout=30)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1366])
def test_axe_finds_no_fault_and_everything_fits(box, scheme, width, subtests):
    box.run = RUN | WENT | {"cameras": [camera | WENT for camera in box.cameras]}
    box.page.emulate_media(color_scheme=scheme)
    box.page.set_viewport_size({"width": width, "height": 800})
    page = box.open()

    def check(state):
        with subtests.test(state):
            assert box.wall.visit.violations() == []
            assert page.evaluate("document.documentElement.scrollWidth") == width

    page.get_by_role("button", name="Show what would be deleted").click()
    expect(page.get_by_role("button", name="Delete now")).to_be_visible()
    check("figures and plan")
    dialog_of(page, "Change the limits")
    check("limits of the box")
    page.keyboard.press("Escape")
    dialog_of(page, f"Limits of {HOSTILE[3]}")
    check("limits of a camera")
    assert not page.title().startswith("run")
