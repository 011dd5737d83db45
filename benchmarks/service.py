"""How is the service started and reached? As a process of its own, over one connection."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
START_LINE = re.compile(r"serving http://(\S+):(\d+)")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Client:
    """One keep-alive connection with as little work per request as possible."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(1 << 20)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer to ``request``."""
        self.socket.sendall(request)
        view, size, head_end = memoryview(self.buffer), 0, -1
        while head_end < 0:
            size += self._receive(view[size:])
            head_end = self.buffer.find(b"\r\n\r\n", 0, size)
        head = bytes(view[:head_end])
        status, length = int(head[9:12]), re.search(rb"\r\nContent-Length: (\d+)", head)
        end = head_end + 4 + (int(length[1]) if length and status != 304 else 0)
        while size < end:
            size += self._receive(view[size:])
        return status, head, bytes(view[head_end + 4 : end])

    def _receive(self, into: memoryview) -> int:
        received = self.socket.recv_into(into)
        if not received:
            raise ConnectionError("the service closed the connection")
        return received


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; underscores in the names of ``headers`` are hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if body:
        headers |= {"Content_Type": "application/json", "Content_Length": str(len(body))}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Service:
    """The running service: its address and what it has used."""

    def __init__(self, process: "subprocess.Popen[str]", base: Path) -> None:
        self.process, self.base, self.pid = process, base, process.pid
        self.address = self._address()
        # A pipe that is full and not read would block the service. The thread ends when the last
        # process that writes to the pipe, a wrapper included, has ended.
        self.log = threading.Thread(target=process.stderr.read, daemon=True)
        self.log.start()

    def _address(self) -> tuple[str, int]:
        log = ""
        for line in self.process.stderr:
            log += line
            if found := START_LINE.search(line):
                return found[1].strip("[]"), int(found[2])
        raise RuntimeError(f"the service did not start:\n{log}")

    def client(self) -> Client:
        """A new connection."""
        return Client(self.address)

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def running_ms(self) -> float:
        """Milliseconds that its threads have run so far, to the microsecond."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def resident_mib(self) -> float:
        """Memory that it holds right now, shared libraries included."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def written_bytes(self) -> int:
        """Bytes that it has caused to be written to a disk."""
        io = Path(f"/proc/{self.pid}/io").read_text()
        return int(re.search(r"^write_bytes: (\d+)", io, re.MULTILINE)[1])


@contextmanager
def running(wrapper: Sequence[str] = (), **settings: str) -> Iterator[Service]:
    """The service on an empty database and base path, which are deleted when it has stopped.

    ``wrapper``: a command that runs it and leaves it the process id.
    """
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "base")
        base.mkdir()
        environ = {name: value for name, value in os.environ.items() if name[:4] != "NVR_"}
        process = subprocess.Popen(
            [*wrapper, sys.executable, "wsgi.py"],
            cwd=PROJECT,
            env=environ
            | {
                "NVR_PORT": "0",
                "RUNTIME_DIRECTORY": folder,
                "NVR_FOSCAM_BASE_PATH": str(base),
                "NVR_DATABASE_URL": f"sqlite:///{folder}/nvr.db",
            }
            | settings,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                service = Service(process, base)
                yield service
                process.send_signal(signal.SIGTERM)
                service.log.join(30)
            finally:
                process.kill()
