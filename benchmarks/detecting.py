"""What do 200 detections a second cost other requests and memory, with MQTT and without?"""

import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import tree
from benchmarks.arrivals import CONNECT_SECONDS, detect, published
from benchmarks.service import Service
from benchmarks.waiting import waiting
from tests.e2e.broker import Mosquitto
from tests.pictures import picture

DETECTIONS_A_SECOND = 200
ROUNDS, ROUND_SECONDS = 5, 4
SIZE = 1920, 1080


@dataclass
class Load:
    """What was found of one service; lists have a value for each round.

    ``idle`` and ``busy``: the 99th percentile of the waits without load and under load, in
    milliseconds; ``cpu``: the percent of a core that the service used under load;
    ``memory_before`` and ``memory``: what it held before the first round, and the most that it
    held under load, in MiB.
    """

    memory_before: float
    memory: float = 0.0
    idle: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def grown(self) -> float:
        return self.memory - self.memory_before

    @property
    def ratio(self) -> float:
        """Under load against idle."""
        return statistics.median(b / i for b, i in zip(self.busy, self.idle, strict=True))


def measure(services: dict[bool, Service], broker: Mosquitto) -> dict[bool, Load]:
    """What was found with MQTT and without, whose services take turns."""
    cameras = {is_on: tree.register_all(each, each.base) for is_on, each in services.items()}
    for each in services.values():
        Path(each.base, tree.folder(0), "first.jpg").write_bytes(picture(size=SIZE))
    time.sleep(CONNECT_SECONDS)
    found = {is_on: Load(each.resident_mib()) for is_on, each in services.items()}
    before = published(broker)
    for _ in range(ROUNDS):
        for is_on, each in services.items():
            _round(each, cameras[is_on], found[is_on])
    told, posted = published(broker) - before, ROUNDS * DETECTIONS_A_SECOND * ROUND_SECONDS
    assert told >= posted, f"{told} messages of {posted} detections"
    return found


def _round(service: Service, cameras: list[str], found: Load) -> None:
    with waiting(service, cameras[0]) as idle:
        time.sleep(ROUND_SECONDS)
    begun, cpu = time.monotonic(), service.cpu_seconds()
    with waiting(service, cameras[0]) as busy:
        _post(service, cameras)
    found.cpu.append(100 * (service.cpu_seconds() - cpu) / (time.monotonic() - begun))
    found.idle.append(idle.percentile(99))
    found.busy.append(busy.percentile(99))
    found.memory = max(found.memory, busy.most_mib)


def _post(service: Service, cameras: list[str]) -> None:
    """Post detections at even intervals, in turn for all cameras; after a delay it catches up."""
    with service.client() as client:
        begun = time.monotonic()
        for number in range(DETECTIONS_A_SECOND * ROUND_SECONDS):
            detect(client, cameras[number % len(cameras)])
            time.sleep(max(0, begun + number / DETECTIONS_A_SECOND - time.monotonic()))
