"""In what do they compete, and how far ahead is far enough? One table; a contest is a row."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.rivals import contenders, load
from benchmarks.rivals.contenders import Contender
from benchmarks.rivals.load import Asked, Load
from benchmarks.rivals.pictures import LARGE, fill

FASTAPI, NGINX = "FastAPI", "nginx"
ROUNDS = 3
SECONDS = 2
CAMERAS = (10, 100, 1000)
FOLDERS = {20: "files_20", 10_000: "files_10000", 100_000: "files_100000", 1: "large"}


@dataclass(frozen=True, slots=True)
class Arena:
    """Who runs, over which pictures; ``ids``: contender and folder → the camera's id."""

    base: Path
    cameras: int
    running: dict[str, Contender]
    ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def camera(self, who: str, folder: str) -> str:
        """The URL of the camera with this folder."""
        return f"/api/cameras/{self.ids[who, folder]}"


@dataclass(frozen=True, slots=True)
class Contest:
    """A row: what is asked, of whom besides us, and the goal of our figure divided by theirs, per
    number of connections (None: shown, not judged): its least if ``more``, else its most.
    """

    name: str
    cameras: int
    rival: str
    goals: dict[int, float | None]
    asked: Callable[[Arena, str], Asked]
    figure: Callable[[Load], float] = lambda seen: seen.requests
    more: bool = True
    # Of each round: long enough that the slower one answers some dozen times.
    seconds: float = SECONDS


@contextmanager
def arena(cameras: int) -> Iterator[Arena]:
    """Every contender with so many cameras, the first of which have the pictures."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        base = Path(folder, "base")
        fill(base, FOLDERS)
        running = {
            "service": stack.enter_context(contenders.service(Path(folder), base)),
            FASTAPI: stack.enter_context(contenders.fastapi(Path(folder), base)),
        }
        here = Arena(base, cameras, running)
        for who, contender in running.items():
            for number in range(cameras):
                name = list(FOLDERS.values())[number] if number < len(FOLDERS) else f"c{number}"
                made = contender.post(
                    "/api/cameras", {"name": f"Camera {number}", "folder_path": name}
                )
                here.ids[who, name] = made["id"]
        document = contenders.requests.get(running["service"].url + "/api/cameras").text
        if cameras == min(CAMERAS):
            running[NGINX] = stack.enter_context(contenders.nginx(Path(folder), base, document))
        yield here


def hold(contest: Contest, here: Arena, connections: int) -> tuple[float, float]:
    """Our figure and the rival's, medians of interleaved rounds."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        for who, figures in (("service", ours), (contest.rival, theirs)):
            for contender in here.running.values():
                contender.rest()
            asked = contest.asked(here, who)
            seen = load.put(here.running[who].url, asked, connections, contest.seconds)
            figures.append(contest.figure(seen))
    return statistics.median(ours), statistics.median(theirs)


def all_cameras(_: Arena, who: str) -> Asked:
    """All cameras; nginx answers the same document from memory."""
    return Asked("/api/cameras")


def one_camera(here: Arena, who: str) -> Asked:
    """A camera by its id."""
    return Asked(here.camera(who, FOLDERS[20]))


def patch(here: Arena, who: str) -> Asked:
    """A change with its audit row."""
    return Asked(here.camera(who, "c9"), "PATCH", '{"name": "Camera %d"}')


def post(_: Arena, who: str) -> Asked:
    """A new camera with its audit row."""
    return Asked("/api/cameras", "POST", '{"name": "Camera %d", "folder_path": "new"}')


def snapshot(files: int) -> Callable[[Arena, str], Asked]:
    """The newest picture of a folder with so many; nginx is told which file it is."""

    def asked(here: Arena, who: str) -> Asked:
        if who == NGINX:
            return Asked(f"/{FOLDERS[files]}/{LARGE}")
        return Asked(here.camera(who, FOLDERS[files]) + "/snapshot")

    return asked


def known(path: Callable[[Arena, str], Asked]) -> Callable[[Arena, str], Asked]:
    """The same for a client that has it: our 304, and what the rival gives."""

    def asked(here: Arena, who: str) -> Asked:
        first = path(here, who)
        answer = contenders.requests.get(here.running[who].url + first.path)
        return Asked(first.path, headers={"If-None-Match": answer.headers.get("ETag", '"none"')})

    return asked


FEW = snapshot(20)


def mib_a_second(seen: Load) -> float:
    """For pictures that fill the wire."""
    return seen.bytes / 2**20


def slowest(seen: Load) -> float:
    """What 99 of 100 requests stay below, in ms."""
    return seen.p99


SMALL, MIDDLE, BIG = CAMERAS
# Requests a second, but for the rows that name another figure.
CONTESTS = (
    Contest("snapshot, 200 KiB, folder of 20", SMALL, FASTAPI, {1: None, 8: 5, 32: None}, FEW),
    Contest(
        "snapshot, 200 KiB, folder of 10,000",
        SMALL,
        FASTAPI,
        {8: 100},
        snapshot(10_000),
        seconds=6,
    ),
    Contest(
        "snapshot, 200 KiB, folder of 100,000",
        SMALL,
        FASTAPI,
        {8: 1500},
        snapshot(100_000),
        seconds=30,
    ),
    Contest("snapshot, 2 MiB, MiB a second", SMALL, NGINX, {8: 0.8}, snapshot(1), mib_a_second),
    Contest("snapshot, 304", SMALL, FASTAPI, {1: None, 8: 10, 32: None}, known(FEW)),
    Contest("list of 10 cameras", SMALL, FASTAPI, {1: None, 8: 3, 32: None}, all_cameras),
    Contest("list of 10 cameras", SMALL, NGINX, {8: None}, all_cameras),
    Contest("list, 304", SMALL, FASTAPI, {1: None, 8: 5, 32: None}, known(all_cameras)),
    Contest("one camera", SMALL, FASTAPI, {1: 3.5, 8: 3, 32: None}, one_camera),
    Contest("PATCH", SMALL, FASTAPI, {8: 3}, patch),
    Contest("PATCH, 99th percentile in ms", SMALL, FASTAPI, {8: 0.1}, patch, slowest, more=False),
    Contest("POST", SMALL, FASTAPI, {8: 3}, post),
    Contest("POST, 99th percentile in ms", SMALL, FASTAPI, {8: 0.1}, post, slowest, more=False),
    Contest("list of 100 cameras", MIDDLE, FASTAPI, {1: None, 8: 5, 32: None}, all_cameras),
    Contest("list of 1,000 cameras", BIG, FASTAPI, {1: None, 8: 20, 32: None}, all_cameras),
)
