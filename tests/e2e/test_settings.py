"""Do settings hold at once, by the real service, its real folders and its real database?"""

from typing import Any

import pytest
import requests

from tests.e2e.forked import ForkedServer
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
    with ForkedServer(tmp_path, NVR_WATCH=watch) as server:
        seldom, busy = (register(server, "front") for _ in range(2))
        put(server.base / "front/CH01_0.jpg", one, age=3600)
        change(server, f"{seldom}/settings", file_pattern="ch01_*")
        change(server, f"{busy}/settings", file_pattern="CH02_*")
        until(lambda: ask(server, seldom)["last_seen_at"] is not None)
        seen = ask(server, seldom)["last_seen_at"]
        for number in range(100):
            put(server.base / f"front/CH02_{number}.JPG", two)
        assert [snapshot(server, camera) for camera in (seldom, busy)] == [one, two]
        until(lambda: (ask(server, busy)["last_seen_at"] or "") > seen)
        assert ask(server, seldom)["last_seen_at"] == seen
        counts = [ask(server, f"{c}/diagnostics")["pictures"]["count"] for c in (seldom, busy)]
        assert counts == [1, 100]
        change(server, f"{seldom}/settings", file_pattern="CH03_*")
        assert snapshot(server, seldom) == b""
        change(server, f"{seldom}/settings", file_pattern=None)
        assert snapshot(server, seldom) == two


def test_settings_of_the_box_take_effect_at_once_for_the_service_and_for_commands(tmp_path):
    with ForkedServer(tmp_path, NVR_AUDIT_RETENTION_DAYS="365") as server:
        camera = register(server, "front")
        put(server.base / "front/a.jpg", picture(), age=60)
        until(lambda: ask(server, camera)["last_seen_at"] is not None)
        assert ask(server, camera)["status"] == "online"
        change(server, "/api/settings", offline_after_seconds=30)
        until(lambda: ask(server, camera)["status"] == "offline")
        body = {"camera_id": camera[-36:], "object_type": "cat", "confidence": 1.0}
        batch = {"detections": [body] * 9}
        requests.post(f"{server.url}/api/detections", json=batch, timeout=20)
        change(server, "/api/settings", retention_rows=7)
        until(lambda: ask(server, "/api/detections")["count"] == 7)
        # The service prunes again for the same limit in an hour.
        body = {"detections": [body]}
        requests.post(f"{server.url}/api/detections", json=body, timeout=20)
        assert "1 detections" in server.flask("prune", "--dry-run")
        assert ask(server, "/api/settings")["fixed"] == ["audit_retention_days"]
        refused = requests.patch(
            f"{server.url}/api/settings",
            json={"audit_retention_days": 1, "retention_rows": 1},
            timeout=20,
        )
        assert (refused.status_code, refused.json()["code"]) == (409, "fixed_by_environment")
        assert ask(server, "/api/settings")["retention_rows"] == 7


def test_a_camera_has_its_own_time_until_it_is_offline(tmp_path):
    with ForkedServer(tmp_path) as server:
        mine, other = register(server, "front"), register(server, "front")
        put(server.base / "front/a.jpg", picture(), age=60)
        until(lambda: ask(server, mine)["last_seen_at"] is not None)
        change(server, f"{mine}/settings", offline_after_seconds=30)
        until(lambda: ask(server, mine)["status"] == "offline")
        assert ask(server, other)["status"] == "online"
        change(server, "/api/settings", offline_after_seconds=30)
        change(server, f"{other}/settings", offline_after_seconds=0)
        put(server.base / "front/b.jpg", picture(), age=40)
        until(lambda: ask(server, mine)["status"] == "online")
        assert ask(server, other)["status"] == "online"


def test_commands_change_the_settings_of_the_running_service(server):
    camera = register(server, "front")
    put(server.base / "front/CH02_a.jpg", picture())
    assert snapshot(server, camera) == picture()
    server.flask("cameras", "set", camera[-36:], "file_pattern=CH01_*", "name=Channel 1")
    assert snapshot(server, camera) == b""
    assert ask(server, camera)["name"] == "Channel 1"
    server.flask("settings", "set", "wall_title=Hall", "keep_days=3")
    assert ask(server, f"{camera}/settings")["effective"]["keep_days"] == 3
    assert "<title>Hall " in requests.get(server.url, timeout=20).text
