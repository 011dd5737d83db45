"""Does a request cost more instructions than it did? Counted by valgrind, not timed.

``python -m benchmarks.instructions`` shows each request beside the baseline of
`instructions.json`; with ``--renew`` what is counted becomes the baseline.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks.fixed_requests import TIMES, YARDSTICK

PROJECT = Path(__file__).resolve().parent.parent
BASELINE = PROJECT / "benchmarks" / "instructions.json"
# Percent above the baseline. Four runs of one interpreter differed by 0.4 at most, another build
# of the same Python, relative to the yardstick, by 2.7.
TOLERANCE, TOLERANCE_ELSEWHERE = 3, 8
# The first part is the start; then for each request come the warm-up, the two counts, and what
# runs before the next request.
PARTS = 4
DEADLINE_SECONDS = 300

Counts = dict[str, float]


class Incomparable(Exception):
    """The baseline is of another Python or machine; the text says of which."""


def is_possible() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def measure() -> tuple[Counts, Counts]:
    """Instructions of each request, and the same with a tenth more of them."""
    with tempfile.TemporaryDirectory() as folder:
        names = _run(Path(folder))
        totals = [_total(Path(folder) / f"out.{part + 1}") for part in range(PARTS * len(names))]
    once, more = totals[2::PARTS], totals[3::PARTS]
    return (
        {name: total / TIMES for name, total in zip(names, once, strict=True)},
        {name: total / TIMES for name, total in zip(names, more, strict=True)},
    )


def conditions() -> str:
    """What the counts depend on besides the code: interpreter, SQLite and packages."""
    lock = (PROJECT / "requirements.lock").read_text()
    names = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    packages = " ".join(f"{name}=={version(name)}" for name in names)
    return (
        f"Python {platform.python_version()} of {platform.python_build()[1]}"
        f" by {platform.python_compiler()}, SQLite {sqlite3.sqlite_version}, packages "
        f"{hashlib.sha256(packages.encode()).hexdigest()[:12]}"
    )


def kind() -> str:
    """Python version and machine: within these the counts compare, relative to the yardstick."""
    return f"Python {sys.version_info.major}.{sys.version_info.minor} on {platform.machine()}"


def excess(counts: Counts, baseline: Counts, same: bool) -> dict[str, float]:
    """The requests that cost too much → by how many percent.

    ``same``: whether the baseline is of the same conditions. Otherwise counts are compared
    relative to the yardstick, with a greater tolerance.
    """
    tolerance = TOLERANCE if same else TOLERANCE_ELSEWHERE
    scale = 1 if same else counts[YARDSTICK] / baseline[YARDSTICK]
    growth = {name: 100 * (n / scale / baseline[name] - 1) for name, n in counts.items()}
    return {name: percent for name, percent in growth.items() if percent > tolerance}


def baseline() -> tuple[Counts, bool]:
    """The baseline's counts, and whether they were made under the same conditions.

    Raises `Incomparable`.
    """
    kept = json.loads(BASELINE.read_text())
    if kept["kind"] != kind():
        raise Incomparable(f"the baseline is of {kept['kind']}, this is {kind()}")
    return kept["instructions"], kept["conditions"] == conditions()


def main() -> None:
    """Count and show; renew the baseline if that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="make this the baseline")
    wanted = parser.parse_args()
    counts, _ = measure()
    if wanted.renew:
        whole = {name: round(number) for name, number in counts.items()}
        kept = {"kind": kind(), "conditions": conditions(), "instructions": whole}
        BASELINE.write_text(json.dumps(kept, indent=2) + "\n")
    known, same = baseline()
    for name, number in counts.items():
        percent = 100 * (number / known.get(name, number) - 1)
        print(f"{number:14,.0f} {percent:+6.1f} %  {name}")
    print("the same conditions" if same else f"other conditions: {conditions()}")


def _run(folder: Path) -> list[str]:
    """Run the requests under valgrind, which begins a new part at each `fixed_requests.mark`."""
    words = ["valgrind", "--tool=callgrind", "--dump-before=getppid", "--dump-line=no"]
    asked = [sys.executable, "-m", "benchmarks.fixed_requests"]
    ran = subprocess.run(
        [*words, f"--callgrind-out-file={folder}/out", *asked],
        cwd=PROJECT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return list(json.loads(ran.stdout))


def _total(part: Path) -> int:
    return int(re.search(r"^totals: (\d+)", part.read_text(), re.MULTILINE)[1])  # type: ignore[index]


if __name__ == "__main__":
    main()
