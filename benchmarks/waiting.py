"""How long do other requests wait while the service has much to do?"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.service import Service, request

PICTURE = b"\xff\xd8\xff" + b"\0" * 200 * 1024 + b"\xff\xd9"
PAUSE_SECONDS = 0.005


class Waits:
    """The waits of a client that asks for a camera and its snapshot in turn, in milliseconds;
    ``most_mib``: the most memory that the service held meanwhile.
    """

    def __init__(self) -> None:
        self.ms: list[float] = []
        self.most_mib = 0.0

    def percentile(self, percent: float) -> float:
        """The wait that so many percent do not exceed."""
        return sorted(self.ms)[int(len(self.ms) * percent / 100)]

    def ask(self, service: Service, camera: str, is_over: Callable[[], bool]) -> None:
        """Ask until it is over, with pauses in which the service is idle."""
        asked = [request("GET", camera), request("GET", f"{camera}/snapshot")]
        with service.client() as client:
            while not is_over():
                begun = time.perf_counter()
                assert client.ask(asked[len(self.ms) % 2])[0] == 200
                self.ms.append((time.perf_counter() - begun) * 1000)
                self.most_mib = max(self.most_mib, service.resident_mib())
                time.sleep(PAUSE_SECONDS)


@contextmanager
def waiting(service: Service, camera: str, waits: Waits | None = None) -> Iterator[Waits]:
    """The waits in the block, added to ``waits`` if there are some already."""
    waits, over = waits or Waits(), threading.Event()
    thread = threading.Thread(target=waits.ask, args=(service, camera, over.is_set))
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()
