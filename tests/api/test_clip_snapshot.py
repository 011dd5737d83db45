"""What is the snapshot of a camera that uploads clips alone? A frame, where there is an ffmpeg."""

import os
from email.utils import formatdate

import pytest

from tests.pictures import etag_of, picture, put
from tests.problems import assert_problem

FRAME = picture(size=(320, 180))


@pytest.fixture
def clip(base):
    """The newest of two clips in the camera's folder, a minute old."""
    put(base / "front" / "day" / "a.mp4", b"older", age=120)
    return put(base / "front" / "day" / "b.MP4", b"clip", age=60)


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    """A command in place of ffmpeg, whose every frame is `FRAME`, unless the clip is damaged; the
    file that it prints.
    """
    folder = tmp_path / "bin"
    shown = put(folder / "frame.jpg", FRAME)
    command = folder / "ffmpeg"
    command.write_text(
        f'#!/bin/sh\ncase "$*" in *-protocols) echo fd; exit;; esac\n'
        f"grep -q damaged || exec cat {shown}\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return shown


@pytest.fixture
def get(client, camera):
    """Asks for the snapshot."""

    def ask(query="", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.get(f"/api/cameras/{camera['id']}/snapshot{query}", headers=named)

    return ask


def test_a_frame_of_the_newest_clip_is_shown_and_named_after_it(get, clip, ffmpeg):
    answer = get()
    assert (answer.status_code, answer.data) == (200, FRAME)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="b.jpg"'
    assert answer.headers["ETag"] == f'"{etag_of(clip)}"'
    modified = formatdate(int(clip.stat().st_mtime), usegmt=True)
    assert answer.headers["Last-Modified"] == modified
    assert 60 <= int(answer.headers["X-Snapshot-Age"]) < 600
    assert get("?width=160").headers["ETag"] == f'"{etag_of(clip)}-160x0"'


def test_a_frame_that_the_client_has_is_not_made_again(get, clip, ffmpeg):
    tag = get().headers["ETag"]
    ffmpeg.unlink()
    assert get(If_None_Match=tag).status_code == 304
    assert get().data == FRAME


def test_a_picture_of_whatever_age_is_shown_rather_than_a_clip(get, base, clip, ffmpeg):
    whole = picture(shade=9)
    put(base / "front" / "old.jpg", whole, age=3600)
    assert get().data == whole


def test_a_clip_that_is_being_written_or_empty_is_passed_over(get, base, clip, ffmpeg):
    get()
    with (base / "front" / "c.mp4").open("wb", buffering=0) as file:
        file.write(b"half")
        put(base / "front" / "d.mp4", b"")
        assert get().headers["ETag"] == f'"{etag_of(clip)}"'
    assert get().headers["ETag"] == f'"{etag_of(base / "front" / "c.mp4")}"'


def test_a_clip_that_is_too_old_is_refused(get, clip, ffmpeg):
    assert_problem(get("?max_age=30"), 404, "snapshot_too_old", age=60)


def test_a_clip_without_a_frame_is_no_snapshot(get, clip, ffmpeg):
    ffmpeg.write_bytes(b"")
    assert_problem(get(), 404, "no_snapshot")


def test_a_frame_of_the_clip_before_is_shown_where_the_newest_has_none(get, base, clip, ffmpeg):
    put(base / "front" / "c.mp4", b"damaged", age=30)
    answer = get()
    assert (answer.status_code, answer.data) == (200, FRAME)
    assert answer.headers["ETag"] == f'"{etag_of(clip)}"'
    assert get(If_None_Match=answer.headers["ETag"]).status_code == 304


def test_without_ffmpeg_a_clip_is_no_snapshot(get, clip, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_problem(get(), 404, "no_snapshot")


def test_a_link_to_a_clip_outside_is_not_followed(get, base, tmp_path, ffmpeg):
    put(tmp_path / "outside.mp4", b"clip")
    (base / "front" / "a.mp4").symlink_to(tmp_path / "outside.mp4")
    assert_problem(get(), 404, "no_snapshot")
