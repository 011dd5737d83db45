"""The commands pictures list, pictures export and storage."""

import json
import os
import zipfile

import pytest

from app import db
from app.models import PictureCamera
from app.pictures import export as exporting
from tests.pictures import NIGHT, upload
from tests.posting import post_camera


@pytest.fixture
def run(app):
    """Run a command; its result has exit code, stdout and stderr."""
    return lambda *words: app.test_cli_runner().invoke(args=[*map(str, words)])


@pytest.fixture(autouse=True)
def zone(client):
    """The box's time zone is an hour ahead of UTC."""
    client.patch("/api/settings", json={"timezone": "Europe/Berlin"})


@pytest.fixture
def night(base, camera):
    """A picture each minute, and a clip."""
    for minute in range(4):
        upload(base, f"20251223/{minute}.jpg", NIGHT + 60 * minute, b"\xff\xd8\xff %d" % minute)
    upload(base, "clip.mp4", NIGHT + 90, b"clip" * 1000)
    return camera


def names(result):
    assert result.exit_code == 0, result.output
    return [picture["name"] for picture in json.loads(result.stdout)["pictures"]]


def test_all_pictures_of_a_camera_are_listed_newest_first(client, run, night):
    result = run("pictures", "list", night["id"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[-1] for line in lines] == [
        *("20251223/3.jpg", "20251223/2.jpg", "clip.mp4", "20251223/1.jpg", "20251223/0.jpg")
    ]
    assert lines[2].startswith("2025-12-23T03:13:30.000000Z  clip           4000  ")
    shown = client.get(f"/api/cameras/{night['id']}/pictures").get_json()["pictures"]
    listed = json.loads(run("pictures", "list", "Front Door", "--json").stdout)
    assert listed == {"pictures": shown, "count": 5}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--from", "2025-12-23T03:13:00Z"], ["3.jpg", "2.jpg", "clip.mp4", "1.jpg"]),
        (["--from", "2025-12-23T04:13"], ["3.jpg", "2.jpg", "clip.mp4", "1.jpg"]),
        (["--to", "2025-12-23T04:13:00+01:00"], ["0.jpg"]),
        (["--from", "2025-12-23", "--to", "2025-12-23 04:12:00.000001"], ["0.jpg"]),
        (["--from", "2025-12-24"], []),
    ],
)
def test_a_period_is_given_in_local_time_or_with_an_offset(run, night, options, expected):
    listed = names(run("pictures", "list", night["id"], *options, "--json"))
    assert [os.path.basename(name) for name in listed] == expected


@pytest.mark.parametrize("moment", ["", "yesterday", "12:00"])
def test_an_invalid_time_is_refused(run, night, moment):
    result = run("pictures", "list", night["id"], "--from", moment)
    assert result.exit_code == 2
    assert "2026-11-27T03:12" in result.stderr


def test_a_camera_that_is_unknown_or_not_the_only_one_of_its_name_is_refused(client, run, night):
    assert "no camera with this id or name" in run("pictures", "list", "Garden").stderr
    other = post_camera(client, "Front Door", "garden")
    result = run("pictures", "list", "Front Door")
    assert result.exit_code == 1
    assert night["id"] in result.stderr
    assert other["id"] in result.stderr
    assert names(run("pictures", "list", night["id"].upper(), "--json"))


def test_a_missing_folder_is_reported(run, client):
    camera = post_camera(client, "Gone", "gone")
    result = run("pictures", "list", camera["id"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")


def test_what_is_on_the_disk_is_listed_while_another_process_leads(run, base, night):
    lock = db.acquire_leader_lock()
    try:
        assert len(names(run("pictures", "list", night["id"], "--json"))) == 5
        upload(base, "later.jpg", NIGHT + 600)
        assert len(names(run("pictures", "list", night["id"], "--json"))) == 6
        assert PictureCamera.find(camera_id=night["id"]) is None  # the leader writes it
    finally:
        os.close(lock)
    assert len(names(run("pictures", "list", night["id"], "--json"))) == 6
    assert PictureCamera.find(camera_id=night["id"])["pictures"] == 5
    lock = db.acquire_leader_lock()
    assert lock is not None
    os.close(lock)


def test_files_are_copied_under_their_local_times_and_keep_their_own(run, base, night, tmp_path):
    target = tmp_path / "out/copies"
    result = run("pictures", "export", "Front Door", target, "--to", "2025-12-23T04:14:30")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("exported 3 pictures and 1 clips (4015 bytes) to ")
    assert sorted(os.listdir(target)) == [
        "Front_Door_20251223T041200+0100.jpg",
        "Front_Door_20251223T041300+0100.jpg",
        "Front_Door_20251223T041330+0100.mp4",
        "Front_Door_20251223T041400+0100.jpg",
    ]
    copy = target / "Front_Door_20251223T041300+0100.jpg"
    original = base / "front/20251223/1.jpg"
    assert copy.read_bytes() == original.read_bytes()
    assert copy.stat().st_mtime_ns == original.stat().st_mtime_ns


@pytest.mark.parametrize("target", ["copies", "copies.ZIP"])
def test_files_of_the_same_second_get_different_names(run, base, camera, tmp_path, target):
    for name in ("a/1.jpg", "b/1.jpg", "c/1.JPG", "c/1.png"):
        upload(base, name)
    upload(base, "d/1.jpg", data=b"another")
    result = run("pictures", "export", camera["id"], tmp_path / target, "--json")
    assert json.loads(result.stdout)["pictures"] == 5
    found = copies(tmp_path / target)
    stem = "Front_Door_20251223T041200+0100"
    assert sorted(found) == sorted(
        [f"{stem}.jpg", f"{stem}.png", *(f"{stem}_{n}.jpg" for n in (2, 3, 4))]
    )
    assert sorted(found.values()).count(b"another") == 1


def copies(target):
    """The bytes of each copy by its name."""
    if target.is_dir():
        return {path.name: path.read_bytes() for path in target.iterdir()}
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_zip_file_holds_every_file_with_its_time(run, base, night, tmp_path):
    target = tmp_path / "new" / "night.zip"
    assert run("pictures", "export", night["id"], target).exit_code == 0
    assert len(copies(target)) == 5
    with zipfile.ZipFile(target) as archive:
        entry = archive.getinfo("Front_Door_20251223T041330+0100.mp4")
    assert entry.date_time == (2025, 12, 23, 4, 13, 30)
    assert int.from_bytes(entry.extra[5:9], "little") == NIGHT + 90
    assert [name for name in os.listdir(target.parent) if "partial" in name] == []


def test_no_existing_file_is_overwritten(run, night, tmp_path):
    target = tmp_path / "copies"
    target.mkdir()
    taken = target / "Front_Door_20251223T041200+0100.jpg"
    taken.write_text("mine")
    (target / "Front_Door_20251223T041200+0100_2.jpg").symlink_to("/dev/null")
    assert run("pictures", "export", night["id"], target).exit_code == 0
    assert taken.read_text() == "mine"
    assert (target / "Front_Door_20251223T041200+0100_3.jpg").read_bytes() == b"\xff\xd8\xff 0"
    zip_file = tmp_path / "night.zip"
    zip_file.write_text("mine")
    result = run("pictures", "export", night["id"], zip_file)
    assert (result.exit_code, zip_file.read_text()) == (1, "mine")
    assert "exists" in result.stderr


def test_a_second_export_copies_only_what_is_new(run, base, night, tmp_path):
    target = tmp_path / "copies"
    run("pictures", "export", night["id"], target)
    upload(base, "new.jpg", NIGHT + 1000)
    result = run("pictures", "export", night["id"], target)
    assert "1 pictures and 0 clips (11 bytes), 5 were there already" in result.stdout
    assert len(os.listdir(target)) == 6


def test_files_that_are_deleted_meanwhile_are_counted(run, base, night, tmp_path, monkeypatch):
    class Listing(exporting.Listing):
        def iterate(self, filters):
            for row in super().iterate(filters):
                if row.name in ("1.jpg", "clip.mp4"):
                    (base / "front" / row.path).unlink()
                yield row

    monkeypatch.setattr(exporting, "Listing", Listing)
    for target, gone in (("copies", 2), ("copies.zip", 0)):
        result = run("pictures", "export", night["id"], tmp_path / target)
        assert result.exit_code == 0
        assert ("2 were deleted or changed meanwhile" in result.stdout) == bool(gone)
        assert len(copies(tmp_path / target)) == 3


@pytest.mark.parametrize("target", ["copies", "copies.zip"])
def test_a_clip_that_changes_while_it_is_copied_leaves_no_copy(
    run, base, night, tmp_path, monkeypatch, target
):
    monkeypatch.setattr(exporting, "PIECE_BYTES", 1000)
    read = exporting.OpenClip.read

    def read_and_cut(self, size):
        data = read(self, size)
        if self.position == 2000:
            os.truncate(base / "front/clip.mp4", 2000)
        return data

    monkeypatch.setattr(exporting.OpenClip, "read", read_and_cut)
    result = run("pictures", "export", night["id"], tmp_path / target)
    assert "1 were deleted or changed meanwhile" in result.stdout
    found = copies(tmp_path / target)
    assert sorted(name[-3:] for name in found) == ["jpg"] * 4


@pytest.mark.parametrize("target", ["copies", "copies.zip"])
def test_a_full_disk_is_reported_and_leaves_no_incomplete_copy(
    run, night, tmp_path, monkeypatch, target
):
    def fail(self):
        if self.end == 4000:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting.OpenClip, "check", fail)
    result = run("pictures", "export", night["id"], tmp_path / target)
    assert result.exit_code == 1
    assert "is full" in result.stderr
    if target == "copies":
        assert "2 pictures" in result.stderr
        assert len(os.listdir(tmp_path / target)) == 2
    else:
        assert "no zip file was written" in result.stderr
        assert not (tmp_path / target).exists()
    assert [name for name in os.listdir(tmp_path) if "partial" in name] == []


def test_a_file_system_without_links_takes_copies_too(run, night, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for target in ("copies", "copies.zip"):
        assert run("pictures", "export", night["id"], tmp_path / target).exit_code == 0
        assert len(copies(tmp_path / target)) == 5


@pytest.mark.parametrize("target", ["front/copies", "copies/of/all", "out.zip", "."])
def test_a_target_below_the_base_path_is_refused(run, base, night, target):
    result = run("pictures", "export", night["id"], base / target)
    assert result.exit_code == 1
    assert "below the base path" in result.stderr
    assert sorted(os.listdir(base)) == ["front"]


def test_links_and_files_outside_are_not_copied(run, base, camera, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"\xff\xd8\xff secret")
    upload(base, "1.jpg")
    (base / "front/2.jpg").symlink_to(tmp_path / "secret.jpg")
    run("pictures", "export", camera["id"], tmp_path / "copies")
    assert list(copies(tmp_path / "copies").values()) == [b"\xff\xd8\xff picture"]


def test_storage_shows_what_the_api_does(client, run, base, night):
    shown = client.get("/api/system/storage").get_json()
    printed = json.loads(run("storage", "--json").stdout)
    assert printed["cameras"] == shown["cameras"]
    assert printed.keys() == shown.keys()
    text = run("storage").stdout
    assert "Front Door" in text
    assert "4 pictures, 1 clips" in text
