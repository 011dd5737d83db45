"""Is what a camera uploads by FTP served whole, at once, and never by half?"""

import socket
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ftplib import FTP
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.e2e.forked import ForkedServer
from tests.e2e.ftp import DEADLINE_SECONDS, ftp_client, ftp_server, store
from tests.e2e.server import Server
from tests.pictures import picture
from tests.problems import assert_problem

LARGE = (2400, 1800)
# How soon an upload shows in last_seen_at, in seconds: in a watched folder, and in a polled one.
SEEN_SECONDS, POLLED_SECONDS = 2, 3
# What a busy machine adds to that; in all it is less than the 10 seconds after which a file that
# stands still is whole.
DELAY_SECONDS = 5
# How long a slow upload takes, in seconds; each part comes before the file stands still for 10 s.
SLOW_SECONDS = 8


class Watched(NamedTuple):
    """A camera that is logged in by FTP, where its snapshot is, and its folder."""

    ftp: FTP
    url: str
    folder: Path

    def snapshot(self) -> requests.Response:
        """What it sees right now."""
        return requests.get(self.url + "/snapshot", timeout=DEADLINE_SECONDS)

    def last_seen_at(self) -> str | None:
        """When it was last seen to upload."""
        camera = requests.get(self.url, timeout=DEADLINE_SECONDS).json()
        seen: str | None = camera["last_seen_at"]
        return seen

    def seen_after(self, before: str | None) -> float:
        """Wait until it is seen anew; the seconds that took."""
        began = time.monotonic()
        until(lambda: self.last_seen_at() != before)
        return time.monotonic() - began

    def diagnostics(self) -> dict[str, Any]:
        """What is wrong with it."""
        answer = requests.get(self.url + "/diagnostics", timeout=DEADLINE_SECONDS)
        found: dict[str, Any] = answer.json()
        return found

    def size(self, name: str) -> int:
        """The bytes that have reached the disk."""
        path = self.folder / name
        return path.stat().st_size if path.exists() else 0


@pytest.fixture
def watched(shared_server: Server) -> Iterator[Watched]:
    """A registered camera with an FTP account and a folder of its own."""
    with camera(shared_server, uuid.uuid4().hex) as watched:
        yield watched
    requests.delete(watched.url, timeout=DEADLINE_SECONDS).raise_for_status()


@pytest.fixture
def polled(tmp_path: Path) -> Iterator[Watched]:
    """The same, where no folder can be watched."""
    with ForkedServer(tmp_path, NVR_WATCH="off") as server, camera(server, "front") as polled:
        yield polled


@contextmanager
def camera(server: Server, folder: str) -> Iterator[Watched]:
    """A registered camera that is logged in."""
    made = requests.post(server.url + "/api/cameras", json={"name": "A", "folder_path": folder})
    with ftp_server(server.base, folder) as port, ftp_client(port, folder) as client:
        yield Watched(client, server.url + made.headers["Location"], server.base / folder)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in another process; fail at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def upload_slowly(watched: Watched, name: str, new: bytes, shown: bytes) -> None:
    """Bit by bit; meanwhile ``shown`` is what the camera shows and nothing is seen of it."""
    seen, pieces = watched.last_seen_at(), 4 * SLOW_SECONDS
    size = len(new) // pieces + 1
    with watched.ftp.transfercmd(f"STOR {name}") as data:
        for start in range(0, len(new), size):
            assert watched.snapshot().content == shown
            assert watched.last_seen_at() == seen
            data.sendall(new[start : start + size])
            time.sleep(SLOW_SECONDS / pieces)
    watched.ftp.voidresp()
    assert watched.snapshot().content == new
    assert watched.seen_after(seen) < SEEN_SECONDS + DELAY_SECONDS


def test_half_an_upload_is_not_served_and_the_whole_is(watched):
    old, new = picture(), picture(shade=200, size=LARGE)
    store(watched.ftp, "old.jpg", old)
    half = len(new) // 2
    with watched.ftp.transfercmd("STOR new.jpg") as data:
        data.sendall(new[:half])
        until(lambda: watched.size("new.jpg") > 0)
        assert watched.snapshot().content == old
        data.sendall(new[half:])
    watched.ftp.voidresp()
    answer = watched.snapshot()
    assert answer.content == new
    assert answer.headers["Content-Disposition"] == 'attachment; filename="new.jpg"'


def test_an_upload_is_seen_when_it_is_complete_and_not_before(watched):
    store(watched.ftp, "old.jpg", picture())
    assert watched.seen_after(None) < SEEN_SECONDS + DELAY_SECONDS
    seen, new = watched.last_seen_at(), picture(shade=200, size=LARGE)
    with watched.ftp.transfercmd("STOR new.jpg") as data:
        data.sendall(new[: len(new) // 2])
        until(lambda: watched.size("new.jpg") > 0)
        time.sleep(SEEN_SECONDS)
        assert watched.last_seen_at() == seen
        data.sendall(new[len(new) // 2 :])
    watched.ftp.voidresp()
    assert watched.seen_after(seen) < SEEN_SECONDS + DELAY_SECONDS


def test_a_renamed_upload_is_seen_when_it_gets_its_name(watched):
    store(watched.ftp, "0500.tmp", picture())
    time.sleep(SEEN_SECONDS)
    assert watched.last_seen_at() is None
    watched.ftp.rename("0500.tmp", "0500.jpg")
    assert watched.snapshot().content == picture()
    assert watched.seen_after(None) < SEEN_SECONDS + DELAY_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["new.jpg", "old.jpg"], ids=["new name", "same name"])
def test_a_slow_upload_hides_nothing_until_it_is_complete(watched, name):
    old, new = picture(), picture(shade=200, size=LARGE)
    store(watched.ftp, "older.jpg", old)
    store(watched.ftp, "old.jpg", old)
    watched.seen_after(None)
    time.sleep(SEEN_SECONDS)
    upload_slowly(watched, name, new, shown=old)


@pytest.mark.slow
def test_a_folder_that_is_polled_shows_its_uploads_whole_and_as_soon(polled):
    old, new = picture(), picture(shade=200, size=LARGE)
    store(polled.ftp, "old.jpg", old)
    assert polled.seen_after(None) < POLLED_SECONDS + DELAY_SECONDS
    upload_slowly(polled, "new.jpg", new, shown=old)


@pytest.mark.slow
def test_an_upload_that_stands_still_is_not_served_while_it_is_open(watched):
    old, new = picture(), picture(shade=200, size=LARGE)
    store(watched.ftp, "old.jpg", old)
    seen = watched.last_seen_at() if watched.seen_after(None) else None
    with watched.ftp.transfercmd("STOR new.jpg") as data:
        data.sendall(new[: len(new) // 2])
        until(lambda: watched.size("new.jpg") > 0)
        time.sleep(SLOW_SECONDS)
        assert watched.snapshot().content == old
        assert watched.last_seen_at() == seen
        (half,) = watched.diagnostics()["unfinished_uploads"]
        assert (half["name"], half["because"]) == ("new.jpg", "being_written")
        data.sendall(new[len(new) // 2 :])
    watched.ftp.voidresp()
    assert watched.snapshot().content == new
    assert watched.diagnostics()["problems"] == []


def test_a_connection_that_is_lost_leaves_the_picture_before(watched):
    old, new = picture(), picture(shade=200, size=LARGE)
    store(watched.ftp, "old.jpg", old)
    data = watched.ftp.transfercmd("STOR new.jpg")
    data.sendall(new[: len(new) // 2])
    until(lambda: watched.size("new.jpg") > 0)
    # Without lingering close(2) resets the connection (socket(7)), as a lost one ends.
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    data.close()
    watched.ftp.sock.shutdown(socket.SHUT_RDWR)
    assert watched.snapshot().content == old
    until(lambda: watched.diagnostics()["unfinished_uploads"][0]["because"] == "cut_short")
    assert watched.snapshot().content == old


def test_an_upload_that_breaks_off_is_not_served(watched):
    old, new = picture(), picture(shade=200, size=LARGE)
    store(watched.ftp, "old.jpg", old)
    with watched.ftp.transfercmd("STOR new.jpg") as data:
        data.sendall(new[: len(new) // 2])
    watched.ftp.voidresp()
    assert watched.snapshot().content == old
    store(watched.ftp, "new.jpg", new)
    assert watched.snapshot().content == new


def test_a_unique_name_is_no_picture_until_it_is_renamed(watched):
    with watched.ftp.transfercmd("STOU") as data:
        data.sendall(picture())
    watched.ftp.voidresp()
    (unique,) = watched.ftp.nlst()
    assert_problem(watched.snapshot(), 404, "no_snapshot")
    watched.ftp.rename(unique, "front.jpg")
    assert watched.snapshot().content == picture()


@pytest.mark.parametrize("name", ["upload.tmp", ".front.jpg", ".pureftpd-upload.1.2.3"])
def test_a_temporary_name_is_renamed_over_the_old_picture(watched, name):
    store(watched.ftp, "front.jpg", picture(shade=1))
    known = watched.snapshot().headers["ETag"]
    store(watched.ftp, name, picture(shade=2))
    assert watched.snapshot().headers["ETag"] == known
    watched.ftp.rename(name, "front.jpg")
    answer = watched.snapshot()
    assert answer.content == picture(shade=2)
    assert answer.headers["ETag"] != known


def test_overwriting_in_place_shows_in_the_next_request(watched):
    etags = set()
    for shade in range(0, 250, 10):
        store(watched.ftp, "front.jpg", picture(shade=shade))
        answer = watched.snapshot()
        assert answer.content == picture(shade=shade)
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        etags.add(answer.headers["ETag"])
    assert len(etags) == 25


def test_half_an_overwrite_falls_back_to_an_older_picture(watched):
    old, new = picture(), picture(shade=200, size=LARGE)
    store(watched.ftp, "old.jpg", old)
    store(watched.ftp, "front.jpg", picture(shade=1))
    with watched.ftp.transfercmd("STOR front.jpg") as data:
        data.sendall(new[: len(new) // 2])
        until(lambda: 0 < watched.size("front.jpg") != len(picture(shade=1)))
        assert watched.snapshot().content == old
        data.sendall(new[len(new) // 2 :])
    watched.ftp.voidresp()
    assert watched.snapshot().content == new


def test_deleting_the_newest_shows_the_one_before_and_then_none(watched):
    watched.ftp.mkd("20251223")
    store(watched.ftp, "20251223/one.jpg", picture(shade=1))
    store(watched.ftp, "two.png", picture(".png"))
    answer = watched.snapshot()
    assert (answer.content, answer.headers["Content-Type"]) == (picture(".png"), "image/png")
    watched.ftp.delete("two.png")
    assert watched.snapshot().content == picture(shade=1)
    watched.ftp.delete("20251223/one.jpg")
    assert_problem(watched.snapshot(), 404, "no_snapshot")
    watched.ftp.rmd("20251223")
    assert_problem(watched.snapshot(), 404, "no_snapshot")
