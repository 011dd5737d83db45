"""Do settings hold at once, by the real service, its real folders and its real database?"""

from typing import Any

import pytest
import requests

from tests.e2e.server import Server
from tests.e2e.test_liveness import ask, register, until
from tests.pictures import picture, put


def change(server: Server, path: str, **fields: Any) -> dict[str, Any]:
    """The answer to a PATCH."""
    answer = requests.patch(server.url + path, json=fields, timeout=20)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def snapshot(server: Server, camera: str) -> bytes:
    """The camera's picture now; nothing where there is none."""
    answer = requests.get(f"{server.url}{camera}/snapshot", timeout=20)
    return answer.content if answer.status_code == 200 else b""


@pytest.mark.parametrize("watch", ["auto", "off"])
def test_two_channels_of_one_folder_are_two_cameras(tmp_path, watch):
    one, two = picture(shade=10), picture(shade=200)
    with Server(tmp_path, NVR_WATCH=watch) as server:
        seldom, busy = (register(server, "front") for _ in range(2))
        put(server.base / "front/CH01_0.jpg", one, age=3600)
        change(server, f"{seldom}/settings", file_pattern="ch01_*")
        change(server, f"{busy}/settings", file_pattern="CH02_*")
        until(lambda: ask(server, seldom)["last_seen_at"] is not None, 4)
        seen = ask(server, seldom)["last_seen_at"]
        for number in range(100):
            put(server.base / f"front/CH02_{number}.JPG", two)
        assert [snapshot(server, camera) for camera in (seldom, busy)] == [one, two]
        until(lambda: (ask(server, busy)["last_seen_at"] or "") > seen, 4)
        assert ask(server, seldom)["last_seen_at"] == seen
        counts = [ask(server, f"{c}/diagnostics")["pictures"]["count"] for c in (seldom, busy)]
        assert counts == [1, 100]
        change(server, f"{seldom}/settings", file_pattern="CH03_*")
        assert snapshot(server, seldom) == b""
        change(server, f"{seldom}/settings", file_pattern=None)
        assert snapshot(server, seldom) == two
