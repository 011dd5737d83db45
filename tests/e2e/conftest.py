"""What do the end-to-end tests stand on? A real server, fresh or shared by a module."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import create_app, db
from app.notify.webhook import Outcome
from tests.e2e.forked import ForkedServer, start_forking
from tests.e2e.server import Server
from tests.pictures import picture, put


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


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application with a camera that sees something and one that is outside the base."""
    folder = tmp_path_factory.mktemp("described")
    put(folder / "front" / "a.jpg", picture())
    app = create_app(Server(folder).environ() | {"NVR_FOSCAM_BASE_PATH": str(folder)})
    for path in ("front", "/etc"):
        app.test_client().post("/api/cameras", json={"name": path, "folder_path": path})
    # A test of a rule is to reach no receiver, for it names one of the internet.
    app.extensions["deliveries"].send = lambda rule, message: Outcome(204)
    yield app
    app.extensions["folders"].retain(())
    db.database.close()


@pytest.fixture(scope="module")
def operations(described: Flask) -> dict[str, dict[str, Any]]:
    """``GET /api/cameras`` and so on → the operation object."""
    paths = described.test_client().get("/openapi.json").json["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, item in paths.items()
        for method, operation in item.items()
        if method in ("get", "post", "put", "patch", "delete")
    }
