"""How long do others wait while a camera's file system hangs? Needs bindfs and the right to mount.

``python -m benchmarks.hung_mount`` prints the 99th percentile of other cameras' snapshots while
the file system answers and while it hangs, in turn, and their ratio.
"""

import statistics
import subprocess
import threading
import time
from pathlib import Path

from benchmarks.folders import NEWEST_BYTES
from benchmarks.service import Service, request, running

ROUNDS, ROUND_SECONDS = 12, 6
# Connections that ask for the other camera, and for the one whose file system hangs.
OTHERS, ASKING, PAUSE_SECONDS = 4, 4, 0.02
PICTURE = b"\xff\xd8\xff\xdb\x00\x02" + bytes(NEWEST_BYTES) + b"\xff\xd9"


def main() -> None:
    """Measure in turn, so that whatever else the machine does falls on both."""
    with running() as service:
        for name in ("well", "elsewhere", "hung"):
            (service.base / name).mkdir()
        for name in ("well", "elsewhere"):
            (service.base / name / "a.jpg").write_bytes(PICTURE)
        well, hung = _register(service, "well"), _register(service, "hung")
        share = _mount(service.base / "elsewhere", service.base / "hung")
        try:
            answering, hanging = _measure(service, share, well, hung)
        finally:
            share.kill()
            subprocess.run(["umount", "--lazy", service.base / "hung"], check=True)
    print(f"99th percentile while it answers: {answering * 1000:.2f} ms")
    print(f"99th percentile while it hangs:   {hanging * 1000:.2f} ms")
    print(f"ratio: {hanging / answering:.2f} (to be at most 1.2)")


def _register(service: Service, folder: str) -> bytes:
    body = f'{{"name": "{folder}", "folder_path": "{folder}"}}'.encode()
    with service.client() as client:
        _, head, _ = client.ask(request("POST", "/api/cameras", body))
    path = head.split(b"Location: ")[1].split(b"\r\n")[0].decode()
    return request("GET", f"{path}/snapshot")


def _mount(source: Path, point: Path) -> "subprocess.Popen[bytes]":
    share = subprocess.Popen(["bindfs", "-f", source, point])
    while f" {point} " not in Path("/proc/self/mountinfo").read_text():
        time.sleep(0.01)
    return share


def _measure(
    service: Service, share: "subprocess.Popen[bytes]", well: bytes, hung: bytes
) -> tuple[float, float]:
    """The 99th percentile in seconds while the file system answers, and while it hangs."""
    found: dict[str, list[float]] = {"-CONT": [], "-STOP": []}
    for number in range(ROUNDS):
        for kind, percentiles in found.items() if number % 2 else reversed(found.items()):
            subprocess.run(["kill", kind, str(share.pid)], check=True)
            waits, over = list[float](), threading.Event()
            threads = [
                *_threads(OTHERS, service, well, waits, over, 0.0),
                *_threads(ASKING, service, hung, [], over, PAUSE_SECONDS),
            ]
            for thread in threads:
                thread.start()
            time.sleep(ROUND_SECONDS)
            over.set()
            for thread in threads:
                thread.join()
            percentiles.append(statistics.quantiles(waits, n=100)[98])
            subprocess.run(["kill", "-CONT", str(share.pid)], check=True)
            time.sleep(0.5)
    return statistics.median(found["-CONT"]), statistics.median(found["-STOP"])


def _threads(
    number: int,
    service: Service,
    asked: bytes,
    waits: list[float],
    over: threading.Event,
    pause: float,
) -> list[threading.Thread]:
    return [
        threading.Thread(target=_ask, args=(service, asked, waits, over, pause))
        for _ in range(number)
    ]


def _ask(
    service: Service, asked: bytes, waits: list[float], over: threading.Event, pause: float
) -> None:
    with service.client() as client:
        while not over.is_set():
            began = time.perf_counter()
            status, _, _ = client.ask(asked)
            waits.append(time.perf_counter() - began)
            assert status in (200, 503)
            time.sleep(pause)


if __name__ == "__main__":
    main()
