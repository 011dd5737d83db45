"""Is a response ever older than the files before its request, whatever is written meanwhile?"""

import http.client
import random
import shutil
import time
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.server import Server
from tests.e2e.test_clocks import MovedClock, needs_faketime

WRITERS, READERS, SECONDS = 4, 4, 20
PICTURES_PER_FOLDER, NAMES = 40, 3
HEAD, END = b"\xff\xd8\xff\xda\0\2", b"\xff\xd9"


def picture(source: random.Random) -> bytes:
    """A signature, a scan that ends with its checksum in digits, and an end mark."""
    data = bytes(source.randrange(128) for _ in range(50)) * source.randrange(1, 2000)
    return HEAD + data + b"%10d" % zlib.crc32(data) + END


def is_whole(data: bytes) -> bool:
    body = data[len(HEAD) : -len(END) - 10]
    return data == HEAD + body + b"%10d" % zlib.crc32(body) + END


def in_place(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def in_chunks(path: Path, data: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        for at in range(0, len(data), 16384):
            file.write(data[at : at + 16384])
            time.sleep(0.001)


def anew(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def renamed(path: Path, data: bytes) -> None:
    path.with_suffix(".tmp").write_bytes(data)
    path.with_suffix(".tmp").rename(path)


def write(folder: Path, number: int, closed, started) -> int:
    """Write pictures, each over the writer's own oldest one; return how many there were.

    ``closed[number]`` is set to the time of each picture, in nanoseconds, once it is closed.
    """
    source, turn = random.Random(number), 0
    started.wait()
    until = time.time() + SECONDS + 1
    while time.time() < until:
        day, turn = folder / f"{number}" / f"{turn // PICTURES_PER_FOLDER}", turn + 1
        day.mkdir(parents=True, exist_ok=True)
        path = day / f"{turn % NAMES}.jpg"
        source.choice((in_place, in_chunks, anew, renamed))(path, picture(source))
        closed[number] = path.stat().st_mtime_ns
        if turn % PICTURES_PER_FOLDER == NAMES:
            shutil.rmtree(day.parent / f"{turn // PICTURES_PER_FOLDER - 1}", ignore_errors=True)
        time.sleep(source.random() / 100)
    return turn


def read(url: str, closed, started) -> tuple[int, list[str]]:
    """Request the snapshot; return how often, and each response that was older or not whole."""
    parts, count, wrong = urlsplit(url), 0, []
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    started.wait()
    while 0 in closed:
        time.sleep(0.01)
    until = time.time() + SECONDS - 1
    while time.time() < until:
        least = max(closed)
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        data, count = answer.read(), count + 1
        shown = int(answer.headers.get("ETag", "0-0-0-0").split("-")[2], 16)  # the mtime
        if answer.status != 200 or shown < least or not is_whole(data):
            wrong.append(f"{answer.status}: {(least - shown) / 1e6} ms older, {len(data)} bytes")
    connection.close()
    return count, wrong


def race(server, processes, meanwhile=time.sleep) -> tuple[int, int]:
    """Read while pictures are written; return how many responses and pictures there were.

    ``meanwhile`` is called again and again with a number of seconds.
    """
    url = f"{server.url}/api/cameras"
    camera = requests.post(url, json={"name": "Front", "folder_path": "front"}).json()["id"]
    with processes.Manager() as manager, processes.Pool(WRITERS + READERS) as pool:
        closed, started = manager.list([0] * WRITERS), manager.Barrier(WRITERS + READERS)
        writing = [
            pool.apply_async(write, (server.base / "front", number, closed, started))
            for number in range(WRITERS)
        ]
        asked = [(f"{url}/{camera}/snapshot", closed, started)] * READERS
        reading = pool.starmap_async(read, asked, chunksize=1)
        while not reading.ready():
            meanwhile(0.5)
        answers, written = reading.get(), sum(result.get() for result in writing)
    assert [wrong for _, problems in answers for wrong in problems] == []
    asked = sum(count for count, _ in answers)
    print(f"{asked} answers while {written} pictures were written")
    return asked, written


@pytest.mark.slow
def test_no_response_is_older_than_an_upload_closed_before_the_request(server, processes):
    assert min(race(server, processes)) > 1000
    watcher = requests.get(f"{server.url}/api/system/health").json()["checks"]["watcher"]
    assert watcher["status"] == "healthy"


@needs_faketime
@pytest.mark.slow
@pytest.mark.parametrize("watch", ["auto", "off"])
def test_no_response_is_older_however_the_clock_is_set_meanwhile(tmp_path, processes, watch):
    moved, offsets = MovedClock(tmp_path, "+0"), random.Random(1)

    def set_clock(seconds: float) -> None:
        moved.set(offsets.choice(("+0", "-2h", "+2h", "-1d", "-5", "+30", "-400d")))
        time.sleep(seconds)

    with Server(tmp_path, NVR_WATCH=watch, **moved.settings) as server:
        assert min(race(server, processes, set_clock)) > 50  # libfaketime is slow
