"""Does ffmpeg make a frame of a clip, in bounded time and memory, and reach nothing else?"""

import io
import os
import resource
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest
from PIL import Image

from app.images import clip_frame
from app.images.clip_frame import ClipFrames, NoFrame
from app.storage.mount_threads import FolderBusy

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
# Boxes of an ISO base media file (ISO/IEC 14496-12) that hold others, on the way to a dref.
CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def make(path, *options, size="320x180", source="testsrc"):
    """A clip of a second, made by ffmpeg."""
    made = f"{source}=size={size}:rate=5:duration=1"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", made, *options, path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def frame_of(path, frames=None):
    """The frame of the clip; raises `NoFrame`."""
    file = os.open(path, os.O_RDONLY)
    try:
        tag = f"{path}-{path.stat().st_mtime_ns}"
        return (frames or ClipFrames(2)).get(tag, path.suffix, file)
    finally:
        os.close(file)


def is_shown(path):
    """Whether a frame is found."""
    try:
        return bool(frame_of(path))
    except NoFrame:
        return False


def fake_ffmpeg(folder, monkeypatch, script):
    """Let ``script``, for a shell, take the place of ffmpeg."""
    folder.mkdir()
    command = folder / "ffmpeg"
    command.write_text(f'#!/bin/sh\ncase "$*" in *-protocols) echo fd; exit;; esac\n{script}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@needs_ffmpeg
@pytest.mark.parametrize("size", ["320x180", pytest.param("3840x2160", marks=pytest.mark.slow)])
def test_a_frame_is_a_jpeg_that_fits_the_greatest_size(tmp_path, size):
    clip = make(tmp_path / "a.MP4", "-c:v", "mpeg4", size=size)
    image = Image.open(io.BytesIO(frame_of(clip)))
    width, height = map(int, size.split("x"))
    expected = (width, height) if width <= 2160 else (2160, 1215)
    assert (image.format, image.size) == ("JPEG", expected)


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize("suffix", clip_frame.FORMATS)
def test_each_kind_of_clip_has_a_frame(tmp_path, suffix):
    codec = "libvpx" if suffix == ".webm" else "mpeg4"
    clip = make(tmp_path / f"a{suffix}", "-c:v", codec)
    assert Image.open(io.BytesIO(frame_of(clip))).size == (320, 180)


@pytest.fixture
def listener():
    """A listening socket, and who has connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connected = []

        def accept():
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                connected.append(address)
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], connected
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{there}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{there}'\nduration 9\n",
    "dash": '<?xml version="1.0"?><MPD><Period><BaseURL>{there}</BaseURL></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{there}"/></svg>',
}
# Names that ffmpeg reads through another protocol.
INDIRECT = ("subfile,,start,0,end,0,,:{}", "crypto+file:{}", "concat:{}", "async:cache:file:{}")


@needs_ffmpeg
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("hls", ".mp4"),
        *(pytest.param(k, s, marks=pytest.mark.slow) for k in PLAYLISTS for s in (".ts", ".mkv")),
    ],
)
def test_a_playlist_with_the_name_of_a_clip_reaches_no_file_and_no_network(
    tmp_path, listener, kind, suffix
):
    port, connected = listener
    other = make(tmp_path / "other.ts", "-c:v", "mpeg2video")
    for there in (f"http://127.0.0.1:{port}/a.ts", str(other), f"file:{other}"):
        clip = tmp_path / f"clip{suffix}"
        clip.write_text(PLAYLISTS[kind].format(there=there, port=port))
        assert not is_shown(clip)
    assert connected == []


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hls", "concat"])
def test_no_protocol_of_ffmpeg_leads_from_a_clip_to_another_file(tmp_path, kind):
    other, clip = make(tmp_path / "other.ts", "-c:v", "mpeg2video"), tmp_path / "clip.mp4"
    for there in (*(form.format(other) for form in INDIRECT), "data:video/mp2t;base64,RwAA"):
        clip.write_text(PLAYLISTS[kind].format(there=there))
        assert not is_shown(clip)


def with_reference(data, other):
    """The clip ``data`` with its samples in the file ``other``, by a QuickTime alias."""
    result, position = b"", 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + size]
        if kind in CONTAINERS:
            body = with_reference(body, other)
        elif kind == b"dref":
            path = os.fsencode(other)
            name = os.path.basename(path)
            head = (b"", 0, b"", b"", len(name), name, b"", -1, -1, b"")
            alias = struct.pack(">10sB27s12sB63s16shh16s", *head)
            alias += struct.pack(">hH", 2, len(path)) + path + b"\0" * (len(path) % 2)
            alias += struct.pack(">hH", -1, 0)
            entry = struct.pack(">I4sI", len(alias) + 12, b"alis", 0) + alias
            body = struct.pack(">II", 0, 1) + entry
        elif kind == b"mdat":
            body = bytes(len(body))
        result += struct.pack(">I4s", len(body) + 8, kind) + body
        position += size
    return result


@needs_ffmpeg
@pytest.mark.slow
def test_the_samples_of_another_file_are_not_shown(tmp_path):
    other = make(tmp_path / "other.mov", "-c:v", "mjpeg")
    clip = tmp_path / "clip.mov"
    clip.write_bytes(with_reference(other.read_bytes(), other))
    follow = ["-enable_drefs", "1", "-use_absolute_path", "1"]
    allowed = ["ffmpeg", "-v", "error", *follow, "-i", clip, "-frames:v", "1", "-f", "mjpeg", "-"]
    assert subprocess.run(allowed, stdout=subprocess.PIPE, check=True).stdout
    assert not is_shown(clip)


@needs_ffmpeg
@pytest.mark.slow
def test_ffmpeg_opens_nothing_besides_the_clip(tmp_path, monkeypatch):
    """Here its options allow every protocol and reference; only the limit of open files holds."""
    other = make(tmp_path / "other.mov", "-c:v", "mjpeg")
    clip = tmp_path / "clip.mov"
    clip.write_bytes(with_reference(other.read_bytes(), other))
    files, _ = clip_frame.reading_options(shutil.which("ffmpeg"))
    if files > 4:
        pytest.skip("this ffmpeg reads by the protocol fd, which opens no file at all")
    options = ["-enable_drefs", "1", "-use_absolute_path", "1", "-i", "/proc/self/fd/0"]
    monkeypatch.setattr(clip_frame, "reading_options", lambda _: (4, options))
    assert not is_shown(clip)
    monkeypatch.setattr(clip_frame, "reading_options", lambda _: (5, options))
    assert is_shown(clip)


@needs_ffmpeg
@pytest.mark.slow
def test_a_broken_clip_and_a_huge_one_have_no_frame(tmp_path):
    data = make(tmp_path / "a.mp4", "-c:v", "mpeg4").read_bytes()
    for broken in (b"", b"x", data[: len(data) // 2], data[::-1], bytes(10**6)):
        (tmp_path / "b.mp4").write_bytes(broken)
        assert not is_shown(tmp_path / "b.mp4")
    assert not is_shown(make(tmp_path / "c.avi", "-c:v", "mjpeg", size="6000x4000"))


def nested(kind, depth):
    """A box in a box, and so on."""
    return b"".join(struct.pack(">I4s", 8 * (depth - n), kind) for n in range(depth))


def with_numbers(data, kind, offset, *numbers):
    """The clip with other numbers at an offset in the body of its first box of this kind."""
    place = data.index(kind) + 4 + offset
    return (
        data[:place]
        + struct.pack(f">{len(numbers)}I", *numbers)
        + data[place + 4 * len(numbers) :]
    )


@needs_ffmpeg
@pytest.mark.slow
def test_a_clip_with_a_hostile_structure_takes_little_time_and_memory(tmp_path):
    data = make(tmp_path / "a.mp4", "-c:v", "mpeg4").read_bytes()
    head, most = data[: struct.unpack_from(">I", data)[0]], 2**32 - 1
    clip, used = tmp_path / "clip.mp4", resource.getrusage(resource.RUSAGE_CHILDREN)
    hostile = (
        *(head + bytes(4) * 500_000, head + struct.pack(">I4s", 8, b"free") * 500_000),
        head + struct.pack(">I4sQ", 1, b"moov", 0) * 100_000,
        *(head + nested(b"moov", 100_000), head + nested(b"udta", 500_000)),
        with_numbers(data, b"stsz", 4, 1, most),
        with_numbers(data, b"stts", 4, 1, most, most),
        with_numbers(data, b"stsc", 4, 1, 1, most, 1),
        with_numbers(data, b"mdhd", 12, 1, most),
        with_numbers(data, b"mp4v", 24, most),
    )
    for each in hostile:
        clip.write_bytes(each)
        is_shown(clip)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert now.ru_utime - used.ru_utime < len(hostile) * 2
    assert now.ru_maxrss <= max(used.ru_maxrss, clip_frame.MEMORY_KIB)


def test_a_clip_that_takes_too_long_has_no_frame_and_no_process_of_ffmpeg_stays(
    tmp_path, monkeypatch
):
    alive = tmp_path / "alive"  # its reader gets an end of file once no process has it open
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    fake_ffmpeg(tmp_path / "bin", monkeypatch, f"exec 3>{alive}; sleep 1000 & wait")
    monkeypatch.setattr(clip_frame, "SECONDS", 1)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"x")
    assert not is_shown(clip)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert os.read(reader, 1) == b""
            break
        except BlockingIOError:
            time.sleep(0.01)
    os.close(reader)
    assert time.monotonic() < deadline


def test_a_frame_without_end_is_not_kept_in_memory(tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path / "bin", monkeypatch, "exec cat /dev/zero")
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"x")
    assert not is_shown(clip)


def test_simultaneous_requests_share_one_frame_and_few_may_wait(tmp_path, monkeypatch):
    go = tmp_path / "go"
    fake_ffmpeg(
        *(tmp_path / "bin", monkeypatch),
        f"while [ ! -e {go} ]; do sleep 0.02; done; rm {go}; echo frame",
    )
    monkeypatch.setattr(clip_frame, "LIMITED", 'shift 3 && exec "$@"')
    monkeypatch.setattr(clip_frame, "SECONDS", 60)
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"x")
    frames, answers = ClipFrames(2), []

    def ask():
        try:
            answers.append(frame_of(clip, frames))
        except FolderBusy:
            answers.append("busy")
            go.touch()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers, key=str) == [b"frame\n", b"frame\n", "busy"]


def test_a_frame_that_is_kept_is_served_while_another_one_is_made(tmp_path, monkeypatch):
    go, begun = tmp_path / "go", tmp_path / "begun"
    fake_ffmpeg(
        *(tmp_path / "bin", monkeypatch),
        f"touch {begun}; while [ ! -e {go} ]; do sleep 0.02; done; echo frame",
    )
    monkeypatch.setattr(clip_frame, "LIMITED", 'shift 3 && exec "$@"')
    monkeypatch.setattr(clip_frame, "SECONDS", 60)
    kept, new = tmp_path / "a.mp4", tmp_path / "b.mp4"
    kept.write_bytes(b"x")
    new.write_bytes(b"y")
    frames = ClipFrames(1)
    go.touch()
    assert frame_of(kept, frames) == b"frame\n"
    go.unlink()
    begun.unlink()
    thread = threading.Thread(target=frame_of, args=(new, frames))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert frame_of(kept, frames) == b"frame\n"
    finally:
        go.touch()
        thread.join(60)


def test_without_ffmpeg_there_is_no_frame(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"x")
    assert not is_shown(clip)
