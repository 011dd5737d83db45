"""How is a frame of a clip made? By ffmpeg, if it is installed; one clip at a time.

A clip is untrusted, so ffmpeg gets little time and memory, and the clip's format as an option, so
that it never takes the clip for a playlist, which could name other files. It can open no other
file or connection: only the protocol that reads its standard input is allowed, and if that is the
one for all files, no further descriptor is.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess  # nosec B404
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache, partial

from ..storage.checks import StoredPicture
from ..storage.mount_threads import ConcurrencyLimit, FolderBusy
from ..storage.snapshots import NoSnapshot, SnapshotRequest, newest_clip

# ffmpeg's name for the format of a file, by its suffix.
FORMATS = {
    ".mp4": "mov",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "matroska",
    ".avi": "avi",
    ".ts": "mpegts",
}
# The longest side of a frame, and the most pixels that are decoded.
MOST_SIDE, MOST_PIXELS = 2160, 17_000_000
# Seconds for each clip; ffmpeg's address space in KiB, most of which its libraries take; bytes of
# a JPEG.
SECONDS, MEMORY_KIB, MOST_BYTES = 10, 640 * 1024, 8 * 1024 * 1024
# How many frames are kept, and for how many seconds the failure of a clip without one.
KEPT, FAILURE_SECONDS = 16, 60
# How many of the newest clips are tried until one has a frame for the snapshot.
MOST_CLIPS = 3
SCALE = f"scale='min({MOST_SIDE},iw)':'min({MOST_SIDE},ih)':force_original_aspect_ratio=decrease"
# Limits of setrlimit(2): no core, no byte into any file, CPU seconds, open files, address space.
# `ulimit` sets them before ffmpeg begins; in a fork of this process only C code may run.
LIMITED = (
    'ulimit -c 0 && ulimit -f 0 && ulimit -t "$1" && ulimit -n "$2" && ulimit -v "$3" '
    '&& shift 3 && exec nice -n 19 "$@"'
)


class NoFrame(Exception):
    """ffmpeg is not installed, or found no frame in the clip in time."""


class ClipFrames:
    """Makes frames of clips and keeps the latest. Safe for threads.

    ``waiting``: how many threads may be occupied at a time.
    """

    def __init__(self, waiting: int) -> None:
        self._slots = ConcurrencyLimit(waiting)
        self._making = threading.Lock()
        # By entity tag: the frame, empty where there is none, and until when that is valid.
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def newest_picture(
        self, request: SnapshotRequest, take: Callable[[SnapshotRequest], StoredPicture]
    ) -> StoredPicture:
        """What ``take`` finds; where that is no picture at all, a frame of the newest clip that
        has one, of the `MOST_CLIPS` newest.

        Raises what ``take`` and `Folders.ask` do.
        """
        try:
            return request.folders.ask(partial(take, request), request.base, request.folder_path)
        except NoSnapshot as missing:
            if not is_installed():
                raise
            for place in range(MOST_CLIPS):
                # A clip may be damaged, or still be uploaded to a folder that is polled.
                with contextlib.suppress(NoFrame):
                    return self._frame_of_clip(request, place)
            raise missing from None

    def get(self, tag: str, suffix: str, file: int) -> bytes:
        """A JPEG of the clip with the open descriptor ``file``; ``tag``: its entity tag.

        Raises `NoFrame`, and `FolderBusy` if too many threads wait for frames already.
        """
        if not is_installed():
            raise NoFrame
        frame = self._known(tag)
        if frame is None:
            with self._slots.slot("ffmpeg"):
                if not self._making.acquire(timeout=SECONDS):
                    raise FolderBusy
                try:
                    frame = self._known(tag)
                    if frame is None:
                        frame = _frame(suffix, file)
                        self._keep(tag, frame)
                finally:
                    self._making.release()
        if not frame:
            raise NoFrame
        return frame

    def _known(self, tag: str) -> bytes | None:
        """The frame that is kept, empty where the clip had none a short time ago; else None."""
        frame, until = self._kept.get(tag, (b"", 0.0))
        return frame if frame or time.monotonic() < until else None

    def _frame_of_clip(self, request: SnapshotRequest, place: int) -> StoredPicture:
        """A frame of the clip at this ``place`` among the newest, named after it; raises `NoFrame`
        and what `newest_clip` does.
        """
        take = partial(newest_clip, request, place)
        facts, clip = request.folders.ask(take, request.base, request.folder_path)
        stem, suffix = os.path.splitext(facts.name)
        picture = facts._replace(name=f"{stem}.jpg")
        with contextlib.closing(clip):
            if request.is_not_modified(picture):
                return picture
            frame = self.get(clip.etag, suffix, clip.file)
            clip.check()
        return picture._replace(data=frame)

    def _keep(self, tag: str, frame: bytes) -> None:
        self._kept[tag] = frame, time.monotonic() + FAILURE_SECONDS
        self._kept.move_to_end(tag)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def is_installed() -> bool:
    """Whether there is an ffmpeg to make frames with."""
    return shutil.which("ffmpeg") is not None


def _frame(suffix: str, file: int) -> bytes:
    """A JPEG of the first frame; empty where ffmpeg finds none in time."""
    out, written = os.pipe()
    # The command contains no untrusted text.
    process = subprocess.Popen(  # noqa: S603 # nosec B603
        _command(FORMATS[suffix.lower()]),
        stdin=file,
        stdout=written,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        start_new_session=True,
    )
    os.close(written)
    try:
        return _read(out)
    finally:
        os.close(out)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # A process that waits for storage that hangs ends later.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def _command(clip_format: str) -> list[str]:
    """The command that writes the first frame of the clip on its standard input, within limits."""
    ffmpeg = shutil.which("ffmpeg") or "ffmpeg"
    files, source = reading_options(ffmpeg)
    limits = [str(SECONDS), str(files), str(MEMORY_KIB)]
    options = ["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"]
    options += ["-max_pixels", str(MOST_PIXELS), "-f", clip_format, *source]
    options += ["-map", "0:v:0", "-frames:v", "1", "-vf", SCALE, "-threads", "1"]
    options += ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", "pipe:1"]
    return ["/bin/sh", "-c", LIMITED, "sh", *limits, ffmpeg, *options]


def _read(pipe: int) -> bytes:
    """All bytes until the other end is closed; none if they come too late or are too many."""
    deadline, data, poll = time.monotonic() + SECONDS, bytearray(), select.poll()
    poll.register(pipe, select.POLLIN)
    while len(data) <= MOST_BYTES and poll.poll(max(0, (deadline - time.monotonic()) * 1000)):
        piece = os.read(pipe, 64 * 1024)
        if not piece:
            return bytes(data)
        data += piece
    return b""


@lru_cache
def reading_options(command: str) -> tuple[int, list[str]]:
    """How many files ffmpeg may open, and the options by which it reads its standard input.

    The protocol ``fd`` came with ffmpeg 6; with ``file`` it opens a second descriptor of the clip.
    """
    listed = subprocess.run(  # noqa: S603 # nosec B603
        [command, "-hide_banner", "-protocols"], capture_output=True, timeout=SECONDS, check=False
    )
    if b"fd" in listed.stdout.split():
        return 16, ["-protocol_whitelist", "fd", "-fd", "0", "-i", "fd:"]
    return 4, ["-protocol_whitelist", "file", "-i", "/proc/self/fd/0"]
