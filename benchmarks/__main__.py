"""How fast is the service on this machine? Measures every row and prints one table."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import cameras, folders, machine, notifications, pictures, pruning, records

GROUPS = {
    "cameras": cameras.GROUP,
    "folders": folders.GROUP,
    "records": records.GROUP,
    "pictures": pictures.GROUP,
    "pruning": pruning.GROUP,
    "notifications": notifications.GROUP,
}


def main() -> None:
    """Measure, print, and write the JSON file that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    wanted = parser.parse_args()
    chosen = {name: GROUPS[name] for name in wanted.groups or GROUPS}
    described = machine.describe()
    results = [result for group in chosen.values() for result in measure(group)]
    methods = [group.method for group in chosen.values()]
    print(f"| {machine.sentence(described)} | measured | goal | |\n|---|--:|--:|---|")
    for result in results:
        print(line(result))
    print("", *methods, sep="\n\n")
    if wanted.json:
        report = {"machine": described, "method": methods, "results": results}
        wanted.json.write_text(json.dumps(report, indent=2) + "\n")


def measure(group: Any) -> list[dict[str, Any]]:
    """The result of each row; progress goes to stderr."""
    results = []
    with group.stage() as on:
        for row in group.measurements:
            print(f"measuring: {row.name}", file=sys.stderr)
            value = row.measure(on)
            if value is not None:
                print(f"  {value:,.4g} {row.unit}", file=sys.stderr)
                met = None if row.goal is None else row.meets(value)
                goal = {"goal": row.goal, "at_least": row.at_least, "met": met}
                results.append({"name": row.name, "unit": row.unit, "value": value, **goal})
    return results


def line(result: dict[str, Any]) -> str:
    """A result as a row of the Markdown table."""
    sign = "≥" if result["at_least"] else "≤"
    goal = "\N{EN DASH}" if result["goal"] is None else f"{sign} {result['goal']:,g}"
    verdict = {None: "", True: "met", False: "**MISSED**"}[result["met"]]
    value = f"{result['value']:,.0f}" if result["value"] >= 1000 else f"{result['value']:.3g}"
    return f"| {result['name']}, {result['unit']} | {value} | {goal} | {verdict} |"


if __name__ == "__main__":
    main()
