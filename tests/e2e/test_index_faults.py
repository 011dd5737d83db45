"""Do index and disk agree after a kill -9, and is everything there that may not be deleted?"""

import os
import random
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from app.pictures.files import file_facts
from app.storage.scan import is_clip
from tests.e2e.forked import ForkedServer

SEED = 20251223
ROUNDS = (
    pytest.param(3, marks=pytest.mark.slow),
    pytest.param(100, marks=[pytest.mark.slow, pytest.mark.slowest]),
)
FOLDERS = ("", "20251223", "20251224", "20251224/12")
AGREED_SECONDS = 60
KEEP_DAYS = 5
# Changes are written as often as possible, so that many kills happen meanwhile.
SETTINGS = {"NVR_LAST_SEEN_FLUSH_SECONDS": "1"}


class Job(threading.Thread):
    """Calls ``step`` again and again inside the block."""

    def __init__(self, step) -> None:
        super().__init__()
        self.step, self.over = step, threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            with suppress(OSError):  # the service was killed, or a file is gone
                self.step()

    def __enter__(self) -> "Job":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()


class Uploads:
    """What a camera does to its files."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root, self.chance = root, chance
        self.changes = [*[self.upload] * 4, self.overwrite, self.rename, self.delete]

    def change(self) -> None:
        """Make one change; called again and again, several hundred times a second."""
        time.sleep(0.001)
        self.chance.choice(self.changes)()

    def path(self) -> Path:
        """The path of one of some thousand files, at random."""
        name = f"{self.chance.randrange(500)}.{self.chance.choice(('jpg', 'jpg', 'mp4'))}"
        return self.root / self.chance.choice(FOLDERS) / name

    def upload(self) -> None:
        """Upload a file under a hidden name first, as many FTP servers do."""
        path = self.path()
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}")
        self.write(hidden, "xb")
        hidden.rename(path)

    def overwrite(self) -> None:
        """Overwrite a file in place, which does not change its folder."""
        self.write(self.path(), "r+b")

    def rename(self) -> None:
        """Give a file another name, perhaps in another folder."""
        self.path().rename(self.path())

    def delete(self) -> None:
        """Delete one file."""
        self.path().unlink()

    def write(self, path: Path, mode: str) -> None:
        """Write from one to fifty bytes into a file."""
        with path.open(mode) as file:
            file.write(self.chance.randbytes(self.chance.randrange(1, 50)))


class Viewer:
    """Lists, keeps and deletes pictures of a camera whose files nobody else changes."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root, self.chance = root, chance
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.asked: set[str] = set()
        self.kept: set[str] = set()

    def refill(self) -> None:
        """Upload files with new names, as many as were deleted."""
        self.root.mkdir(exist_ok=True)
        self.files = {n: data for n, data in self.files.items() if n not in self.asked}
        self.asked = set()
        while len(self.files) < 200:
            name = f"{self.chance.getrandbits(40):x}.jpg"
            self.files[name] = self.chance.randbytes(20)
            (self.root / name).write_bytes(self.files[name])

    def act(self) -> None:
        """Delete a listed picture, or keep it."""
        answer = requests.get(f"{self.url}/pictures?kept=false&limit=100", timeout=20)
        pictures = answer.json()["pictures"]
        if not pictures:
            return
        picture = self.chance.choice(pictures)
        url, name = f"{self.url}/pictures/{picture['id']}", picture["name"]
        if len(self.kept) < 20 and self.chance.random() < 0.1:
            if requests.put(f"{url}/keep", timeout=20).status_code == 200:
                self.kept.add(name)
        else:
            self.asked.add(name)
            requests.delete(url, timeout=20)

    def check(self, listed: dict[str, dict]) -> None:
        """Check that only what was to be deleted is gone, and that kept pictures are kept."""
        for name, data in self.files.items():
            path = self.root / name
            assert path.read_bytes() == data if path.exists() else name in self.asked
        assert self.kept <= {name for name, picture in listed.items() if picture["kept"]}


class Pruned:
    """A camera whose pictures retention deletes; ``stays``: those that must not be deleted."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root, self.chance = root, chance
        self.stays: set[Path] = set()
        self.service = ""

    def put(self, days: float) -> Path:
        """Upload a file that is this old."""
        path = self.root / self.chance.choice(FOLDERS) / f"{self.chance.getrandbits(40):x}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8\xff picture \xff\xd9")
        moment = time.time() - days * 86400
        os.utime(path, (moment, moment))
        return path

    def protect(self, service: str, url: str) -> None:
        """Set the limit; keep a picture, and enter an event that needs another one."""
        body = {"keep_days": KEEP_DAYS}
        assert requests.patch(f"{url}/settings", json=body, timeout=20).status_code == 200
        kept, needed = self.put(40), self.put(50)
        needed_at = datetime.fromtimestamp(needed.stat().st_mtime, UTC).isoformat()
        event = {"camera_id": url.rpartition("/")[2], "started_at": needed_at}
        event |= {"ended_at": needed_at}
        assert requests.post(f"{service}/api/events", json=event, timeout=20).status_code == 201
        picture = listed_at(url)[0][str(kept.relative_to(self.root))]
        keep = f"{url}/pictures/{picture['id']}/keep"
        assert requests.put(keep, timeout=20).status_code == 200
        self.stays |= {kept, needed, self.put(0)}

    def refill(self) -> None:
        """Upload files that are too old, and some that are not."""
        self.stays |= {self.put(KEEP_DAYS - 1) for _ in range(5)}
        for _ in range(200):
            self.put(self.chance.uniform(KEEP_DAYS + 1, 30))

    def prune(self) -> int:
        """Run retention; return how many pictures it has deleted."""
        # After a hundred kills thousands of files wait, of which it deletes some hundred a second.
        answer = requests.post(f"{self.service}/api/system/retention", timeout=600)
        assert answer.status_code in (200, 409), answer.text
        assert answer.json().get("suspended") is None
        return answer.json().get("pictures", 0)

    def check(self) -> None:
        """Check that nothing was deleted that must stay."""
        assert not [path for path in self.stays if not path.exists()]


def listed_at(url: str) -> tuple[dict[str, dict], int]:
    """The pictures of a camera by name, and the count of the last page."""
    found, cursor = {}, ""
    while cursor is not None:
        answer = requests.get(f"{url}/pictures?limit=1000{cursor}", timeout=20)
        assert answer.status_code == 200, answer.text
        found |= {picture["name"]: picture for picture in answer.json()["pictures"]}
        following = answer.json()["next_cursor"]
        cursor = None if following is None else f"&cursor={following}"
    return found, answer.json()["count"]


def walked(root: Path, camera_id: str) -> dict[str, str]:
    """The id of each file that is to be listed."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            status = os.lstat(os.path.join(folder, name))
            if not name.startswith(".") and (name.endswith(".jpg") or is_clip(name)):
                found[path] = file_facts(
                    camera_id, path, status, has_stable_inodes=True
                ).picture_id
    return found


def assert_agreed(url: str, root: Path) -> dict[str, dict]:
    """The list, which soon equals a walk, when no file is hidden any more."""
    deadline, camera_id = time.monotonic() + AGREED_SECONDS, url.rpartition("/")[2]
    while True:
        (pictures, count), disk = listed_at(url), walked(root, camera_id)
        hidden = list(root.rglob(".*.deleted"))
        index = {name: picture["id"] for name, picture in pictures.items()}
        if time.monotonic() > deadline or ((index, count) == (disk, len(disk)) and not hidden):
            assert (index, count, hidden) == (disk, len(disk), [])
            return pictures
        time.sleep(0.1)


def fill(base: Path, chance: random.Random) -> Uploads:
    """A camera whose files are only overwritten, so that its folders never change."""
    uploads = Uploads(base / "quiet", chance)
    for _ in range(500):
        uploads.upload()
    for folder in FOLDERS:
        os.utime(uploads.root / folder, (1, 1))
    uploads.changes = [uploads.overwrite]
    return uploads


@pytest.mark.parametrize("rounds", ROUNDS)
def test_index_and_disk_agree_after_kill_9_at_any_moment(tmp_path, rounds):
    chance, base = random.Random(SEED), tmp_path / "uploads"
    busy, quiet = Uploads(base / "busy", chance), fill(base, chance)
    viewer = Viewer(base / "still", chance)
    pruned = Pruned(base / "pruned", chance)
    pruned.stays = {pruned.put(40) for _ in range(5)}  # from before the camera
    paths: dict[Path, str] = {}
    for number in range(rounds + 1):
        with ForkedServer(tmp_path, **SETTINGS) as server:
            for root in () if paths else (busy.root, quiet.root, viewer.root, pruned.root):
                root.mkdir(exist_ok=True)
                camera = {"name": root.name, "folder_path": root.name}
                answer = requests.post(f"{server.url}/api/cameras", json=camera, timeout=20)
                paths[root] = f"/api/cameras/{answer.json()['id']}"
            listed = {root: assert_agreed(server.url + path, root) for root, path in paths.items()}
            viewer.check(listed[viewer.root])
            pruned.check()
            pruned.service = server.url
            if not number:
                pruned.protect(server.url, server.url + paths[pruned.root])
            if number < rounds:
                viewer.refill()
                pruned.refill()
                viewer.url = server.url + paths[viewer.root]
                with Job(busy.change), Job(quiet.change), Job(viewer.act), Job(pruned.prune):
                    time.sleep(chance.random() * 3)
                    server.stop(signal.SIGKILL)
            else:
                pruned.prune()
                assert set(pruned.root.rglob("*.jpg")) == pruned.stays
