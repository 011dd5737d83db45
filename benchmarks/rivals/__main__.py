"""How fast is the service beside FastAPI and nginx? Prints a Markdown table with each floor."""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.rivals import footprint
from benchmarks.rivals.comparisons import (
    BIG,
    CAMERAS,
    COMPARISONS,
    FASTAPI,
    ROUNDS,
    SECONDS,
    Setup,
    compare,
    set_up,
)

PACKAGES = ("fastapi", "sqlalchemy", "aiosqlite", "uvicorn", "uvloop")
METHOD = (
    "Both servers run at the same time, each as a process of its own, over the same pictures and "
    f"cameras. wrk sends requests to one and then to the other for {SECONDS} s (6 and 30 s where "
    f"a folder is large) over keep-alive connections, in {ROUNDS} rounds; each round begins when "
    "both servers are idle. The table shows medians, in requests per second where no other unit "
    "is named, and the ratio of the service's figure to the rival's. FastAPI runs under uvicorn "
    "with uvloop and httptools, SQLAlchemy over aiosqlite with the same pragmas. nginx serves the "
    "picture as a file and the list from its configuration."
)
# The ratio (idle: MiB) of commit f2cfe67, before the code was rewritten for plainness.
BEFORE = {
    "snapshot, 200 KiB, folder of 20, 8 connections, against FastAPI": 10.6,
    "snapshot, 200 KiB, folder of 10,000, 8 connections, against FastAPI": 375,
    "snapshot, 2 MiB, MiB a second, 8 connections, against nginx": 1.13,
    "snapshot, 304, 8 connections, against FastAPI": 7.8,
    "list of 10 cameras, 8 connections, against FastAPI": 12.1,
    "list of 100 cameras, 8 connections, against FastAPI": 21.3,
    "list of 1,000 cameras, 8 connections, against FastAPI": 103,
    "list, 304, 8 connections, against FastAPI": 11,
    "one camera, 8 connections, against FastAPI": 10.8,
    "PATCH, 8 connections, against FastAPI": 5.8,
    "POST, 8 connections, against FastAPI": 4.2,
    "idle, MiB RSS, against FastAPI": 38,
    "start to first answer, s, against FastAPI": 0.37,
}
Row = dict[str, Any]


def main() -> None:
    """Compare, print the table, and write the JSON file that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    parser.add_argument("--only", default="", metavar="WORD", help="only rows with this word")
    options = parser.parse_args()
    described = machine.describe(machine.PACKAGES + PACKAGES)
    print(f"| {machine.sentence(described)} | service | rival | ratio | floor | before | |")
    print("|---|--:|--:|--:|--:|--:|---|")
    rows = []
    for row in chain(compare_all(options.only), costs(options.only)):
        rows.append(row)
        print(line(row), flush=True)
    print(f"\n{METHOD}")
    if options.json:
        report = {"machine": described, "method": METHOD, "results": rows}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def compare_all(only: str) -> Iterator[Row]:
    """The row of each comparison, and those of reads beside writes."""
    for cameras in CAMERAS:
        chosen = [c for c in COMPARISONS if c.cameras == cameras and only in c.name]
        if not chosen and only:
            continue
        with set_up(cameras) as setup:
            for comparison in chosen:
                for connections, floor in comparison.floors.items():
                    name = f"{comparison.name}, {connections} connection{'s' * (connections > 1)}"
                    print(f"measuring: {name} against {comparison.rival}", file=sys.stderr)
                    figures = compare(comparison, setup, connections)
                    name = f"{name}, against {comparison.rival}"
                    yield _row(name, figures, floor, comparison.at_least)
            if cameras == BIG:
                yield from beside_writes(setup)


def beside_writes(setup: Setup) -> Iterator[Row]:
    """Reads that follow writes, and reads at the same time as writes."""
    milliseconds = [footprint.list_after_write(setup, who) for who in ("service", FASTAPI)]
    name = "list of 1,000 cameras after each write, lists a second, against FastAPI"
    yield _row(name, tuple(1000 / ms for ms in milliseconds), 2.5, at_least=True)
    one = setup.camera("service", "c9")
    for what, path in (("one camera", one), ("list of 1,000", "/api/cameras")):
        busy, idle = (footprint.slowest_reads(setup, path, posting) for posting in (True, False))
        name = f"99th percentile of {what}, ms, at 200 detections a second, against idle"
        yield _row(name, (busy, idle), 2, at_least=False)


def costs(only: str) -> Iterator[Row]:
    """Memory and start."""
    for cost in footprint.COSTS:
        if only in cost.name:
            figures = (cost.measure("service"), cost.measure(FASTAPI))
            name = f"{cost.name}, {cost.unit}, against FastAPI"
            if cost.most is None:
                yield _row(name, figures, cost.most_ratio, at_least=False)
            else:
                met = figures[0] <= cost.most
                yield _row(name, figures, None, at_least=False) | {"floor": cost.most, "met": met}


def _row(name: str, figures: tuple[float, ...], floor: float | None, at_least: bool) -> Row:
    ratio = figures[0] / figures[1]
    met = None if floor is None else (ratio >= floor if at_least else ratio <= floor)
    return {
        "name": name,
        "service": figures[0],
        "rival": figures[1],
        "ratio": ratio,
        "floor": floor,
        "at_least": at_least,
        "before": BEFORE.get(name),
        "met": met,
    }


def line(row: Row) -> str:
    """A row of the Markdown table."""
    sign = "≥" if row["at_least"] else "≤"
    floor = "\N{EN DASH}" if row["floor"] is None else f"{sign} {row['floor']:g}"
    before = "\N{EN DASH}" if row["before"] is None else f"{row['before']:g}"
    verdict = {None: "", True: "met", False: "**MISSED**"}[row["met"]]
    figures = " | ".join(_figure(row[name]) for name in ("service", "rival", "ratio"))
    return f"| {row['name']} | {figures} | {floor} | {before} | {verdict} |"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
