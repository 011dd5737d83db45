"""What does a service with MQTT write to the disk at rest, and what does one without it hold?"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import tree
from benchmarks.arrivals import ask
from benchmarks.service import Service, running
from tests.pictures import picture

IDLE_SECONDS, UPLOAD_SECONDS, UPLOAD_EVERY = 60, 40, 10
# How long the start takes, and within which time the service writes what it has found out
# (NVR_LAST_SEEN_FLUSH_SECONDS).
START_SECONDS, FLUSH_SECONDS = 10, 32
SIZE = 1920, 1080
STARTS, SETTLE_SECONDS = 3, 2
# Serves without the modules of notifications: whoever imports them gets empty ones.
WITHOUT = """
import runpy, sys, types
from flask_smorest import Blueprint

class Nothing:
    def __getattr__(self, name):
        return lambda *_: None

def init_app(app):
    app.extensions["deliveries"] = Nothing()

def module(name, **names):
    sys.modules[name] = made = types.ModuleType(name)
    vars(made).update(names)

module("app.notify", __path__=[])
module("app.notify.outbox", init_app=init_app, check_deliveries=None)
module("app.notify.apprise_sender", NotInstalled=type("NotInstalled", (Exception,), {}))
module("app.api.notifications", blp=Blueprint("notifications", "notifications"))
sys.path.insert(0, "")
sys.argv = ["wsgi.py"]
runpy.run_path("wsgi.py", run_name="__main__")
"""


class Spent(NamedTuple):
    """The bytes that a service wrote to the disk, and the percent of a core that it used."""

    written: int
    cpu: float


class Rest(NamedTuple):
    """What a service spent while nothing was uploaded, and while cameras uploaded."""

    idle: Spent
    uploads: Spent


def measure(services: dict[bool, Service], base: Path) -> dict[bool, Rest]:
    """What services with and without MQTT spent that watch the same folders below ``base``."""
    for service in services.values():
        tree.register_all(service, base)
    time.sleep(START_SECONDS)
    idle = _spent(services, lambda: time.sleep(IDLE_SECONDS))
    uploads = _spent(services, lambda: _upload(base))
    return {is_on: Rest(idle[is_on], uploads[is_on]) for is_on in services}


def memory(broker_url: str) -> dict[str, float]:
    """The idle memory in MiB without the modules, with notifications and MQTT off, with MQTT."""
    ways: dict[str, Any] = {"without": {"wrapper": [sys.executable, "-c", WITHOUT]}}
    ways |= {"off": {}, "mqtt": {"NVR_MQTT_URL": broker_url}}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(STARTS):
        for name, way in ways.items():
            with running(**way) as service, service.client() as client:
                ask(client, "GET", "/api/cameras")
                time.sleep(SETTLE_SECONDS)
                found[name].append(service.resident_mib())
    return {name: statistics.median(values) for name, values in found.items()}


def _upload(base: Path) -> None:
    """Upload a picture for each camera again and again, and wait until that is written down."""
    for turn in range(UPLOAD_SECONDS // UPLOAD_EVERY):
        for number in range(tree.CAMERAS):
            data = picture(shade=turn * tree.CAMERAS + number, size=SIZE)
            (base / tree.folder(number) / f"{turn}.jpg").write_bytes(data)
            time.sleep(UPLOAD_EVERY / tree.CAMERAS)
    time.sleep(FLUSH_SECONDS)


def _spent(services: dict[bool, Service], do: Callable[[], None]) -> dict[bool, Spent]:
    """What the services spent while ``do`` ran."""
    begun, before = time.monotonic(), {is_on: _used(each) for is_on, each in services.items()}
    do()
    seconds, spent = time.monotonic() - begun, {}
    for is_on, service in services.items():
        (written_before, cpu_before), (written, cpu) = before[is_on], _used(service)
        assert written_before, "the disk does not count what is written, as on a tmpfs"
        spent[is_on] = Spent(written - written_before, 100 * (cpu - cpu_before) / seconds)
    return spent


def _used(service: Service) -> tuple[int, float]:
    return service.written_bytes(), service.cpu_seconds()
