"""The one chain of fixtures: environ → app → client → camera."""

import contextlib
import gc
import multiprocessing
import os
import re
import shutil
import time
import traceback
import warnings
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings

from app import App, create_app, db
from app.storage import filesystems, folders
from tests.shared import SharedRule, SharedTemplates
from tests.watched import Watched

JSON = "application/json"
# The tests in a browser. A checkout may itself lie in a folder called pages.
PAGES = Path(__file__).parent / "e2e" / "pages"
CLOSING_SECONDS = 30
HAS_FAILED = pytest.StashKey[bool]()
# How long an example takes says as much about the machine as about the service.
settings.register_profile(
    "thorough",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# The same examples every time, and fewer; `make test-slow` looks for others.
settings.register_profile(
    "quick", settings.get_profile("thorough"), derandomize=True, max_examples=25
)
settings.load_profile("quick")
App.url_rule_class = SharedRule
App.jinja_options = {"bytecode_cache": SharedTemplates()}


@pytest.fixture(autouse=True)
def no_leaked_descriptors(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that leaves a file, a socket or a connection open fails, unless it failed already."""
    filesystems.mounts.table()  # keeps one file open from its first use on
    before = open_descriptors()
    yield
    db.close_all()
    if len(open_descriptors()) > len(before):
        gc.collect()
    if request.node.stash.get(HAS_FAILED, False):
        return  # its traceback may hold what it had open
    deadline = time.monotonic() + CLOSING_SECONDS
    while len(after := open_descriptors()) > len(before) and time.monotonic() < deadline:
        time.sleep(0.01)  # a thread closes what it has read
        gc.collect()
    leaked = [name for fd, name in after.items() if before.get(fd) != name]
    assert len(after) <= len(before), f"left open: {', '.join(leaked)}"


def open_descriptors() -> dict[str, str]:
    """Each descriptor of this process, and what it is open on."""
    names = {}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            names[fd] = os.readlink(f"/proc/self/fd/{fd}")
    return names


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import files where no test would run, which takes each process a second."""
    if config.option.markexpr == "not slow" and collection_path.suffix == ".py":
        only_slow = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", re.MULTILINE)
        if collection_path.is_relative_to(PAGES) or only_slow.search(collection_path.read_text()):
            return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests in a browser as slow: together they cost a third of the processor time.

    Begin with the tests of real processes, which wait, so that the others fill the time.
    """
    for item in items:
        if item.path.is_relative_to(PAGES):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Release the files of a failed test, so that only its failure is reported.

    Its traceback would keep sockets open until some other test gets the blame.
    """
    report = yield
    if call.excinfo:
        item.stash[HAS_FAILED] = True
    if call.excinfo and not item.config.getoption("usepdb"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            traceback.clear_frames(call.excinfo.tb)
    return report


def pytest_configure() -> None:
    """Let no process that a test starts read a developer's ``.env`` beside wsgi.py."""
    os.environ["FLASK_SKIP_DOTENV"] = "1"


def pytest_collection_finish() -> None:
    """Exclude the objects of the test runner, ten times those of the service, from collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def processes() -> SpawnContext:
    """Starts more processes; the tracker of their resources runs until the tests end."""
    resource_tracker.ensure_running()
    return multiprocessing.get_context("spawn")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The base path, empty."""
    folder = tmp_path / "base"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(tmp_path: Path, base: Path) -> dict[str, str]:
    """The environment that the service is set up from."""
    return {
        "NVR_FOSCAM_BASE_PATH": str(base),
        "NVR_DATABASE_URL": f"sqlite:///{tmp_path}/nvr.db",
    }


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and no rows; a copy of it takes a tenth of the time."""
    folder = tmp_path_factory.mktemp("empty")
    path = folder / "nvr.db"
    create_app({"NVR_FOSCAM_BASE_PATH": str(folder), "NVR_DATABASE_URL": f"sqlite:///{path}"})
    db.migrate()
    db.close_all()
    return path


@pytest.fixture
def app(environ: dict[str, str], empty_database: Path) -> Iterator[Flask]:
    """The application on an empty database."""
    shutil.copy(empty_database, environ["NVR_DATABASE_URL"].removeprefix("sqlite:///"))
    app = create_app(environ)
    db.migrate()
    yield app
    app.extensions["folders"].retain(())


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An HTTP client inside the process."""
    return app.test_client()


@pytest.fixture
def camera(client: FlaskClient, base: Path) -> dict[str, str]:
    """A registered camera whose folder ``base/front`` exists and is empty."""
    (base / "front").mkdir()
    answer = client.post("/api/cameras", json={"name": "Front Door", "folder_path": "front"})
    return answer.get_json()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Watched]:
    """An empty folder and its index."""
    watched = Watched(tmp_path / "root")
    yield watched
    watched.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that could not be watched is tried again at the next query."""
    monkeypatch.setattr(folders, "RETRY_SECONDS", 0)
