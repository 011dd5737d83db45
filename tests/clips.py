"""Clips for the tests: how ffmpeg makes them, and a view that sends them.

Run by a server as its program, it is the service with this view: ``/clips/NAME`` is the file NAME
below the base path.
"""

import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask, Response, request

from app.api.clips import clip_response
from app.api.pictures import base_path, folders
from app.storage import safe_open
from app.storage.clips import OpenClip

PATTERN = "testsrc2=duration=2:size=320x240:rate=10"
# Noise, which no codec makes small.
NOISE = "nullsrc=size=640x360:rate=10:duration=2,geq=random(1)*255:128:128"
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
H265 = ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-tag:v", "hvc1")
# With sound, because a browser without H.265 may still play the sound.
H265_WITH_SOUND = ("-f", "lavfi", "-i", "sine=duration=2", *H265, "-c:a", "aac")
MPEG4 = ("-c:v", "mpeg4")

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


def make_clip(path: Path, moment: datetime, *options: str) -> None:
    """A clip of two seconds, coded by these options of ffmpeg, that was uploaded at a moment."""
    _ffmpeg("-f", "lavfi", "-i", PATTERN, *options, str(path))
    os.utime(path, (moment.timestamp(),) * 2)


def make_long_clip(path: Path, moment: datetime, size: int) -> None:
    """A clip of at least ``size`` bytes."""
    piece = path.with_name(f".piece{path.suffix}")
    _ffmpeg("-f", "lavfi", "-i", NOISE, *H264, "-b:v", "40M", "-preset", "ultrafast", str(piece))
    times = size // piece.stat().st_size
    _ffmpeg("-stream_loop", str(times), "-i", str(piece), "-c", "copy", str(path))
    piece.unlink()
    os.utime(path, (moment.timestamp(),) * 2)


def _ffmpeg(*words: str) -> None:
    subprocess.run(["ffmpeg", "-v", "quiet", "-y", *words], check=True)


def init_app(app: Flask) -> None:
    """Add the view."""
    app.add_url_rule("/clips/<name>", "clips", send_clip)


def send_clip(name: str) -> Response:
    """The clip of this name in the base path itself."""
    threads, base = folders().threads, base_path()

    def open_clip() -> int:
        folder = safe_open.open_folder(base, ".")
        try:
            return safe_open.open_file(folder, [name])
        finally:
            os.close(folder)

    file = threads.ask(open_clip, base, ".")
    clip = OpenClip(file, os.fstat(file), threads, base, ".")
    modified = int(clip.status.st_mtime)
    disposition = request.args.get("disposition", "attachment")
    return clip_response(clip, clip.etag, modified, name, disposition, "private, no-cache")
