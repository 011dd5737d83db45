"""What does the kernel grant to those who watch, and how much of it is in use?"""

import contextlib
from pathlib import Path


def queue_length() -> int:
    """How many events the kernel keeps for one reader."""
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


def watches_of(process: int) -> int:
    """How many inotify watches the process holds: proc_pid_fdinfo(5)."""
    count = 0
    for file in Path(f"/proc/{process}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += file.read_text().count("inotify wd:")
    return count
