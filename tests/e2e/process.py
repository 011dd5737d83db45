"""What does a process use right now? Read from /proc."""

import os
import re
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """How many files, sockets and pipes it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def lowest_free_descriptor(pid: int) -> int:
    """The number that the next open file would get; with RLIMIT_NOFILE as low it cannot be."""
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return min(set(range(len(used) + 1)) - used)


def sockets(pid: int) -> int:
    """How many sockets it has open."""
    return sum(_is_socket(each) for each in Path(f"/proc/{pid}/fd").iterdir())


def resident_mib(pid: int) -> float:
    """Memory that it holds, shared libraries included."""
    return _status_kb(pid, "VmRSS") / 1024


def peak_mib(pid: int) -> float:
    """The most that it ever held."""
    return _status_kb(pid, "VmHWM") / 1024


def written_bytes(pid: int) -> int:
    """Bytes that it has caused to be written to a disk."""
    io = Path(f"/proc/{pid}/io").read_text()
    return int(re.search(r"^write_bytes: (\d+)", io, re.MULTILINE)[1])


def cpu_seconds(pid: int) -> float:
    """User and system time of all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def cpu_ms(pid: int) -> float:
    """The same in milliseconds, to the nanosecond, of the threads that still run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def _status_kb(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1])


def _is_socket(descriptor: Path) -> bool:
    try:
        return os.readlink(descriptor).startswith("socket:")
    except FileNotFoundError:
        return False  # closed meanwhile
