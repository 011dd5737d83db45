"""Is the page readable that is shown when the service cannot show the one asked for?"""

import pytest
from playwright.sync_api import expect

from app import create_app
from tests.e2e.pages.browser import needs_chromium

pytestmark = needs_chromium
TYPED = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def answer(tmp_path):
    """The page of a service whose database file is not a database."""
    (tmp_path / "nvr.db").write_text("no database")
    app = create_app({"NVR_DATABASE_URL": f"sqlite:///{tmp_path}/nvr.db"})
    return app.test_client().get("/?kiosk=1", headers=TYPED)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_it_is_readable_at_any_size_and_its_policy_allows_its_style(answer, wall, scheme, width):
    page = wall.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 600})
    headers = {name: value for name, value in answer.headers if name != "Content-Length"}
    page.route(
        f"{wall.server.url}/",
        lambda route: route.fulfill(status=503, headers=headers, body=answer.text),
    )
    page.goto("/")
    expect(page.get_by_role("main")).to_contain_text("The database cannot be used.")
    assert page.locator("body").evaluate("(body) => getComputedStyle(body).maxWidth") == "640px"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert wall.visit.violations() == []
