"""How is a frame of a clip shown? ffmpeg, where it is installed, decodes it; one clip at a time.

A clip comes from outside, so ffmpeg gets little time and memory, is told what format the clip has
(it never guesses a playlist, which would name other files), and can open nothing else: it may read
by the one protocol that reads its standard input, and where that is the one for all files, it has
no descriptor left for another file or a connection.
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
from functools import lru_cache

from ..storage.mount_threads import ConcurrencyLimit, FolderBusy

# ffmpeg's name for the format of a file, by its suffix.
FORMATS = {
    ".mp4": "mov",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "matroska",
    ".avi": "avi",
    ".ts": "mpegts",
}
# Of the frame as it is shown, and of what is decoded at all, in pixels.
MOST_SIDE, MOST_PIXELS = 2160, 17_000_000
# For each clip; of ffmpeg's address space, in KiB, most of which are its libraries; of a JPEG.
SECONDS, MEMORY_KIB, MOST_BYTES = 10, 640 * 1024, 8 * 1024 * 1024
# So many frames are kept, and of clips without one the failure for so many seconds.
KEPT, FAILURE_SECONDS = 16, 60
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

    ``waiting``: how many threads may be occupied by it.
    """

    def __init__(self, waiting: int) -> None:
        self._slots = ConcurrencyLimit(waiting)
        self._making = threading.Lock()
        # By entity tag: the frame, None where there is none, and until when that is believed.
        self._kept: OrderedDict[str, tuple[bytes | None, float]] = OrderedDict()

    def get(self, tag: str, suffix: str, file: int) -> bytes:
        """A JPEG of the clip that the descriptor ``file`` is open on; ``tag``: its entity tag.

        Raises `NoFrame`, and `FolderBusy` where others wait for frames already.
        """
        if not is_installed():
            raise NoFrame
        with self._slots.slot("ffmpeg"):
            if not self._making.acquire(timeout=SECONDS):
                raise FolderBusy
            try:
                frame, until = self._kept.get(tag, (None, 0.0))
                if frame is None and time.monotonic() >= until:
                    frame = _frame(suffix, file)
                    self._keep(tag, frame)
            finally:
                self._making.release()
        if frame is None:
            raise NoFrame
        return frame

    def _keep(self, tag: str, frame: bytes | None) -> None:
        self._kept[tag] = frame, time.monotonic() + FAILURE_SECONDS
        self._kept.move_to_end(tag)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def is_installed() -> bool:
    """Whether there is an ffmpeg to make frames with."""
    return shutil.which("ffmpeg") is not None


def _frame(suffix: str, file: int) -> bytes | None:
    """A JPEG of the first frame; None where ffmpeg finds none in time."""
    command = shutil.which("ffmpeg") or "ffmpeg"
    files, source = reading_options(command)
    limits = [str(SECONDS), str(files), str(MEMORY_KIB)]
    options = ["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"]
    options += ["-max_pixels", str(MOST_PIXELS), "-f", FORMATS[suffix.lower()], *source]
    options += ["-map", "0:v:0", "-frames:v", "1", "-vf", SCALE, "-threads", "1"]
    options += ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", "pipe:1"]
    out, written = os.pipe()
    # Nothing in the command comes from outside.
    process = subprocess.Popen(  # noqa: S603 # nosec B603
        ["/bin/sh", "-c", LIMITED, "sh", *limits, command, *options],
        stdin=file,
        stdout=written,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        start_new_session=True,
    )
    os.close(written)
    try:
        return _read(out) or None
    finally:
        os.close(out)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # One that waits for storage that hangs ends later.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)


def _read(pipe: int) -> bytes:
    """What is written until the other end is closed; nothing where it is too late or too much."""
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
