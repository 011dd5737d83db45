"""Fixtures of the page tests: one browser and one server for all of them."""

from collections.abc import Iterator

import pytest

from tests.e2e.forked import ForkedServer
from tests.e2e.pages.browser import Browser, Visit, chromium
from tests.e2e.pages.wall import Wall
from tests.e2e.server import Server


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def wall_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server; each test begins without cameras."""
    with ForkedServer(tmp_path_factory.mktemp("wall")) as server:
        yield server


@pytest.fixture(scope="package")
def visit(wall_server: Server, browser: Browser) -> Iterator[Visit]:
    """One tab for all tests; a new one takes longer than a test."""
    visit = Visit(browser, wall_server.url)
    yield visit
    visit.close()


@pytest.fixture
def wall(wall_server: Server, visit: Visit) -> Iterator[Wall]:
    """An empty wall, in an empty tab."""
    wall = Wall(wall_server, visit)
    yield wall
    try:
        visit.leave()
    finally:
        wall.clear()
