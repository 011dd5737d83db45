"""What do the pages look like? Run as a module it draws the pictures of the README."""

import io
import random
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, Route

from tests.e2e.documented_receivers import receivers
from tests.e2e.pages.browser import Visit, chromium
from tests.e2e.pages.wall import Wall
from tests.e2e.server import PROJECT, Server
from tests.pictures import put

FOLDER = PROJECT / "docs"
SIZE = (960, 540)
# In seconds; None: no picture yet.
AGES = {
    **{"Front Door": 4, "Garden": 11, "Garage": 8, "Driveway": 2, "Back Gate": 3000},
    **{"Cellar": None, "Terrace": 26, "Workshop": 17, "Bike Shed": 35},
}
BOXES = {
    "person": {"x": 446, "y": 212, "width": 68, "height": 246},
    "car": {"x": 90, "y": 330, "width": 190, "height": 96},
}
# Whether every tile in view is as its camera is.
DRAWN = """() => [...document.querySelectorAll(".tile")].every((tile) =>
  tile.dataset.state || tile.getBoundingClientRect().top > innerHeight)"""
LAPTOP = {"width": 1000, "height": 700}
SHOTS: dict[str, dict[str, Any]] = {
    "wall-light": {"query": "", "width": 1000, "height": 700},
    "wall-dark": {"query": "", "width": 1000, "height": 700, "color_scheme": "dark"},
    "wall-phone": {"query": "", "width": 320, "height": 700},
    "wall-kiosk": {"query": "?kiosk=1&columns=3", "width": 1000, "height": 700},
    "camera": {"query": "#{id}", "press": "person 93 %", "ready": ".boxed", **LAPTOP},
    "day": {
        "query": "cameras/{id}?at={at}",
        "ready": "#moments img",
        "width": 1100,
        "height": 800,
    },
    "storage": {
        "query": "storage",
        "press": "Show what would be deleted",
        "ready": "#plan li",
        **LAPTOP,
    },
    "notifications": {"query": "notifications", "ready": "#rules li li", **LAPTOP},
    "webhook": {"query": "notifications", "change": "Hallway", **LAPTOP},
    "apprise": {"query": "notifications", "change": "Mail", **LAPTOP},
    "homeassistant": {"query": "homeassistant", **LAPTOP},
}
# When the front door camera took pictures in a night, in seconds from the moment AT.
AT = datetime.now(UTC).replace(hour=3, minute=12, second=0, microsecond=0) - timedelta(days=1)
SECONDS = (-1830, -830, *range(-20, 40, 6), 1680)
# What a box shows that has run for weeks; one that has run for a minute shows next to nothing.
GB = 10**9
DISK = {"free_bytes": 268 * GB, "used_bytes": 732 * GB, "database_bytes": 88 * 10**6}
TAKEN = {"oldest": "2025-12-01T00:00:04Z", "newest": "2025-12-23T12:00:00Z"}
USED = {"pictures": 168_000, "clips": 420, "bytes": 42 * GB, "bytes_per_day": 3 * GB, **TAKEN}
GOES = {"pictures": 7_600, "clips": 19, "bytes": 2 * GB, "existing": 0, **TAKEN}


def scene(seed: int) -> bytes:
    """A street with houses and, in front, somebody and a car: a JPEG."""
    dice = random.Random(seed)
    image = Image.new("RGB", SIZE, (120 + 9 * seed, 150 + 7 * seed, 200 - 6 * seed))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 240, *SIZE), fill=(70 + 8 * seed, 110 - 4 * seed, 70))
    for left in range(0, SIZE[0], 160):
        colour = tuple(dice.randrange(90, 200) for _ in "rgb")
        draw.rectangle((left, dice.randrange(60, 190), left + 130, 260), fill=colour)
    draw.polygon([(380, 540), (580, 540), (500, 240), (460, 240)], fill=(110, 110, 115))
    draw.rounded_rectangle((95, 335, 275, 420), 20, fill=(150, 30, 30))
    draw.ellipse((460, 216, 500, 260), fill=(220, 180, 150))
    draw.rectangle((452, 260, 508, 360), fill=(40, 70, 140))
    draw.rectangle((456, 360, 504, 455), fill=(30, 30, 40))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()


def furnish(wall: Wall) -> str:
    """Add the cameras; return the id of the first, which has detections and an event."""
    ids = []
    for seed, (name, age) in enumerate(AGES.items()):
        folder = wall.server.base / name
        folder.mkdir()
        if age is not None:
            put(folder / "a.jpg", scene(seed), age=age)
        ids.append(str(wall.add(name, name)["id"]))
    common = {"camera_id": ids[0], "file_path": "a.jpg", "confidence": 0.93}
    for kind, box in BOXES.items():
        wall.post("detections", **common, object_type=kind, bbox=box)
    event = {"started_at": "2025-12-23T12:00:00Z", "summary": "Somebody at the door"}
    wall.post("events", camera_id=ids[0], risk_score=72, detection_ids=[1, 2], **event)
    return ids[0]


def remember(wall: Wall) -> None:
    """Upload the pictures of a night."""
    since = (datetime.now(UTC) - AT).total_seconds()
    for number, second in enumerate(SECONDS):
        put(wall.server.base / "Front Door" / f"{number}.jpg", scene(number % 4), since - second)


def notify(wall: Wall, urls: dict[str, str], camera: str) -> None:
    """Add a rule for each of these URLs, and have it deliver a message."""
    common = {"kinds": ["detection", "event"], "cooldown_seconds": 60}
    for name, url in urls.items():
        wall.post("notifications", name=name, url=url, with_picture=name == "Mail", **common)
    wall.post("detections", camera_id=camera, object_type="person", confidence=0.93)


def pretend(page: Page) -> None:
    """Answer like a box that has run for weeks."""

    def fill(route: Route) -> None:
        answer = route.fetch().json()
        first = answer["cameras"][:3]
        used = [camera | USED for camera in first]
        goes = [camera | GOES for camera in first]
        report = {name: 3 * GOES[name] for name in ("pictures", "clips", "bytes")}
        is_run = "retention" in route.request.url
        figures = report | {"cameras": goes} if is_run else DISK | {"cameras": used}
        route.fulfill(json=answer | figures | ({} if is_run else {"days_left": 29.8}))

    page.route("**/api/system/storage", fill)
    page.route("**/api/system/retention*", fill)


def shoot(browser: Browser, server: Server, name: str, shot: dict[str, Any], camera: str) -> None:
    """Save the page as docs/``name``.webp."""
    size = {"width": shot["width"], "height": shot["height"]}
    scheme = shot.get("color_scheme", "light")
    visit = Visit(browser, server.url, hurry=False, viewport=size, color_scheme=scheme)
    pretend(visit.page)
    visit.page.goto("/" + shot["query"].format(id=camera, at=f"{AT:%Y-%m-%dT%H:%M:%SZ}"))
    visit.page.wait_for_function(DRAWN)
    if "change" in shot:
        rule = visit.page.locator("#rules > li").filter(has_text=shot["change"])
        rule.get_by_role("button", name="Change").click()
    if "press" in shot:
        visit.page.get_by_role("button", name=shot["press"]).last.click()
        visit.page.mouse.move(0, 0)
    visit.page.locator(shot.get("ready", "main")).first.wait_for()
    visit.page.wait_for_load_state("networkidle")
    png = visit.page.screenshot()
    visit.close()
    Image.open(io.BytesIO(png)).save(FOLDER / f"{name}.webp", quality=60, method=6)


def main() -> None:
    """Draw them all."""
    FOLDER.mkdir(exist_ok=True)
    folder = tempfile.TemporaryDirectory()
    with ExitStack() as stack:
        name = stack.enter_context(folder)
        server = stack.enter_context(Server(Path(name)))
        browser = stack.enter_context(chromium())
        told = stack.enter_context(receivers())
        wall = Wall(server, Visit(browser, server.url))
        camera = furnish(wall)
        remember(wall)
        mail = f"mailto://127.0.0.1:{told.mail_port}?from=nvr@example.org&to=joe@example.org"
        notify(wall, {"Hallway": told.webhook.url, "Mail": mail}, camera)
        told.webhook.wait_for(1)
        told.next_lines("mail")
        requests.patch(f"{server.url}/api/settings", json={"keep_days": 30}, timeout=30)
        for name, shot in SHOTS.items():
            shoot(browser, server, name, shot, camera)


if __name__ == "__main__":
    main()
