"""How soon is somebody told, and what do notifications and MQTT cost the service?"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from statistics import median

from benchmarks import arrivals, at_rest, detecting, tree
from benchmarks.arrivals import MQTT, WEBHOOK
from benchmarks.measurement import Group, Measurement
from benchmarks.service import Service, running
from tests.e2e.broker import MOSQUITTO, Mosquitto

METHOD = (
    f"Notifications: the service has {tree.CAMERAS} cameras; webhook and mosquitto run on the "
    f"same machine. {arrivals.CHANGES} changes are made one by one, after random pauses: a "
    "detection, an event and another status in turn. A message takes from the answer to the "
    "change until the receiver, or a subscriber of the broker, has all of it. "
    f"{detecting.DETECTIONS_A_SECOND} detections a second are posted one by one, in turn for all "
    "cameras; meanwhile, and for as long without them, another client asks for a camera and its "
    "snapshot of 1080p in turn, with pauses of 5 ms. Services with and without MQTT take turns "
    f"of {detecting.ROUND_SECONDS} s, {detecting.ROUNDS} times; medians of the rounds count. For "
    "the disk two services, with and without MQTT, watch the same folders, for "
    f"{at_rest.IDLE_SECONDS} s without an upload, and then {at_rest.UPLOAD_SECONDS} s while each "
    f"camera uploads a picture of 1080p every {at_rest.UPLOAD_EVERY} s; what they write is "
    "write_bytes of /proc/PID/io, what they use utime + stime of "
    f"/proc/PID/stat. Idle memory is VmRSS {at_rest.SETTLE_SECONDS} s after the first answer, "
    f"the median of {at_rest.STARTS} starts."
)


class Stage:
    """The broker, and what was found; each thing is measured when it is first asked for."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker

    @cached_property
    def delays(self) -> dict[str, list[float]]:
        """The milliseconds until a message arrived, by channel, in ascending order."""
        with running(NVR_MQTT_URL=self._broker.url) as service:
            found = arrivals.delays(service, self._broker)
        return {name: sorted(1000 * delay for delay in delays) for name, delays in found.items()}

    @cached_property
    def load(self) -> dict[bool, detecting.Load]:
        """What was found under load, with MQTT and without."""
        with self._both() as services:
            return detecting.measure(services, self._broker)

    @cached_property
    def rest(self) -> dict[bool, at_rest.Rest]:
        """What was spent at rest, with MQTT and without."""
        with tempfile.TemporaryDirectory() as base, self._both(base) as services:
            return at_rest.measure(services, Path(base))

    @cached_property
    def memory(self) -> dict[str, float]:
        """The idle memory in MiB."""
        return at_rest.memory(self._broker.url)

    @contextmanager
    def _both(self, base: str = "") -> Iterator[dict[bool, Service]]:
        """Services with MQTT and without it; ``base``: the base path that they share."""
        shared = {"NVR_FOSCAM_BASE_PATH": base} if base else {}
        with running(**shared) as off, running(NVR_MQTT_URL=self._broker.url, **shared) as on:
            yield {False: off, True: on}


@contextmanager
def stage() -> Iterator[Stage | None]:
    """A broker; None where mosquitto is not installed."""
    if MOSQUITTO is None:
        print("no mosquitto (apt-get install mosquitto)", file=sys.stderr)
        yield None
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        Mosquitto(Path(folder), *arrivals.BROKER_SETTINGS) as broker,
    ):
        yield Stage(broker)


def row(name: str, unit: str, goal: float | None, value: Callable[[Stage], float]) -> Measurement:
    """A row that is left out where there is no broker."""
    return Measurement(name, unit, goal, lambda on: on and value(on))


def delays(channel: str) -> tuple[Measurement, ...]:
    """How long messages take to this channel."""

    def percentile(percent: int) -> Callable[[Stage], float]:
        return lambda on: on.delays[channel][len(on.delays[channel]) * percent // 100]

    return (
        row(f"from a change to {channel}, 99th percentile", "ms", 1000, percentile(99)),
        row("the same, median", "ms", None, percentile(50)),
    )


def load(is_on: bool) -> tuple[Measurement, ...]:
    """What 200 detections a second cost, with MQTT or without."""
    what = f"{detecting.DETECTIONS_A_SECOND} detections a second, MQTT {'on' if is_on else 'off'}"
    return (
        row(
            f"{what}, 99th percentile of other requests",
            *("ms", None, lambda on: median(on.load[is_on].busy)),
        ),
        row("the same, idle", "ms", None, lambda on: median(on.load[is_on].idle)),
        row(
            "the same, against idle, median of the rounds",
            *("times", 2 if is_on else None, lambda on: on.load[is_on].ratio),
        ),
        row("the same, used", "percent of a core", None, lambda on: median(on.load[is_on].cpu)),
        row(
            "the same, memory that the service grows by",
            *("MiB RSS", 15 if is_on else None, lambda on: on.load[is_on].grown),
        ),
    )


GROUP = Group(
    stage,
    (
        *delays(WEBHOOK),
        *delays(MQTT),
        *load(True),
        *load(False),
        row(
            "memory under that load with MQTT, against idle without",
            *("MiB RSS", 15, lambda on: on.load[True].memory - on.load[False].memory_before),
        ),
        row(
            "idle minute with MQTT, written to the disk",
            *("bytes", 0, lambda on: on.rest[True].idle.written),
        ),
        row("the same, used", "percent of a core", None, lambda on: on.rest[True].idle.cpu),
        row(
            "the same without MQTT", "percent of a core", None, lambda on: on.rest[False].idle.cpu
        ),
        row(
            f"{at_rest.UPLOAD_SECONDS} s of uploads with MQTT, written to the disk",
            *("bytes", None, lambda on: on.rest[True].uploads.written),
        ),
        row("the same without MQTT", "bytes", None, lambda on: on.rest[False].uploads.written),
        row(
            "the same with MQTT, used",
            *("percent of a core", None, lambda on: on.rest[True].uploads.cpu),
        ),
        row(
            "the same without MQTT",
            *("percent of a core", None, lambda on: on.rest[False].uploads.cpu),
        ),
        row("idle memory, all switched off", "MiB RSS", None, lambda on: on.memory["off"]),
        row(
            "the same, against a service without the modules",
            *("MiB RSS", None, lambda on: on.memory["off"] - on.memory["without"]),
        ),
        row(
            "the same with MQTT, against all switched off",
            *("MiB RSS", None, lambda on: on.memory["mqtt"] - on.memory["off"]),
        ),
    ),
    METHOD,
)
