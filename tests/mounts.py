"""Real mounts for tests: local file systems, and a FUSE one that can be made to hang."""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SECONDS = 10


def _fails(*command: str) -> bool:
    return bool(subprocess.run(command, capture_output=True, check=False).returncode)


def _may_mount() -> bool:
    probe = ("unshare", "--mount", "mount", "-t", "tmpfs", "nvr", "/mnt")
    return bool(shutil.which("unshare")) and not _fails(*probe)


needs_mount = pytest.mark.skipif(not _may_mount(), reason="nothing may be mounted here")
needs_bindfs = pytest.mark.skipif(
    not (shutil.which("bindfs") and Path("/dev/fuse").exists() and _may_mount()),
    reason="there is no bindfs, or FUSE may not be used here",
)
needs_loop = pytest.mark.skipif(
    not _may_mount() or not shutil.which("losetup") or _fails("losetup", "--find"),
    reason="there are no loop devices here",
)


@contextlib.contextmanager
def mounted(point: Path, *words: str | Path) -> Iterator[Path]:
    """``point``, where the words of mount(8) mount something for the block."""
    point.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *words, point], check=True, capture_output=True)
    try:
        yield point
    finally:
        unmount(point)


def unmount(point: Path) -> None:
    """Unmount it, whether or not something uses it or it answers."""
    subprocess.run(["umount", "--lazy", point], check=True)


@contextlib.contextmanager
def on_a_disk_of(kind: str, point: Path, image: Path) -> Iterator[Path]:
    """``point`` on a new file system of this kind, which lies in the file ``image``."""
    if not shutil.which(f"mkfs.{kind}"):
        pytest.skip(f"there is no mkfs.{kind}")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run([f"mkfs.{kind}", image], check=True, capture_output=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(mounted(point, "-t", kind, "-o", "loop", image))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"{kind} cannot be mounted here: {error.stderr!r}")
        yield point


class Bindfs:
    """A FUSE file system that shows the folder ``source`` at ``point`` for the block."""

    def __init__(self, source: Path, point: Path) -> None:
        self.source, self.point = source, point

    def __enter__(self) -> "Bindfs":
        self.source.mkdir(parents=True, exist_ok=True)
        self.point.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(["bindfs", "-f", self.source, self.point])
        deadline = time.monotonic() + SECONDS
        while not self.is_mounted():
            assert time.monotonic() < deadline, "bindfs mounts nothing"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        if self.is_mounted():
            unmount(self.point)

    def is_mounted(self) -> bool:
        """Whether it stands in the table of mounts; does not ask the mount itself."""
        return f" {self.point} " in Path("/proc/self/mountinfo").read_text()

    def hang(self) -> None:
        """Let no system call on it return from now on."""
        self.process.send_signal(signal.SIGSTOP)

    def recover(self) -> None:
        """Let system calls return again, including those that wait."""
        self.process.send_signal(signal.SIGCONT)

    def die(self) -> None:
        """Let every system call on it fail with ENOTCONN from now on."""
        self.process.kill()
        self.process.wait(SECONDS)
