"""What is compared with FastAPI and nginx, and which ratio is the floor? A comparison is a row."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from benchmarks.rivals import load, servers
from benchmarks.rivals.load import Asked, Load
from benchmarks.rivals.pictures import LARGE, fill
from benchmarks.rivals.servers import Server

FASTAPI, NGINX = "FastAPI", "nginx"
ROUNDS = 3
SECONDS = 2
CAMERAS = (10, 100, 1000)
FOLDERS = {20: "files_20", 10_000: "files_10000", 100_000: "files_100000", 1: "large"}


@dataclass(frozen=True, slots=True)
class Setup:
    """The running servers over the same pictures; ``ids``: server and folder → a camera's id."""

    base: Path
    cameras: int
    running: dict[str, Server]
    ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def camera(self, who: str, folder: str) -> str:
        """The URL of the camera with this folder."""
        return f"/api/cameras/{self.ids[who, folder]}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row: what is requested, beside which rival, and the floor of the ratio of the service's
    figure to the rival's per number of connections (None: shown without a floor). The ratio is to
    be at least the floor if ``at_least``, else at most.
    """

    name: str
    cameras: int
    rival: str
    floors: dict[int, float | None]
    asked: Callable[[Setup, str], Asked]
    figure: Callable[[Load], float] = lambda seen: seen.requests
    at_least: bool = True
    # Of each round: long enough that the slower server answers a few dozen times.
    seconds: float = SECONDS


@contextmanager
def set_up(cameras: int) -> Iterator[Setup]:
    """Every server with ``cameras`` cameras, the first of which have pictures."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        base = Path(folder, "base")
        fill(base, FOLDERS)
        running = {
            "service": stack.enter_context(servers.service(Path(folder), base)),
            FASTAPI: stack.enter_context(servers.fastapi(Path(folder), base)),
        }
        setup = Setup(base, cameras, running)
        for who, server in running.items():
            for number in range(cameras):
                name = list(FOLDERS.values())[number] if number < len(FOLDERS) else f"c{number}"
                made = server.post(
                    "/api/cameras", {"name": f"Camera {number}", "folder_path": name}
                )
                setup.ids[who, name] = made["id"]
        document = requests.get(running["service"].url + "/api/cameras").text
        if cameras == min(CAMERAS):
            running[NGINX] = stack.enter_context(servers.nginx(Path(folder), base, document))
        yield setup


def compare(comparison: Comparison, setup: Setup, connections: int) -> tuple[float, float]:
    """The figures of the service and of the rival, medians of alternating rounds."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        for who, figures in (("service", ours), (comparison.rival, theirs)):
            for server in setup.running.values():
                server.wait_until_idle()
            asked = comparison.asked(setup, who)
            seen = load.put(setup.running[who].url, asked, connections, comparison.seconds)
            figures.append(comparison.figure(seen))
    return statistics.median(ours), statistics.median(theirs)


def all_cameras(_: Setup, who: str) -> Asked:
    """All cameras; nginx answers the same document from memory."""
    return Asked("/api/cameras")


def one_camera(setup: Setup, who: str) -> Asked:
    """A camera by its id."""
    return Asked(setup.camera(who, FOLDERS[20]))


def patch(setup: Setup, who: str) -> Asked:
    """A change with its audit row."""
    return Asked(setup.camera(who, "c9"), "PATCH", '{"name": "Camera %d"}')


def post(_: Setup, who: str) -> Asked:
    """A new camera with its audit row."""
    return Asked("/api/cameras", "POST", '{"name": "Camera %d", "folder_path": "new"}')


def snapshot(files: int) -> Callable[[Setup, str], Asked]:
    """The newest picture of a folder with ``files`` files; nginx gets the file's path."""

    def asked(setup: Setup, who: str) -> Asked:
        if who == NGINX:
            return Asked(f"/{FOLDERS[files]}/{LARGE}")
        return Asked(setup.camera(who, FOLDERS[files]) + "/snapshot")

    return asked


def known(path: Callable[[Setup, str], Asked]) -> Callable[[Setup, str], Asked]:
    """The same with the ETag of an earlier response: a 304 where the server supports it."""

    def asked(setup: Setup, who: str) -> Asked:
        first = path(setup, who)
        answer = requests.get(setup.running[who].url + first.path)
        return Asked(first.path, headers={"If-None-Match": answer.headers.get("ETag", '"none"')})

    return asked


FEW = snapshot(20)


def mib_a_second(seen: Load) -> float:
    """MiB a second, for large pictures."""
    return seen.bytes / 2**20


def p99(seen: Load) -> float:
    """The 99th percentile of the response time in ms."""
    return seen.p99


SMALL, MIDDLE, BIG = CAMERAS
# In requests a second, where no other figure is named. Each number is a floor of the ratio.
COMPARISONS = (
    Comparison("snapshot, 200 KiB, folder of 20", SMALL, FASTAPI, {1: None, 8: 6, 32: None}, FEW),
    Comparison(
        "snapshot, 200 KiB, folder of 10,000",
        SMALL,
        FASTAPI,
        {8: 200},
        snapshot(10_000),
        seconds=6,
    ),
    Comparison(
        "snapshot, 200 KiB, folder of 100,000",
        SMALL,
        FASTAPI,
        {8: 1500},
        snapshot(100_000),
        seconds=30,
    ),
    Comparison("snapshot, 2 MiB, MiB a second", SMALL, NGINX, {8: 0.8}, snapshot(1), mib_a_second),
    Comparison("snapshot, 304", SMALL, FASTAPI, {1: None, 8: 4, 32: None}, known(FEW)),
    Comparison("list of 10 cameras", SMALL, FASTAPI, {1: None, 8: 7, 32: None}, all_cameras),
    Comparison("list of 10 cameras", SMALL, NGINX, {8: None}, all_cameras),
    Comparison("list, 304", SMALL, FASTAPI, {1: None, 8: 6, 32: None}, known(all_cameras)),
    Comparison("one camera", SMALL, FASTAPI, {1: 3.5, 8: 6, 32: None}, one_camera),
    Comparison("PATCH", SMALL, FASTAPI, {8: 4}, patch),
    Comparison(
        "PATCH, 99th percentile in ms", SMALL, FASTAPI, {8: 0.1}, patch, p99, at_least=False
    ),
    Comparison("POST", SMALL, FASTAPI, {8: 3}, post),
    Comparison("POST, 99th percentile in ms", SMALL, FASTAPI, {8: 0.1}, post, p99, at_least=False),
    Comparison("list of 100 cameras", MIDDLE, FASTAPI, {1: None, 8: 13, 32: None}, all_cameras),
    Comparison("list of 1,000 cameras", BIG, FASTAPI, {1: None, 8: 60, 32: None}, all_cameras),
)
