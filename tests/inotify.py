"""Which limits does the kernel set for inotify, and how much of them is in use?"""

import contextlib
import os
from pathlib import Path


def queue_length() -> int:
    """How many events the kernel queues for one inotify instance."""
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


def watches_of(process: int) -> int:
    """How many inotify watches the process holds: proc_pid_fdinfo(5)."""
    count = 0
    for file in Path(f"/proc/{process}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += file.read_text().count("inotify wd:")
    return count


def overflow(folder: Path) -> None:
    """Make more changes in the folder than the kernel can queue.

    Equal events that follow each other become one, so two names take turns.
    """
    names = folder / ".overflow-1", folder / ".overflow-2"
    names[0].touch()
    for number in range(queue_length() // 2 + 10):
        os.rename(names[number % 2], names[1 - number % 2])
    for name in names:
        name.unlink(missing_ok=True)


def instances_of(process: int) -> int:
    """How many inotify instances the process holds."""
    count = 0
    for file in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(file) == "anon_inode:inotify"
    return count
