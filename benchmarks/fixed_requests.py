"""Which requests are counted by `instructions`? The same ones, the same number of times.

No sockets and no server threads: their cost differs from run to run.
"""

import gc
import io
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Response

from app import create_app, db
from app.db import writer
from benchmarks.rivals.pictures import fill

CAMERAS, PICTURES, DETECTIONS = 100, 20, 100
# Afterwards Python has specialised the hot code, and the caches are full.
WARM_UP, SETTLING = 16, 300
# How often each request runs; then a tenth more often, as if it cost a tenth more.
TIMES, TIMES_AND_A_TENTH = 20, 22
YARDSTICK = "Flask alone with one SELECT"
LIST = "/api/cameras"

Ask = Callable[[], Any]


def mark() -> None:
    """End one count and begin the next: valgrind dumps its counters at this system call."""
    os.getppid()


def ask(
    app: Any, method: str, path: str, status: int, body: bytes = b"", **more: str
) -> tuple[dict[str, str], bytes]:
    """Headers and body of the response, which must have this ``status``; ``more``: environ."""
    environ = {
        **{"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""},
        **{"SERVER_NAME": "localhost", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1"},
        **{"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"},
        **{"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))},
        **{"wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), **more},
    }
    begun: list[Any] = []
    answer = app(environ, lambda *head: begun.extend(head))
    content = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    assert begun[0].startswith(str(status)), (begun, content)
    return dict(begun[1]), content


def yardstick() -> Flask:
    """An app without a line of the service: its cost depends on the interpreter only."""
    app = Flask("yardstick")
    connection = sqlite3.connect(":memory:")

    @app.get("/yard")
    def yard() -> Response:
        (found,) = connection.execute("SELECT 1").fetchone()
        return Response(orjson.dumps({"found": found}), mimetype="application/json")

    return app


def requests(folder: Path) -> dict[str, Ask]:
    """Name → a function that sends the request, on data in ``folder``."""
    fill(folder / "base", {PICTURES: "front"})
    app = create_app(
        {
            "NVR_FOSCAM_BASE_PATH": f"{folder}/base",
            "NVR_DATABASE_URL": f"sqlite:///{folder}/nvr.db",
        }
    )
    posted = [_post(app, number) for number in range(CAMERAS)]
    camera = f"{LIST}/{posted[0]}"
    seen = {"camera_id": posted[0], "object_type": "person", "confidence": 0.93}
    batch = json.dumps({"detections": [seen] * DETECTIONS}).encode()
    names = (json.dumps({"name": f"Camera {number:06}"}).encode() for number in count())

    def change() -> None:
        ask(app, "PATCH", camera, 200, next(names))

    def change_and_list() -> None:
        change()
        ask(app, "GET", LIST, 200)

    return {
        YARDSTICK: partial(ask, yardstick(), "GET", "/yard", 200),
        "one camera": partial(ask, app, "GET", camera, 200),
        f"list of {CAMERAS} cameras": partial(ask, app, "GET", LIST, 200),
        "the list as a 304": _known(app, LIST),
        "snapshot of 200 KiB": partial(ask, app, "GET", f"{camera}/snapshot", 200),
        "the snapshot as a 304": _known(app, f"{camera}/snapshot"),
        f"{DETECTIONS} detections in one POST": partial(
            ask, app, "POST", "/api/detections", 201, batch
        ),
        "PATCH": change,
        "PATCH, then the list": change_and_list,
    }


def main() -> None:
    """Run each request between two marks; print the names in their order."""
    writer.CHECKPOINT_SECONDS = 3600.0
    with tempfile.TemporaryDirectory() as folder:
        asked = requests(Path(folder))
        # A collection, or a checkpoint, would be counted to whichever request it happens in.
        gc.disable()
        # The first few hundred requests of a process cost up to 3 % more than later ones.
        for _ in range(SETTLING):
            asked[YARDSTICK]()
            asked["one camera"]()
        for request in asked.values():
            db.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            db.database.close()
            for times in (WARM_UP, TIMES, TIMES_AND_A_TENTH):
                mark()
                for _ in range(times):
                    request()
            mark()
        db.close_all()
    print(json.dumps(list(asked)))


def _post(app: Any, number: int) -> str:
    """Create a camera and return its id; the first one has pictures."""
    folder = f"camera_{number}" if number else "front"
    fields = json.dumps({"name": f"Camera {number}", "folder_path": folder}).encode()
    return str(json.loads(ask(app, "POST", LIST, 201, fields)[1])["id"])


def _known(app: Any, path: str) -> Ask:
    """A conditional request; its ETag comes from an unconditional one before the first."""
    tag: list[str] = []

    def again() -> None:
        if not tag:
            tag.append(ask(app, "GET", path, 200)[0]["ETag"])
        ask(app, "GET", path, 304, HTTP_IF_NONE_MATCH=tag[0])

    return again


if __name__ == "__main__":
    main()
