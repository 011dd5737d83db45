"""Which files of app/ does a request run through?

Run in a process of its own, ``python -m benchmarks.followed``; prints JSON: what is followed →
the files. A file counts when one of its functions runs, in any thread, once the caches are warm,
or when it declares the schema that checks the input.
"""

import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import marshmallow
from PIL import Image

from app import create_app, db

APP = f"{Path(__file__).resolve().parent.parent}/app/"
# marshmallow's public method that checks an input; the frame's ``self`` is the schema.
LOADING = marshmallow.Schema.load.__code__
WARM_UP = 3
# A view that does next to nothing: what runs for it runs for every request.
EVERY_REQUEST = "every request"


class Recorder:
    """Collects the files of app/ whose functions begin to run."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.is_on = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """A profile function as of sys.setprofile."""
        if not self.is_on or event != "call":
            return
        if frame.f_code is LOADING:
            module = sys.modules[type(frame.f_locals["self"]).__module__]
            self._add(str(module.__file__))
        self._add(frame.f_code.co_filename)

    def _add(self, path: str) -> None:
        if path.startswith(APP):
            self.files.add(path.removeprefix(APP))

    def record(self, what: Callable[[], Any]) -> set[str]:
        """The files that run while ``what`` does."""
        self.files = set()
        self.is_on = True
        what()
        self.is_on = False
        return self.files


def frame(shade: int) -> bytes:
    """A small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, shade, shade)).save(out, "JPEG")
    return out.getvalue()


class Service:
    """The app on scratch data: one camera, with pictures."""

    def __init__(self, folder: Path) -> None:
        self.uploads = folder / "base" / "front"
        self.uploads.mkdir(parents=True)
        self.pictures = 0
        self.app = create_app(
            {
                "NVR_FOSCAM_BASE_PATH": f"{folder}/base",
                "NVR_DATABASE_URL": f"sqlite:///{folder}/nvr.db",
                "NVR_LAST_SEEN_FLUSH_SECONDS": "0",
            }
        )
        self.client = self.app.test_client()
        fields = {"name": "Front Door", "folder_path": "front"}
        self.camera = self.ask("POST", "/api/cameras", 201, fields).get_json()["id"]
        self.url = f"/api/cameras/{self.camera}"

    def ask(self, method: str, path: str, status: int, body: Any = None) -> Any:
        """The response to a request; it must have this status."""
        response = self.client.open(path, method=method, json=body)
        assert response.status_code == status, response.text
        return response

    def upload(self) -> None:
        """As a camera does: one more picture."""
        self.pictures += 1
        (self.uploads / f"{self.pictures:06}.jpg").write_bytes(frame(self.pictures))

    def detect(self) -> None:
        """Post a detection."""
        seen = {"camera_id": self.camera, "object_type": "person", "confidence": 0.93}
        self.ask("POST", "/api/detections", 201, seen)

    def look(self) -> None:
        """One round of the monitor."""
        self.app.extensions["monitor"].tick()

    def come_online(self, recorder: Recorder) -> set[str]:
        """What runs when an upload is noticed and makes an offline camera online."""
        self.look()
        self.ask("PATCH", self.url, 200, {"status": "offline"})
        self.upload()
        files = recorder.record(self.look)
        assert self.ask("GET", self.url, 200).get_json()["status"] == "online"
        return files


def follow(folder: Path) -> dict[str, set[str]]:
    """What is followed → the files that run, with data in ``folder``."""
    recorder = Recorder()
    # Before any thread starts, so that those which write are recorded too.
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    service = Service(folder)
    service.upload()
    requests: dict[str, Callable[[], Any]] = {
        EVERY_REQUEST: lambda: service.ask("GET", "/health", 200),
        "GET one camera": lambda: service.ask("GET", service.url, 200),
        "GET a snapshot": lambda: service.ask("GET", f"{service.url}/snapshot", 200),
        "POST a detection": service.detect,
    }
    followed = {}
    for name, request in requests.items():
        for _ in range(WARM_UP):
            request()
        followed[name] = recorder.record(request)
    followed["an upload that turns a camera online"] = service.come_online(recorder)
    sys.setprofile(None)
    # The view of /health itself runs for no other request.
    followed[EVERY_REQUEST] -= {"api/system.py"}
    return followed


def main() -> None:
    """Follow and print."""
    with tempfile.TemporaryDirectory() as folder:
        found = follow(Path(folder))
        db.close_all()
    every = found.pop(EVERY_REQUEST)
    print(
        json.dumps(
            {EVERY_REQUEST: sorted(every)} | {n: sorted(f - every) for n, f in found.items()}
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()
