"""How large is the code, and how far must a reader go? Prints a table beside its limits.

``python -m benchmarks.design``; with ``--lists`` also the files, places and names counted.
"""

import argparse
import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import app

PROJECT = Path(__file__).resolve().parent.parent
MODULES = sorted(PROJECT.glob("app/**/*.py"))
PYTHON = [*MODULES, *sorted(PROJECT.glob("migrations/*.py")), PROJECT / "wsgi.py"]
README = PROJECT / "README.md"
CAMERA_FIELDS = {"id", "name", "folder_path", "status", "created_at", "last_seen_at"}
# What is limited → what it was in the first layout, and what it is to be at most.
LIMITS = {
    "modules of app/": (148, 80),
    "lines of app/": (11705, 9500),
    "bytes of the README": (47720, 12000),
    "files to follow GET one camera": (9, 5),
    "files to follow GET a snapshot": (17, 9),
    "files to follow POST a detection": (15, 8),
    "files to follow an upload that turns a camera online": (19, 9),
    "files that list a camera's fields": (5, 3),
    "private names of libraries": (25, 5),
}
# Names with a leading underscore that the library's documentation tells its users to use: those of
# named tuples (docs.python.org, collections.namedtuple), what a custom field of marshmallow
# overrides (its page "Custom fields"), and the metadata of a model of peewee (its page "Models").
DOCUMENTED = {
    *("_asdict", "_fields", "_field_defaults", "_make", "_replace"),
    *("_bind_to_schema", "_deserialize", "_serialize", "_validate"),
    "_meta",
}
# A module or function of another length needs a reason.
MODULE_LINES = range(40, 251)
FUNCTION_LINES = 25


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table; ``counted``: what was counted, one by one."""

    name: str
    value: int
    counted: tuple[str, ...] = ()

    @property
    def before(self) -> int | None:
        """What it was in the first layout."""
        return LIMITS.get(self.name, (None, None))[0]

    @property
    def limit(self) -> int | None:
        """What it is to be at most; None: no limit."""
        return LIMITS.get(self.name, (None, None))[1]

    @property
    def is_met(self) -> bool:
        """Whether the value is within its limit."""
        return self.limit is None or self.value <= self.limit


def sizes() -> list[Figure]:
    """Modules and lines of app/, and the bytes of the README."""
    lines = {_name(path): path.read_text().count("\n") for path in MODULES}
    total = sum(lines.values())
    odd = [f"{name}: {n}" for name, n in lines.items() if n not in MODULE_LINES]
    long = [f"{place}: {n}" for place, n in _functions() if n > FUNCTION_LINES]
    return [
        Figure("modules of app/", len(lines)),
        Figure("lines of app/", total),
        Figure("lines of a module on average", round(total / len(lines))),
        Figure("modules under 40 or over 250 lines", len(odd), tuple(odd)),
        Figure("functions of more than 25 lines", len(long), tuple(long)),
        Figure("bytes of the README", len(README.read_bytes())),
    ]


def followed() -> list[Figure]:
    """Files that run for a request, besides those that run for every request."""
    run = [sys.executable, "-m", "benchmarks.followed"]
    done = subprocess.run(run, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60)
    files = json.loads(done.stdout)
    return [
        Figure(f"files to follow {name}", len(found), tuple(found))
        for name, found in files.items()
    ]


def camera_field_files() -> Figure:
    """The Python files that list the fields of a camera: three or more of them at once."""
    files: dict[str, list[int]] = {}
    for path in (path for path in PYTHON if path != PROJECT / "wsgi.py"):
        for node in ast.walk(_tree(path)):
            found = _listed(node) & CAMERA_FIELDS
            if "folder_path" in found and len(found) > 2:
                files.setdefault(_name(path), []).append(node.lineno)  # type: ignore[attr-defined]
    counted = tuple(f"{name}: lines {lines}" for name, lines in files.items())
    return Figure("files that list a camera's fields", len(files), counted)


def private_names() -> Figure:
    """Names with a leading underscore that are a library's own, and not documented for use.

    A name that the project itself defines anywhere is taken for its own.
    """
    trees = {_name(path): _tree(path) for path in PYTHON}
    own = {name for tree in trees.values() for name in _defined(tree)} | DOCUMENTED
    uses: dict[str, list[str]] = {}
    for name, tree in trees.items():
        for line, used in _used(tree):
            if used not in own:
                uses.setdefault(used, []).append(f"{name}:{line}")
    for place, overridden in _overridden():
        if overridden not in DOCUMENTED:
            uses.setdefault(overridden, []).append(place)
    counted = tuple(f"{name}: {', '.join(places)}" for name, places in sorted(uses.items()))
    return Figure("private names of libraries", len(uses), counted)


def figures() -> list[Figure]:
    """Every row of the table."""
    return [*sizes(), *followed(), camera_field_files(), private_names()]


def main() -> None:
    """Print the table, and the lists if they are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.design", description=__doc__)
    parser.add_argument("--lists", action="store_true", help="print what was counted, too")
    wanted = parser.parse_args()
    rows = figures()
    print("| | at first | limit | now | |\n|---|--:|--:|--:|---|")
    for row in rows:
        before = "\N{EN DASH}" if row.before is None else f"{row.before:,}"
        limit = "\N{EN DASH}" if row.limit is None else f"≤ {row.limit:,}"
        verdict = "" if row.limit is None else "met" if row.is_met else "**MISSED**"
        print(f"| {row.name} | {before} | {limit} | {row.value:,} | {verdict} |")
    for row in rows if wanted.lists else ():
        if row.counted:
            print(f"\n{row.name}:", *row.counted, sep="\n  ")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def _name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def _functions() -> Iterator[tuple[str, int]]:
    """Every function of app/ by its place, with the number of its lines."""
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield f"{_name(path)}:{node.lineno} {node.name}", lines


def _listed(node: ast.AST) -> set[str]:
    """The names that a literal, a call, a class body or a piece of SQL lists."""
    listed: list[object] = []
    match node:
        case ast.Tuple() | ast.List() | ast.Set():
            listed = [getattr(each, "value", None) for each in node.elts]
        case ast.Dict():
            listed = [getattr(each, "value", None) for each in node.keys]
        case ast.Call():
            listed = [each.arg for each in node.keywords]
            listed += [getattr(each, "value", getattr(each, "attr", None)) for each in node.args]
        case ast.ClassDef():
            targets = [
                getattr(each, "targets", [getattr(each, "target", None)]) for each in node.body
            ]
            listed = [getattr(each, "id", None) for some in targets for each in some]
        case ast.Constant(value=str(text)) if re.search(r"\b(SELECT|INSERT|UPDATE)\b", text):
            listed = list(re.findall(r"\w+", text))
    return {each for each in listed if isinstance(each, str)}


def _is_private(name: str) -> bool:
    return (
        name.isidentifier()
        and name.startswith("_")
        and name.strip("_") != ""
        and name[-2:] != "__"
    )


def _defined(tree: ast.AST) -> Iterator[str]:
    """The names that a module defines: of functions, classes, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


def _used(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each use of a private name, in an import or a string too."""
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in (node for node in ast.walk(tree) if id(node) not in parts):
        match node:
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if _is_private(name):
                yield node.lineno, name
            case ast.Import() | ast.ImportFrom(level=0):
                for alias in node.names:
                    full = f"{getattr(node, 'module', '')}.{alias.name}"
                    yield from (
                        (node.lineno, part) for part in full.split(".") if _is_private(part)
                    )


def _overridden() -> Iterator[tuple[str, str]]:
    """Place and name of each method that overrides a private one of a library."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and value.__module__ == module.name:
                for name, method in vars(value).items():
                    bases = [base for base in value.__mro__[1:] if name in vars(base)]
                    theirs = [base for base in bases if base.__module__.split(".")[0] != "app"]
                    if _is_private(name) and inspect.isfunction(method) and theirs:
                        yield f"{module.name}.{value.__name__}", name


if __name__ == "__main__":
    main()
