"""Clients that write without a pause, and checks of what they were acknowledged."""

import http.client
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

JSON = {"Content-Type": "application/json"}


class Writers:
    """Clients that create a camera and rename it, again and again, until they are stopped.

    As a context manager they write inside the block. ``made``: camera → the last name that was
    acknowledged; ``asked``: camera → the name that nobody has acknowledged yet.
    """

    def __init__(self, url: str, count: int = 8) -> None:
        self.address = url.removeprefix("http://")
        self.made: dict[str, str] = {}
        self.asked: dict[str, str] = {}
        self.statuses: dict[int, int] = {}
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(count)]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        with closing(http.client.HTTPConnection(self.address, timeout=60)) as connection:
            try:
                while not self._stopped.is_set():
                    self._make_and_rename(connection)
            except (OSError, http.client.HTTPException):
                return  # the service is gone

    def _make_and_rename(self, connection: http.client.HTTPConnection) -> None:
        body = {"name": "made", "folder_path": "front"}
        status, answer = self._ask(connection, "POST", "/api/cameras", body)
        if status != 201:
            return
        camera = answer["id"]
        self.made[camera], self.asked[camera] = "made", "renamed"
        status, _ = self._ask(connection, "PATCH", f"/api/cameras/{camera}", {"name": "renamed"})
        if status == 200:
            self.made[camera] = "renamed"

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: object):
        connection.request(method, path, json.dumps(body), JSON)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        return answer.status, content


def assert_whole(path: Path) -> dict[str, str]:
    """The database is sound, and says of every camera what its audit log says; camera → name."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        names = dict(database.execute("SELECT id, name FROM camera"))
        told: dict[str, str] = {}
        for camera, details in database.execute(
            "SELECT resource_id, details FROM audit_entry ORDER BY id"
        ):
            change = json.loads(details)
            told[camera] = change["name"] if "name" in change else change["changes"]["name"]["new"]
    assert names == told
    return names


def assert_kept(writers: Writers, names: dict[str, str]) -> None:
    """Check that everything that was acknowledged is in ``names``."""
    for camera, name in dict(writers.made).items():
        assert names[camera] in (name, writers.asked[camera])
