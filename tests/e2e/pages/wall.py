"""How do tests set up a wall, its cameras and their uploads?"""

import time
from typing import Any

import requests
from playwright.sync_api import Locator, expect

from app.models import Row
from tests.e2e.pages.browser import Visit
from tests.e2e.server import Server
from tests.pictures import picture, put

DEADLINE_SECONDS = 30
HOSTILE = (
    "<img src=x onerror=\"document.title='run'\">",
    "\N{RIGHT-TO-LEFT OVERRIDE}nus eht\N{POP DIRECTIONAL FORMATTING} \N{SUN WITH FACE}",
    "دوربین در ورودی",
    "W" * 255,
    "javascript:alert(1) ' \" & {{ 7 * 7 }} ${document.title='run'}",
)


class Wall:
    """A server without cameras and a tab for its wall."""

    def __init__(self, server: Server, visit: Visit) -> None:
        self.server, self.visit, self.page = server, visit, visit.page

    def post(self, path: str, **body: Any) -> Row:
        """The API's response."""
        url = f"{self.server.url}/api/{path}"
        answer: Row = requests.post(url, json=body, timeout=DEADLINE_SECONDS).json()
        return answer

    def add(self, name: str = "Front Door", folder: str = "front") -> Row:
        """Create a camera."""
        return self.post("cameras", name=name, folder_path=folder)

    def put(self, name: str = "front/a.jpg", shade: int = 0, age: float = 0) -> None:
        """Upload a picture."""
        put(self.server.base / name, picture(shade=shade), age=age)

    def tile(self, camera: Row) -> Locator:
        """The camera's tile on the page."""
        return self.page.locator(f'.tile[data-id="{camera["id"]}"]')

    def see(self, camera: Row, state: str, query: str = "") -> Locator:
        """Open the wall and wait until the camera's tile says ``state``."""
        self.page.goto(f"/{query}")
        expect(self.tile(camera).locator(".state")).to_have_text(state)
        return self.tile(camera)

    def until_seen(self, *cameras: Row) -> None:
        """Wait until the service has seen an upload of each camera."""
        url = f"{self.server.url}/api/cameras"
        deadline = time.monotonic() + DEADLINE_SECONDS
        for camera in cameras:
            while not requests.get(f"{url}/{camera['id']}", timeout=30).json()["last_seen_at"]:
                assert time.monotonic() < deadline, camera
                time.sleep(0.05)

    def clear(self) -> None:
        """Delete all cameras and their pictures."""
        url = f"{self.server.url}/api/cameras"
        for camera in requests.get(url, timeout=DEADLINE_SECONDS).json()["cameras"]:
            requests.delete(f"{url}/{camera['id']}", timeout=DEADLINE_SECONDS)
        for path in sorted(self.server.base.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
