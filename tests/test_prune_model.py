"""Does retention delete exactly what a slow and plain model of its rules says?"""

import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock, create_app, db
from app.db import writer
from app.models import CameraRetention
from app.pictures import prune_rules, pruned_box
from tests.posting import post_camera, post_event

DAY = 24 * 3600
FOLDERS = ("a", "a/b", "a/b/c", "d")
WATCHED = ("a", "a/b", "./a", "d")
NAMES = ("x.jpg", "y.jpg", "z.jpg", "x.mp4", "y.mp4")
PATTERNS = (None, None, "x*", "*.jpg")
DAYS = st.integers(0, 6)
LIMIT = st.sampled_from((0, 0, 1, 2, 4))
BYTES = st.sampled_from((0, 0, 1, 100, 250, 500))

CAMERA = st.fixed_dictionaries(
    {
        "folder": st.sampled_from(WATCHED),
        "file_pattern": st.sampled_from(PATTERNS),
        "keep_days": st.one_of(st.none(), LIMIT),
        "keep_bytes": BYTES,
        "prune_existing": st.booleans(),
        "begins_late": st.booleans(),
        "events": st.lists(st.tuples(DAYS, st.booleans()), max_size=2),
        "kept": st.lists(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)), max_size=2),
    }
)
FILE = st.tuples(
    st.sampled_from(FOLDERS), st.sampled_from(NAMES), DAYS, st.integers(1, 120), st.booleans()
)
WORLD = st.fixed_dictionaries(
    {
        "cameras": st.lists(CAMERA, min_size=1, max_size=3),
        "files": st.lists(FILE, min_size=2, max_size=14, unique_by=lambda file: file[:2]),
        "box": st.fixed_dictionaries(
            {
                "keep_days": LIMIT,
                "keep_bytes": BYTES,
                "keep_free_bytes": st.sampled_from((0, 0, 1050, 1300)),
            }
        ),
    }
)
FREE = 1000


class File:
    """A file of the model: its age in seconds, and whether it is from before late cameras."""

    def __init__(self, number, folder, name, days, size, is_early):
        self.path, self.name, self.size = f"{folder}/{name}", name, size
        self.age, self.is_early = days * DAY + 3600 + number, is_early
        self.is_clip = name.endswith("mp4")


class Camera:
    """A camera of the model."""

    def __init__(self, given, files):
        self.__dict__.update(given)
        self.folder = given["folder"].removeprefix("./")
        pattern = given["file_pattern"] or "*"
        self.files = [
            file
            for file in files
            if file.path.startswith(f"{self.folder}/") and fnmatch(file.name, pattern)
        ]
        self.newest = [
            min((file for file in self.files if file.is_clip == kind), key=lambda f: f.age)
            for kind in {file.is_clip for file in self.files}
        ]

    def needs(self, file):
        is_existing = self.begins_late and file.is_early and not self.prune_existing
        return (
            file in self.newest
            or is_existing
            or any("/".join(kept) == file.path for kept in self.kept)
            or any(self.is_in(event, file) for event in self.events)
        )

    def is_in(self, event, file):
        """Events begin an hour after a day began, and last a minute."""
        days, is_reviewed = event
        begin = days * DAY + 3600
        return (
            not is_reviewed
            and begin - 60 - (120 if file.is_clip else 30) <= file.age <= begin + 30
        )


def expected(world, files):
    """The paths that go."""
    cameras, box = [Camera(given, files) for given in world["cameras"]], world["box"]
    having = {file: [c for c in cameras if file in c.files] for file in files}
    free = [f for f in files if having[f] and not any(c.needs(f) for c in having[f])]
    free.sort(key=lambda file: -file.age)
    gone = []

    def excess(camera):
        size = sum(file.size for file in camera.files if file not in gone)
        return size - camera.keep_bytes if camera.keep_bytes else 0

    def wants(camera, file):
        days = box["keep_days"] if camera.keep_days is None else camera.keep_days
        return (days and file.age > days * DAY) or excess(camera) > 0

    for file in free:
        if all(wants(camera, file) for camera in having[file]):
            gone.append(file)
    counted = [file for file in files if having[file]]
    for file in free:
        total = sum(each.size for each in counted if each not in gone)
        if box["keep_bytes"] and total > box["keep_bytes"] and file not in gone:
            gone.append(file)
    for file in free:
        is_short = FREE + sum(each.size for each in gone) < box["keep_free_bytes"]
        if is_short and file not in gone and file.age > DAY:
            gone.append(file)
    return {file.path for file in gone}


@contextmanager
def service(world, files):
    """The app and its base path with all files; a dictionary of the bytes that are free."""
    folder = Path(tempfile.mkdtemp())
    base = folder / "base"
    for name in FOLDERS:
        (base / name).mkdir(parents=True)
    app = create_app(
        {"NVR_DATABASE_URL": f"sqlite:///{folder}/nvr.db", "NVR_FOSCAM_BASE_PATH": str(base)}
    )
    db.migrate()
    client, now = app.test_client(), time.time()
    cameras = [post_camera(client, str(n), c["folder"]) for n, c in enumerate(world["cameras"])]
    for is_early in (True, False):
        for file in files:
            if file.is_early == is_early:
                (base / file.path).write_bytes(b"x" * file.size)
                os.utime(base / file.path, (now - file.age,) * 2)
        moment = clock.now()
        clock.wait_for_tick(moment)
        late = clock.rfc3339(moment)
        for camera, given_camera in zip(cameras, world["cameras"], strict=True):
            if is_early and given_camera["begins_late"]:
                values = {"folder_since": late}
                writer.run(lambda c=camera, v=values: CameraRetention.write(c["id"], v))
    for camera, given_camera in zip(cameras, world["cameras"], strict=True):
        arrange(client, camera, given_camera, now)
    assert client.patch("/api/settings", json=world["box"]).status_code == 200
    try:
        yield client, base
    finally:
        app.extensions["folders"].retain(())
        db.close_all()
        shutil.rmtree(folder)


def arrange(client, camera, chosen, now):
    url, names = f"/api/cameras/{camera['id']}", ("file_pattern", "keep_days", "keep_bytes")
    fields = {name: chosen[name] for name in (*names, "prune_existing")}
    assert client.patch(f"{url}/settings", json=fields).status_code == 200
    for days, is_reviewed in chosen["events"]:
        begin = now - days * DAY - 3600
        times = [clock.rfc3339(clock.from_ns(int(t * 1e9))) for t in (begin, begin + 60)]
        post_event(client, camera, started_at=times[0], ended_at=times[1], reviewed=is_reviewed)
    listed = client.get(f"{url}/pictures?limit=100").get_json()["pictures"]
    prefix = chosen["folder"].removeprefix("./")
    for picture in listed:
        if any("/".join(kept) == f"{prefix}/{picture['name']}" for kept in chosen["kept"]):
            assert client.put(f"{url}/pictures/{picture['id']}/keep").status_code == 200


def assert_exact(world):
    files = [File(number, *values) for number, values in enumerate(world["files"])]
    with service(world, files) as (client, base), pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruned_box, "ROWS_AT_ONCE", 3)
        freed = SimpleNamespace(f_bavail=FREE, f_frsize=1)
        patch.setattr(prune_rules.os, "fstatvfs", lambda _: freed)
        dry = client.post("/api/system/retention?dry_run=true").get_json()
        real = client.post("/api/system/retention").get_json()
        assert dry == real | {"dry_run": True}
        gone = {file.path for file in files if not (base / file.path).exists()}
        assert gone == expected(world, files)
        assert real["bytes"] == sum(file.size for file in files if file.path in gone)


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(WORLD)
def test_exactly_the_files_that_the_model_names_are_deleted(world):
    assert_exact(world)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(WORLD)
def test_exactly_the_files_that_the_model_names_are_deleted_in_many_boxes(world):
    assert_exact(world)
