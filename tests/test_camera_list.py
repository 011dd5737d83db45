"""Does every change of a camera, and nothing else, invalidate the cached list?"""

import json
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from app import db
from app.db import backup as backup_files
from app.db import database
from app.db.connection import PRAGMAS
from app.models import STATUSES, Camera, NotFound
from app.services import audit
from app.services import cameras as camera_service
from app.services.audit import Caller
from app.services.camera_status import SILENCE, Decision, pending_updates
from app.services.cameras import CameraListCache, list_cache
from tests.rows import MOMENT, add_camera, add_detection, add_event

pytestmark = pytest.mark.usefixtures("app")

BY = Caller("anonymous")
LATER = "2025-12-23T11:00:00.000000Z"
COLUMNS = "(id, name, folder_path, status, created_at)"
ROUNDS = 60
# Changes a camera's name to each number, and prints it when that is committed.
RENAME = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for number in range(int(sys.argv[2])):
    connection.execute("UPDATE camera SET name = ?", (number,))
    print(number, flush=True)
    sys.stdin.readline()
connection.close()
"""


def by_hand(sql):
    """Run a statement in another connection, as another program does."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute(sql)


def listed(status=None):
    return json.loads(list_cache.get(status).body)["cameras"]


def assert_fresh(before):
    """The cached lists differ from ``before`` and hold what is stored and seen."""
    assert list_cache.get().tag != before.tag
    for status in (None, *STATUSES):
        assert listed(status) == camera_service.list_cameras(status)


def test_an_unchanged_list_is_encoded_once_for_each_status():
    add_camera()
    for status in (None, *STATUSES):
        assert list_cache.get(status) is list_cache.get(status)
    assert len({list_cache.get(status).tag for status in (None, "online", "offline")}) == 2
    assert list_cache.get("offline").body == b'{"cameras":[],"count":0}\n'


def test_the_same_list_has_the_same_tag_in_every_process():
    add_camera()
    assert CameraListCache().get() == list_cache.get()
    assert CameraListCache().get() is not list_cache.get()


@pytest.mark.parametrize(
    "work",
    [
        lambda camera: camera_service.create_camera(
            {"name": "b", "folder_path": "b", "status": "error"}, BY
        ),
        lambda camera: camera_service.update_camera(camera, {"name": "x"}, BY),
        lambda camera: camera_service.update_camera(camera, {"status": "offline"}, BY),
        lambda camera: camera_service.delete_camera(camera, BY),
        lambda camera: camera_service.import_cameras(
            [{"name": "x", "folder_path": "front door"}], "/", BY
        ),
    ],
    ids=["register", "rename", "status", "remove", "import"],
)
def test_every_change_of_this_process_shows_at_once(work):
    camera, before = add_camera(), list_cache.get()
    work(camera)
    assert_fresh(before)


@pytest.mark.parametrize(
    "sql",
    [
        f"INSERT INTO camera {COLUMNS} VALUES ('b', 'b', 'b', 'error', '')",
        # The conflict clause of a statement applies to the actions of its triggers too.
        f"INSERT OR IGNORE INTO camera {COLUMNS} VALUES ('b', 'b', 'b', 'error', '')",
        f"INSERT OR REPLACE INTO camera {COLUMNS} SELECT id, 'x', '', 'error', '' FROM camera",
        f"INSERT INTO camera {COLUMNS} SELECT id, '', '', 'error', '' FROM camera WHERE 1 "
        "ON CONFLICT (id) DO UPDATE SET name = 'x'",
        "UPDATE camera SET last_seen_at = '2025-12-23T11:00:00.000000Z'",
        "UPDATE OR IGNORE camera SET name = 'x'",
        "DELETE FROM camera",
    ],
    ids=["insert", "ignore", "replace", "upsert", "seen", "update or ignore", "delete all"],
)
def test_every_change_by_hand_shows_at_once(sql):
    add_camera()
    before = list_cache.get()
    by_hand(sql)
    assert_fresh(before)


def test_a_change_that_is_rolled_back_never_shows():
    camera, before = add_camera(), list_cache.get()
    with suppress(NotFound), database.atomic():
        Camera.change(camera, {"name": "x"})
        Camera.one("nobody")
    assert list_cache.get() == before
    assert Camera.one(camera)["name"] == "Front Door"


def test_changes_of_other_tables_keep_the_cached_list():
    camera = add_camera()
    before = list_cache.get()
    with database.atomic():
        add_detection(camera, add_event(camera))
        audit.record("tested", BY, "camera", {"id": camera}, {})
    assert list_cache.get() is before


def test_a_pending_update_shows_at_once_and_still_after_it_is_written():
    camera, before = Camera.one(add_camera()), list_cache.get()
    pending_updates.add(camera, Decision("offline", LATER, SILENCE))
    assert_fresh(before)
    assert listed("offline") == [camera | {"status": "offline", "last_seen_at": LATER}]
    waiting = list_cache.get()
    pending_updates.flush()
    assert listed("offline") == [Camera.one(camera["id"])] == Camera.listing()
    assert list_cache.get() == waiting


def test_a_pending_update_that_is_dropped_no_longer_shows():
    before = Camera.one(add_camera())
    pending_updates.add(before, Decision("online", LATER))
    waiting = list_cache.get()
    pending_updates.clear()
    assert_fresh(waiting)
    assert listed() == [before]


def test_the_cache_releases_every_response_that_a_change_has_outdated():
    camera, cameras = add_camera(), CameraListCache()
    outdated = [cameras.get(status) for status in (None, *STATUSES)]
    references = [sys.getrefcount(each) for each in outdated]
    Camera.change(camera, {"name": "another"})
    cameras.get()
    assert [sys.getrefcount(each) for each in outdated] == [count - 1 for count in references]


def test_a_restored_database_continues_with_versions_that_were_never_used(tmp_path):
    """A counter would come to the same number again, with other cameras."""
    path, kept = str(database.path), str(tmp_path / "kept.db")
    camera = add_camera()
    backup_files.backup(path, kept)
    Camera.change(camera, {"name": "forgotten"})
    before = list_cache.get()
    db.close_all()
    backup_files.restore(kept, path, db.known_migrations())
    db.migrate()
    Camera.change(camera, {"name": "restored"})
    assert_fresh(before)
    assert [row["name"] for row in listed()] == ["restored"]


def test_another_database_is_another_list(tmp_path):
    """Both databases empty, then each with a camera from before the triggers."""
    marks = set()
    for number in range(3):
        db.close_all()
        database.init(str(tmp_path / f"{number}.db"), pragmas=PRAGMAS)
        db.migrate()
        marks.add(camera_service.cache_version())
    assert len(marks) == 3


def test_without_the_table_version_nothing_is_cached():
    add_camera()
    by_hand("DELETE FROM revision")
    before = list_cache.get()
    assert list_cache.get() == before
    assert list_cache.get() is not before
    by_hand("UPDATE camera SET name = 'x'")
    assert_fresh(before)


def test_a_commit_of_another_process_shows_at_once():
    add_camera()
    with subprocess.Popen(
        [sys.executable, "-c", RENAME, database.path, str(ROUNDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as renamer:
        for number in range(ROUNDS):
            assert renamer.stdout.readline() == f"{number}\n"
            assert [row["name"] for row in listed()] == [str(number)]
            renamer.stdin.write("\n")
            renamer.stdin.flush()


def test_no_list_is_older_than_an_acknowledged_change():
    """Two writers with a camera each, and three readers all the time."""
    cameras = [add_camera("0", MOMENT), add_camera("0", LATER)]
    acknowledged, over = [0, 0], threading.Event()

    def write(number):
        try:
            for turn in range(1, ROUNDS + 1):
                camera_service.update_camera(cameras[number], {"name": str(turn)}, BY)
                acknowledged[number] = turn
        finally:
            database.close()

    def look():
        is_last = False
        try:
            while not is_last:  # at least once, also where the writers were quicker
                is_last = over.is_set()
                at_least = list(acknowledged)
                names = [int(row["name"]) for row in listed()]
                assert all(name >= least for name, least in zip(names, at_least, strict=True))
        finally:
            database.close()

    with ThreadPoolExecutor(5) as threads:
        looks = [threads.submit(look) for _ in range(3)]
        writes = [threads.submit(write, number) for number in range(2)]
        for done in writes:
            done.exception()
        over.set()
        for done in (*writes, *looks):
            done.result()
    assert [row["name"] for row in listed()] == [str(ROUNDS)] * 2
