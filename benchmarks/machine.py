"""On which machine and versions was it measured?"""

import os
import platform
import re
import sqlite3
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("flask", "flask-smorest", "marshmallow", "orjson", "peewee", "waitress")


def describe(packages: tuple[str, ...] = PACKAGES) -> dict[str, str | int]:
    """The machine and the versions of ``packages``, by default those of the service."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{package: version(package) for package in packages},
    }


def sentence(machine: dict[str, str | int]) -> str:
    """The same on one line."""
    cpu, cores, kernel, python, sqlite, *_ = machine.values()
    named = ", ".join(f"{name} {number}" for name, number in list(machine.items())[5:])
    return f"{cpu}, {cores} cores, {kernel}, Python {python}, SQLite {sqlite}, {named}"


def _cpu() -> str:
    """The processor's model as /proc/cpuinfo names it; ARM boards name the board instead."""
    found = re.search(r"^(?:model name|Model)\s*: (.+)", Path("/proc/cpuinfo").read_text(), re.M)
    return found[1].strip() if found else platform.machine()
