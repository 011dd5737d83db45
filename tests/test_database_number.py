"""Is it noticed that a database was restored, or that another file is in its place?"""

import json
import os
import shutil
import sqlite3
from contextlib import closing, contextmanager

import pytest
from peewee import DatabaseError

from app import create_app, db
from app.db import files
from app.models import RetentionFact
from app.pictures import suspension
from app.services import database_number
from tests import effort
from tests.posting import post_camera

LIMIT = {"keep_days": 30}


@pytest.fixture
def path(environ):
    return environ["NVR_DATABASE_URL"].removeprefix("sqlite:///")


@pytest.fixture
def service(environ):
    """Run the service for a block; what it has done is on the disk afterwards."""

    @contextmanager
    def run(ends_in_order=True):
        app = create_app(environ)
        db.migrate()
        try:
            app.extensions["monitor"].lead()
            app.extensions["pruner"].run_if_due()
            yield app
            if ends_in_order:
                app.extensions["pruner"].close()
        finally:
            app.extensions["monitor"].close()
            app.extensions["folders"].retain(())
            db.close_all()

    return run


@pytest.fixture
def used(service):
    """A service that has run once, with a limit."""
    with service() as app:
        app.test_client().patch("/api/settings", json=LIMIT)


def reason(service):
    """Why the service deletes no pictures, after a start."""
    with service() as app:
        return suspension.reason(app)


def copied(path, target):
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


def put(copy, path):
    """Put another file in the database's place."""
    for suffix in ("-wal", "-shm"):
        files.remove(path + suffix)
    shutil.copy(copy, path)


def test_a_new_database_does_not_count_as_restored(service):
    assert reason(service) is None
    assert reason(service) is None


def test_a_database_without_a_number_gets_one(service, used, path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM retention_fact WHERE name = 'number'")
    os.unlink(f"{path}.number")
    assert reason(service) is None
    with open(f"{path}.number") as file:
        assert len(file.read().split()) == 1


def test_a_process_that_does_not_lead_writes_no_number_by_itself(client, path):
    assert client.post("/api/system/retention?dry_run=true").get_json()["suspended"] is None
    assert not os.path.exists(f"{path}.number")


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_restored_backup_is_noticed(service, used, path, tmp_path, by_hand):
    copy = str(tmp_path / "backup.db")
    with service() as app:
        assert app.test_cli_runner().invoke(args=["backup", copy]).exit_code == 0
    if by_hand:
        put(copy, path)
    else:
        assert create_app_and_run(service, ["restore", copy]).exit_code == 0
    assert [reason(service), reason(service)] == ["restored", "restored"]


def create_app_and_run(service, words):
    with service() as app:
        runner = app.test_cli_runner()
    return runner.invoke(args=words)


@pytest.mark.parametrize("while_it_runs", [False, True])
def test_an_older_copy_of_the_database_is_noticed(service, used, path, tmp_path, while_it_runs):
    copy = str(tmp_path / "copy.db")
    if while_it_runs:
        with service():
            copied(path, copy)
    else:
        copied(path, copy)
        assert reason(service) is None
    put(copy, path)
    assert reason(service) == "restored"


def test_a_copy_from_before_a_limit_was_set_is_noticed_also_after_a_crash(service, path, tmp_path):
    copy = str(tmp_path / "copy.db")
    with service(ends_in_order=False) as app:
        copied(path, copy)
        app.test_client().patch("/api/settings", json=LIMIT)
    put(copy, path)
    assert reason(service) == "restored"


def test_a_copy_from_before_a_run_is_noticed_also_after_a_crash(service, used, path, tmp_path):
    copy = str(tmp_path / "copy.db")
    with service(ends_in_order=False) as app:
        copied(path, copy)
        app.test_client().post("/api/system/retention")
    put(copy, path)
    assert reason(service) == "restored"


def test_a_dry_run_after_a_restore_says_so_and_that_nothing_would_go(service, used, path, base):
    (base / "garden").mkdir()
    with service() as app:
        client = app.test_client()
        post_camera(client)
        for name in ("old.jpg", "new.jpg"):
            (base / "garden" / name).write_bytes(b"picture")
        os.utime(base / "garden/old.jpg", (0, 10**9))
        url = "/api/system/retention?dry_run=true"
        assert client.post(url).get_json()["pictures"] == 1
        os.unlink(f"{path}.number")
        dry, real = (client.post(each).get_json() for each in (url, url.partition("?")[0]))
        assert (dry["suspended"], dry["pictures"], dry["bytes"]) == ("restored", 0, 0)
        assert real == dry | {"dry_run": False}
        check = client.get("/api/system/health").get_json()["checks"]["retention"]
        assert (check["status"], "restore" in check["message"]) == ("degraded", True)
        assert (base / "garden/old.jpg").exists()


def keep_url(client, base):
    """Where to keep the only picture of a new camera."""
    (base / "garden").mkdir()
    (base / "garden/a.jpg").write_bytes(b"picture")
    pictures = f"/api/cameras/{post_camera(client)['id']}/pictures"
    return f"{pictures}/{client.get(pictures).get_json()['pictures'][0]['id']}/keep"


@pytest.mark.parametrize("is_kept_before", [False, True])
def test_a_copy_from_before_a_picture_was_kept_or_released_is_noticed_also_after_a_crash(
    service, used, path, tmp_path, base, is_kept_before
):
    copy = str(tmp_path / "copy.db")
    with service(ends_in_order=False) as app:
        client = app.test_client()
        url = keep_url(client, base)
        if is_kept_before:
            client.put(url)
        copied(path, copy)
        answer = client.delete(url) if is_kept_before else client.put(url)
        assert answer.get_json()["kept"] is not is_kept_before
        assert suspension.reason(app) is None
    put(copy, path)
    assert reason(service) == "restored"


def test_a_picture_can_be_kept_where_no_number_can_be_written(service, used, base, monkeypatch):
    with service(ends_in_order=False) as app:
        client = app.test_client()
        url = keep_url(client, base)
        monkeypatch.setattr(files, "replace_text", no_space)
        assert client.put(url).get_json()["kept"]
        assert suspension.reason(app) is None


def no_space(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_new_database_beside_the_old_number_is_noticed(service, used, path):
    os.unlink(path)
    assert reason(service) == "restored"


@pytest.mark.parametrize("text", [None, "", "nonsense\n", "\xff"])
def test_a_missing_or_damaged_number_file_is_noticed(service, used, path, text):
    os.unlink(f"{path}.number")
    if text is not None:
        with open(f"{path}.number", "w", encoding="latin-1") as file:
            file.write(text)
    assert [reason(service), reason(service)] == ["restored", "restored"]


def test_a_backup_that_is_restored_on_a_new_box_is_noticed(service, used, path, tmp_path):
    copy = str(tmp_path / "backup.db")
    with service() as app:
        app.test_cli_runner().invoke(args=["backup", copy])
    for name in (path, f"{path}.number"):
        os.unlink(name)
    put(copy, path)
    assert reason(service) == "restored"


def test_a_data_directory_that_moved_to_another_box_does_not_count_as_restored(
    service, used, path, environ, tmp_path
):
    (tmp_path / "other").mkdir()
    for suffix in ("", ".number"):
        shutil.copy(path + suffix, tmp_path / f"other/nvr.db{suffix}")
    environ["NVR_DATABASE_URL"] = f"sqlite:///{tmp_path}/other/nvr.db"
    assert reason(service) is None


@pytest.mark.parametrize("of_camera", [False, True])
@pytest.mark.parametrize("limit", [{"keep_days": 30}, {"keep_bytes": 0}])
def test_setting_a_limit_resumes_retention_even_to_its_present_value(
    service, used, path, limit, of_camera
):
    os.unlink(f"{path}.number")
    with service() as app:
        client = app.test_client()
        camera = post_camera(client)
        url = f"/api/cameras/{camera['id']}/settings" if of_camera else "/api/settings"
        other = {"group": "Yard"} if of_camera else {"wall_title": "Home", "retention_days": 3}
        assert client.patch(url, json=other).status_code == 200
        assert suspension.reason(app) == "restored"
        for _ in range(2):
            assert client.patch(url, json=limit).status_code == 200
            assert suspension.reason(app) is None
    assert reason(service) is None


def test_a_refused_limit_does_not_resume(service, used, path):
    os.unlink(f"{path}.number")
    with service() as app:
        client = app.test_client()
        assert client.patch("/api/settings", json={"keep_days": -1}).status_code == 422
        gone = "/api/cameras/00000000-0000-4000-8000-000000000000/settings"
        assert client.patch(gone, json=LIMIT).status_code == 404
        assert suspension.reason(app) == "restored"


def test_prune_resumes_retention_with_its_option_only(service, used, path):
    os.unlink(f"{path}.number")
    with service() as app:
        runner = app.test_cli_runner()
        for words, expected in (
            (["prune"], "restored"),
            (["prune", "--resume", "--dry-run"], "restored"),
            (["prune", "--resume"], None),
        ):
            runner.invoke(args=words)
            assert suspension.reason(app) == expected


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
@pytest.mark.parametrize("is_new", [False, True])
def test_a_crash_while_the_number_changes_does_not_count_as_a_restore(
    service, path, monkeypatch, writes, is_new
):
    """The process ends before or after each of the writes: file, database, file."""
    if not is_new:
        reason(service)
    crash_after(monkeypatch, writes)
    with pytest.raises(Crash), service():
        pass
    monkeypatch.undo()
    assert reason(service) is None


@pytest.mark.parametrize("writes", [0, 1])
def test_a_crash_before_a_resumption_is_stored_does_not_resume(
    service, used, path, monkeypatch, writes
):
    os.unlink(f"{path}.number")
    with service() as app:
        crash_after(monkeypatch, writes)
        with pytest.raises(Crash):
            database_number.resume()
        monkeypatch.undo()
        assert suspension.reason(app) == "restored"


class Crash(BaseException):
    """Stands for the end of the process."""


def crash_after(monkeypatch, writes):
    """Let the process end after so many writes of file and database."""
    left = writes

    def counted(function):
        def call(*args, **kwargs):
            nonlocal left
            if not left:
                raise Crash
            left -= 1
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(files, "replace_text", counted(files.replace_text))
    monkeypatch.setattr(RetentionFact, "note", counted(RetentionFact.note))


def test_a_number_that_cannot_be_written_changes_nothing(service, used, path, monkeypatch):
    with service(ends_in_order=False) as app:
        before = RetentionFact.find(name="number")
        monkeypatch.setattr(files, "replace_text", no_space)
        with pytest.raises(OSError, match="No space"):
            database_number.renew()
        assert RetentionFact.find(name="number") == before
        client = app.test_client()
        assert client.patch("/api/settings", json={"keep_days": 3}).status_code == 200
        assert suspension.reason(app) is None
        os.unlink(f"{path}.number")
        assert client.patch("/api/settings", json={"keep_days": 4}).status_code >= 500
        assert client.get("/api/settings").get_json()["keep_days"] == 3
        assert suspension.reason(app) == "restored"
    monkeypatch.undo()


def test_a_database_that_cannot_be_written_keeps_its_number(service, used, path):
    with service(ends_in_order=False) as app:
        connection = effort.writer_connection()
        connection.execute("PRAGMA query_only = 1")
        with pytest.raises(DatabaseError, match="readonly"):
            database_number.renew()
        connection.execute("PRAGMA query_only = 0")
        assert suspension.reason(app) is None
    assert reason(service) is None


@pytest.mark.slow
def test_two_processes_may_change_the_number_at_once(service, used, path, processes):
    with service() as app:
        url = json.dumps({"NVR_DATABASE_URL": f"sqlite:///{path}"})
        others = [processes.Process(target=renew_often, args=(url,)) for _ in range(2)]
        for other in others:
            other.start()
        while any(other.is_alive() for other in others):
            database_number.renew()
            assert suspension.reason(app) is None
        for other in others:
            other.join()
            assert other.exitcode == 0


def renew_often(environ):
    create_app(json.loads(environ))
    db.migrate()
    for _ in range(20):
        database_number.renew()
        assert not database_number.is_other()
    db.close_all()


def test_the_file_is_readable_by_its_owner_alone(service, used, path):
    assert os.stat(f"{path}.number").st_mode & 0o777 == 0o600
    assert os.stat(f"{path}.number").st_uid == os.stat(path).st_uid
