"""How does the service fare on this machine? Measures every row and prints one table."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.measurements import LEAST_CPU_SECONDS, MEASUREMENTS, RUNS, STARTS, stage

METHOD = (
    "The real service runs as a process of its own and one client asks over one keep-alive "
    f"connection until the service has used {LEAST_CPU_SECONDS} s of CPU (utime + stime of "
    f"/proc/PID/stat); the median of {RUNS} such runs counts. "
    f"Memory is VmRSS a second after the first answer, the start is the median of {STARTS} with "
    "a new database."
)


def main() -> None:
    """Measure, print, and write the JSON file that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    path = parser.parse_args().json
    ground, results = machine.describe(), measure()
    print(f"| {machine.sentence(ground)} | measured | goal | |\n|---|--:|--:|---|")
    for result in results:
        print(line(result))
    print(f"\n{METHOD}")
    if path:
        report = {"machine": ground, "method": METHOD, "results": results}
        path.write_text(json.dumps(report, indent=2) + "\n")


def measure() -> list[dict[str, Any]]:
    """Every row's result; which one is being measured goes to stderr."""
    results = []
    with stage() as on:
        for row in MEASUREMENTS:
            print(f"measuring: {row.name}", file=sys.stderr)
            value = round(row.measure(on), 3)
            met = None if row.goal is None else value <= row.goal
            results.append(
                {"name": row.name, "unit": row.unit, "value": value, "goal": row.goal, "met": met}
            )
    return results


def line(result: dict[str, Any]) -> str:
    """A result as a row of the Markdown table."""
    goal = "\N{EN DASH}" if result["goal"] is None else f"≤ {result['goal']:g}"
    verdict = {None: "", True: "met", False: "**MISSED**"}[result["met"]]
    return f"| {result['name']}, {result['unit']} | {result['value']:.3g} | {goal} | {verdict} |"


if __name__ == "__main__":
    main()
