"""Does the doctor say where retention could not delete, and is nothing else affected?"""

import json
import os
import subprocess

import pytest

from app import clock
from app.diagnostics.deletion import check_deletion
from app.services.health import DEGRADED, HEALTHY
from tests.mounts import mounted, needs_mount
from tests.pictures import picture
from tests.unprivileged import NOBODY, as_nobody, base_of_nobody

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="this is not root")


@pytest.fixture
def front():
    """The folder of a camera, with a picture in a sub-folder; all belongs to root."""
    with base_of_nobody() as base:
        (base / "front/today").mkdir(parents=True)
        yield base / "front"


@pytest.fixture
def examine(app, front):
    """Checks the folder as a user without rights, and returns the message."""

    def run(has_limit=True):
        folders = app.extensions["folders"]
        with as_nobody():
            found = check_deletion(str(front.parent), "front", folders, has_limit)
        assert found.status == (DEGRADED if found.message and has_limit else HEALTHY)
        return found.message

    return run


@pytest.fixture
def read_only(app, base, camera, monkeypatch):
    """Runs the doctor while the camera's folder is mounted read-only; returns its check."""
    reading = clock.Reading(clock.now(), 0.0, True)
    monkeypatch.setattr(clock, "read", lambda: reading)
    (base / "front/1.jpg").write_bytes(picture())

    def run():
        with mounted(base / "front", "--bind", "-o", "ro", base / "front"):
            result = app.test_cli_runner().invoke(args=("doctor", "--json"))
        assert result.exit_code == 0
        return json.loads(result.stdout)["checks"][f"camera Front Door ({camera['id']})"]

    return run


@needs_mount
def test_without_retention_a_read_only_share_is_no_fault(read_only, base):
    check = read_only()
    assert check["status"] == "healthy"
    assert f"{base}/front is mounted read-only" in check["message"]
    assert "setfacl" not in check["message"]


@needs_mount
@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/settings", {"keep_days": 7}),
        ("/api/settings", {"keep_bytes": 10**9}),
        ("/api/settings", {"keep_free_bytes": 10**9}),
        ("/api/cameras/{}/settings", {"keep_days": 7}),
        ("/api/cameras/{}/settings", {"keep_bytes": 10**9}),
    ],
)
def test_with_retention_a_read_only_share_is_a_warning(read_only, client, camera, path, limit):
    assert client.patch(path.format(camera["id"]), json=limit).status_code == 200
    assert read_only()["status"] == "degraded"


@needs_root
def test_the_folder_or_sub_folder_that_may_not_be_written_is_named(front, examine):
    assert f"nobody may not delete what is in {front}." in examine()
    assert f"nobody may not delete what is in {front}." in examine(has_limit=False)
    front.chmod(0o777)
    assert f"may not delete what is in {front}/today." in examine()
    (front / "today").chmod(0o777)
    assert examine() == ""


@needs_root
def test_in_a_folder_with_a_sticky_bit_only_the_owner_may_delete(front, examine):
    front.chmod(0o777)
    (front / "today").chmod(0o1777)
    assert f"may not delete what is in {front}/today." in examine()
    os.chown(front / "today", NOBODY, NOBODY)
    assert examine() == ""


@needs_root
def test_folders_that_hold_no_pictures_or_cannot_be_read_are_not_named(front, examine):
    front.chmod(0o777)
    (front / "today").chmod(0)  # diagnostics says that it may not be read
    (front / "@eaDir").mkdir()
    assert examine() == ""
    front.rename(front.with_name("elsewhere"))
    assert examine() == ""


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_the_advice_gives_the_right_to_delete_in_new_folders_too(front, examine, mode):
    """The command of the message, as it is written, with an FTP server's umask."""
    front.chmod(mode)
    command = examine().partition("Give it: ")[2]
    done = subprocess.run(["sh", "-c", command], capture_output=True)
    if done.returncode == 127:
        pytest.skip("setfacl is not installed")
    assert (done.returncode, examine()) == (0, "")
    subprocess.run(["sh", "-c", f"umask 027; mkdir -p {front}/tomorrow/noon"], check=True)
    assert examine() == ""
