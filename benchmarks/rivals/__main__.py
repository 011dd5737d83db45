"""Where does the service stand? Every contest side by side, as a Markdown table."""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.rivals import footprint
from benchmarks.rivals.contests import (
    BIG,
    CAMERAS,
    CONTESTS,
    FASTAPI,
    ROUNDS,
    SECONDS,
    arena,
    hold,
)

PACKAGES = ("fastapi", "sqlalchemy", "aiosqlite", "uvicorn", "uvloop")
METHOD = (
    "Both servers run at once, each a process of its own, over the same pictures and cameras. wrk "
    f"asks one and then the other for {SECONDS} s (6 and 30 s where a folder is large) over "
    f"keep-alive connections, {ROUNDS} rounds, each begun when all are at rest; "
    "medians, requests a second where nothing else is said, and the ratio of ours to theirs. "
    "FastAPI runs under uvicorn with uvloop and httptools, SQLAlchemy over aiosqlite with the "
    "same pragmas; nginx serves the picture as a file and the list from its configuration."
)
Row = dict[str, Any]


def main() -> None:
    """Compete, print the table, and write the JSON file that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    parser.add_argument("--only", default="", metavar="WORD", help="only rows with this word")
    options = parser.parse_args()
    ground = machine.describe(machine.PACKAGES + PACKAGES)
    print(f"| {machine.sentence(ground)} | service | rival | ratio | goal | |")
    print("|---|--:|--:|--:|--:|---|")
    rows = []
    for row in chain(compete(options.only), costs(options.only)):
        rows.append(row)
        print(line(row), flush=True)
    print(f"\n{METHOD}")
    if options.json:
        report = {"machine": ground, "method": METHOD, "results": rows}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def compete(only: str) -> Iterator[Row]:
    """Every contest's result, and what needs an arena besides."""
    for cameras in CAMERAS:
        chosen = [c for c in CONTESTS if c.cameras == cameras and only in c.name]
        if not chosen and only:
            continue
        with arena(cameras) as here:
            for contest in chosen:
                for connections, goal in contest.goals.items():
                    name = f"{contest.name}, {connections} connection{'s' * (connections > 1)}"
                    print(f"measuring: {name} against {contest.rival}", file=sys.stderr)
                    figures = hold(contest, here, connections)
                    yield _row(f"{name}, against {contest.rival}", figures, goal, contest.more)
            if cameras == BIG:
                yield from beside_writes(here)


def beside_writes(here: Any) -> Iterator[Row]:
    """Reads that follow or accompany writes."""
    followed = [footprint.list_after_write(here, who) for who in ("service", FASTAPI)]
    name = "list of 1,000 cameras after each write, lists a second, against FastAPI"
    yield _row(name, tuple(1000 / ms for ms in followed), 2.5, more=True)
    one = here.camera("service", "c9")
    for what, path in (("one camera", one), ("list of 1,000", "/api/cameras")):
        busy, idle = (footprint.slowest_reads(here, path, posting) for posting in (True, False))
        name = f"99th percentile of {what}, ms, at 200 detections a second, against idle"
        yield _row(name, (busy, idle), 2, more=False)


def costs(only: str) -> Iterator[Row]:
    """What they cost without load."""
    for cost in footprint.COSTS:
        if only in cost.name:
            figures = (cost.measure("service"), cost.measure(FASTAPI))
            row = _row(
                f"{cost.name}, {cost.unit}, against FastAPI", figures, cost.goal, more=False
            )
            row["met"] &= cost.limit is None or figures[0] <= cost.limit
            yield row


def _row(name: str, figures: tuple[float, ...], goal: float | None, more: bool) -> Row:
    ratio = figures[0] / figures[1]
    met = None if goal is None else (ratio >= goal if more else ratio <= goal)
    return {
        "name": name,
        "service": figures[0],
        "rival": figures[1],
        "ratio": ratio,
        "goal": goal,
        "more": more,
        "met": met,
    }


def line(row: Row) -> str:
    """A result as a row of the Markdown table."""
    sign = "≥" if row["more"] else "≤"
    goal = "\N{EN DASH}" if row["goal"] is None else f"{sign} {row['goal']:g}"
    verdict = {None: "", True: "met", False: "**MISSED**"}[row["met"]]
    figures = " | ".join(_figure(row[name]) for name in ("service", "rival", "ratio"))
    return f"| {row['name']} | {figures} | {goal} | {verdict} |"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
