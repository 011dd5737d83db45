"""What do the end-to-end tests stand on? A real server, fresh or shared by a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.forked import ForkedServer, start_forking
from tests.e2e.server import Server


@pytest.fixture(autouse=True, scope="session")
def forking() -> None:
    """Have what forks servers running before a test counts its descriptors."""
    start_forking()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own, on an empty folder and a new database."""
    with ForkedServer(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a module; they leave it as they found it."""
    with ForkedServer(tmp_path_factory.mktemp("shared")) as server:
        yield server
