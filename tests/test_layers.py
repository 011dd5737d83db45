"""Do imports point one way, and does only one module open files?"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
# A room may import from itself and from the rooms above it in this list. Files that lie directly
# in app/ are in the rooms of `ROOM_OF_FILE`.
ROOMS = (
    *("foundations", "storage", "images", "db", "models", "services", "pictures"),
    *("mqtt", "notify"),
    *(
        "diagnostics",
        "schemas",
        "access",
        "web",
        "errors",
        "telemetry",
        "api",
        "cli",
        "server",
        "app",
    ),
)
ROOM_OF_FILE = {
    "foundations": {
        "clock",
        "config",
        "environment",
        "installation",
        "layout",
        "logs",
        "parsers",
        "problems",
        "serialization",
        "unit",
    },
    "errors": {"errors"},
    "app": {"__main__"},
}
# What the parts that are set up with the app need of Flask: no request.
FLASK = {"flask.Flask"}
# What chooses the picture.
CHOOSING = (
    "app.storage.safe_open",
    "app.storage.scan",
    "app.storage.formats",
    "app.storage.snapshots",
)
OPENERS = {"open", "fdopen", "openat", "open_code", "read_text", "read_bytes", "write_text"}
OPENERS |= {"write_bytes", "touch", "mkstemp", "NamedTemporaryFile", "TemporaryFile"}
# `db.files` opens the locks and copies beside the database, `installation` what the
# service wrote down, `unit` what an administrator wrote, `clock` the system's time zone,
# `pictures.export` the copies for an operator; none of them opens a file of the cameras.
OPEN_FILES = {
    *("app.storage.safe_open", "app.db.files", "app.installation", "app.unit"),
    *("app.clock", "app.pictures.export"),
}
FOLLOW_NAMES = {"app.storage.safe_open", "app.layout", "app.unit", "app.clock"}
# What belongs to an extra may be missing: a module, and what it tries to import after the rest.
OPTIONAL_IMPORTS = {
    "app.images.resize": [
        "from PIL import Image, ImageOps, PngImagePlugin",
        "from PIL.JpegImagePlugin import get_sampling",
    ],
    "app.notify.apprise_process": [
        "import apprise",
        "from apprise.attachment.memory import AttachMemory",
    ],
}
# A service without an MQTT broker spends no memory on MQTT: the server imports it when needed.
LAZY_IMPORTERS = {"app.server.main"}
# Pillow's name for decoding what has been read already.
IN_MEMORY = "Image.open(io.BytesIO("
# To look a name up is not to open it: what it means may have changed in between.
FOLLOWERS = {"realpath", "readlink", "resolve", "walk", "fwalk", "listdir", "glob", "rglob"}
# What only SQLite says, and a way around peewee's queries.
SQLITE_WORDS = ("PRAGMA", "INDEXED BY", "instr(", "char(10)", "random()", "execute_sql")
RECORD = """
import importlib, os, pkgutil, sys
made = []
def note(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & (os.O_ACCMODE | os.O_CREAT):
        made.append(args[0])
    if event in ("os.mkdir", "os.rename", "os.symlink", "sqlite3.connect", "socket.bind"):
        made.append(event)
sys.addaudithook(note)
import app
for module in pkgutil.walk_packages(app.__path__, "app."):
    importlib.import_module(module.name)
import wsgi
print(made)
"""


def module_of(path):
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


class Absolute(ast.NodeTransformer):
    """Writes the relative imports of a module in ``package`` with their full names."""

    def __init__(self, package):
        self.package = package.split(".")

    def visit_ImportFrom(self, node):
        assert node.level or node.module.split(".")[0] != "app", "imports inside app are relative"
        if node.level:
            above = self.package[: len(self.package) - node.level + 1]
            node.module = ".".join([*above, *([node.module] if node.module else [])])
            node.level = 0
        return node


def parsed(path):
    module = module_of(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return Absolute(package).visit(ast.parse(path.read_bytes()))


TREES = {module_of(path): parsed(path) for path in PROJECT.glob("app/**/*.py")}


def imports(tree):
    """The full name of everything that is imported, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(module):
    """The app's modules that ``module`` imports from."""
    for name in imports(TREES[module]):
        if name.split(".")[0] == "app":
            yield name if name in TREES else name.rpartition(".")[0]


def called(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def room_of(module):
    """The room that ``module`` is in: its package, or the one that `ROOM_OF_FILE` names."""
    name = module.removeprefix("app").removeprefix(".").split(".")[0]
    if not name:
        return "app"
    return next((room for room, files in ROOM_OF_FILE.items() if name in files), name)


def rank(module):
    return ROOMS.index(room_of(module))


def test_every_module_is_in_a_room():
    assert {room_of(module) for module in TREES} == set(ROOMS)


@pytest.mark.parametrize("module", TREES)
def test_imports_point_one_way(module):
    upwards = [other for other in own_imports(module) if rank(other) > rank(module)]
    assert upwards == []


def test_the_modules_of_the_storage_import_only_from_those_listed_above_them():
    text = (PROJECT / "docs/architecture.md").read_text().partition("modules of `app/storage/`")[2]
    rows = re.findall(r"^\| (`.*`) \|", text.partition("\n\nA file is")[0], re.MULTILINE)
    listed = [f"app.storage.{name}" for row in rows for name in re.findall(r"`(\w+)\.py`", row)]
    in_storage = {module for module in TREES if module.startswith("app.storage.")}
    assert sorted(listed) == sorted(in_storage), "the table in docs/architecture.md is incomplete"
    for place, module in enumerate(listed):
        assert set(own_imports(module)) & in_storage <= set(listed[:place]), module


@pytest.mark.parametrize("module", TREES)
def test_imports_stand_at_the_top(module):
    tree = TREES[module]
    everywhere = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert tree.body[1 : 1 + len(top)] == top
    optional = OPTIONAL_IMPORTS.get(module, [])
    assert [ast.unparse(node) for node in everywhere if node not in top] == optional
    assert "__import__" not in called(tree)
    assert module in LAZY_IMPORTERS or "importlib" not in list(imports(tree))


@pytest.mark.parametrize("module", TREES)
def test_the_lower_rooms_do_not_know_http(module):
    if rank(module) < ROOMS.index("schemas"):
        web = {"flask", "werkzeug", "flask_smorest", "webargs", "waitress"}
        known = {name for name in imports(TREES[module]) if name.split(".")[0] in web}
        assert known <= FLASK


@pytest.mark.parametrize("module", TREES)
def test_only_the_room_of_the_database_knows_that_it_is_sqlite(module):
    if room_of(module) != "db":
        known = {name.split(".")[0] for name in imports(TREES[module])}
        assert not known & {"playhouse", "sqlite3"}
        code = ast.unparse(TREES[module])
        assert [word for word in SQLITE_WORDS if word in code] == []


@pytest.mark.parametrize("module", TREES)
def test_only_the_data_layer_knows_the_database(module):
    if room_of(module) in ("foundations", "storage", "images", "schemas", "access", "web", "api"):
        known = {name.split(".")[0] for name in imports(TREES[module])}
        assert not known & {"peewee", "playhouse", "sqlite3"}


@pytest.mark.parametrize(
    "module",
    ["app.storage.safe_open", "app.storage.scan", "app.storage.formats", "app.storage.snapshots"],
)
def test_the_choice_of_the_picture_needs_only_the_standard_library(module):
    packages = {name.split(".")[0] for name in imports(TREES[module])}
    assert packages <= sys.stdlib_module_names | {"app"}


@pytest.mark.parametrize("module", sorted(set(TREES) - OPEN_FILES))
def test_only_safe_open_opens_files(module):
    code = ast.unparse(TREES[module]).replace(IN_MEMORY, "Image(io.BytesIO(")
    assert not OPENERS & set(called(ast.parse(code)))


@pytest.mark.parametrize("module", sorted(set(TREES) - FOLLOW_NAMES))
def test_nobody_else_follows_names(module):
    own = {"walk"} if "app.storage.scan.walk" in imports(TREES[module]) else set()
    assert not (FOLLOWERS - own) & set(called(TREES[module]))


def test_the_search_for_openers_finds_them():
    code = "open(a); io.open(a); os.open(a); Path(a).open(); opener = os.open; p.read_bytes()"
    assert [name for name in called(ast.parse(code)) if name in OPENERS].count("open") == 5
    assert "open" in set(called(TREES["app.storage.safe_open"]))


@pytest.mark.parametrize("module", TREES)
def test_every_module_says_what_it_is_for(module):
    assert ast.get_docstring(TREES[module]).splitlines()[0].strip()


def test_importing_the_app_creates_no_file(tmp_path, environ):
    result = subprocess.run(
        [sys.executable, "-B", "-c", RECORD],
        cwd=tmp_path,
        env=os.environ | environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "[]\n"
    assert os.listdir(tmp_path) == ["base"]
