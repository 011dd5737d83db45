"""Do imports point one way, and does only one module open files?"""

import ast
import os
import re
import subprocess
import sys
from functools import cache
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


@cache
def trees():
    """The syntax tree of each module of the app, by its name."""
    return {module_of(path): parsed(path) for path in PROJECT.glob("app/**/*.py")}


@cache
def nodes(module):
    """Every node of the module's tree."""
    return list(ast.walk(trees()[module]))


@cache
def code(module):
    """The module without its comments."""
    return ast.unparse(trees()[module])


@cache
def imports(module):
    """The full name of everything that is imported, ``from a import b`` as ``a.b``."""
    names = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(module):
    """The packages that ``module`` imports from."""
    return {name.split(".")[0] for name in imports(module)}


def own_imports(module):
    """The app's modules that ``module`` imports from."""
    for name in imports(module):
        if name.split(".")[0] == "app":
            yield name if name in trees() else name.rpartition(".")[0]


def called(found):
    for node in found:
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
    assert {room_of(module) for module in trees()} == set(ROOMS)


def test_imports_point_one_way():
    for module in trees():
        upwards = [other for other in own_imports(module) if rank(other) > rank(module)]
        assert upwards == [], module


def test_the_modules_of_the_storage_import_only_from_those_listed_above_them():
    text = (PROJECT / "docs/architecture.md").read_text().partition("modules of `app/storage/`")[2]
    rows = re.findall(r"^\| (`.*`) \|", text.partition("\n\nA file is")[0], re.MULTILINE)
    listed = [f"app.storage.{name}" for row in rows for name in re.findall(r"`(\w+)\.py`", row)]
    in_storage = {module for module in trees() if module.startswith("app.storage.")}
    assert sorted(listed) == sorted(in_storage), "the table in docs/architecture.md is incomplete"
    for place, module in enumerate(listed):
        assert set(own_imports(module)) & in_storage <= set(listed[:place]), module


def test_imports_stand_at_the_top():
    for module, tree in trees().items():
        kinds = ast.Import | ast.ImportFrom
        top = [node for node in tree.body if isinstance(node, kinds)]
        assert tree.body[1 : 1 + len(top)] == top, module
        below = [node for node in nodes(module) if isinstance(node, kinds) and node not in top]
        optional = OPTIONAL_IMPORTS.get(module, [])
        assert [ast.unparse(node) for node in below] == optional, module
        assert "__import__" not in called(nodes(module)), module
        assert module in LAZY_IMPORTERS or "importlib" not in imports(module), module


def test_the_lower_rooms_do_not_know_http():
    web = {"flask", "werkzeug", "flask_smorest", "webargs", "waitress"}
    for module in trees():
        if rank(module) < ROOMS.index("schemas"):
            known = {name for name in imports(module) if name.split(".")[0] in web}
            assert known <= FLASK, module


def test_only_the_room_of_the_database_knows_that_it_is_sqlite():
    for module in trees():
        if room_of(module) != "db":
            assert not packages(module) & {"playhouse", "sqlite3"}, module
            assert [word for word in SQLITE_WORDS if word in code(module)] == [], module


def test_only_the_data_layer_knows_the_database():
    others = ("foundations", "storage", "images", "schemas", "access", "web", "api")
    for module in trees():
        if room_of(module) in others:
            assert not packages(module) & {"peewee", "playhouse", "sqlite3"}, module


@pytest.mark.parametrize(
    "module",
    ["app.storage.safe_open", "app.storage.scan", "app.storage.formats", "app.storage.snapshots"],
)
def test_the_choice_of_the_picture_needs_only_the_standard_library(module):
    assert packages(module) <= sys.stdlib_module_names | {"app"}


def test_only_safe_open_opens_files():
    for module in set(trees()) - OPEN_FILES:
        tree = ast.parse(code(module).replace(IN_MEMORY, "Image(io.BytesIO("))
        assert not OPENERS & set(called(ast.walk(tree))), module


def test_no_other_module_follows_names():
    for module in set(trees()) - FOLLOW_NAMES:
        own = {"walk"} if "app.storage.scan.walk" in imports(module) else set()
        assert not (FOLLOWERS - own) & set(called(nodes(module))), module


def test_the_search_for_openers_finds_them():
    code = "open(a); io.open(a); os.open(a); Path(a).open(); opener = os.open; p.read_bytes()"
    found = called(ast.walk(ast.parse(code)))
    assert [name for name in found if name in OPENERS].count("open") == 5
    assert "open" in set(called(nodes("app.storage.safe_open")))


def test_every_module_says_what_it_is_for():
    for module, tree in trees().items():
        assert ast.get_docstring(tree).splitlines()[0].strip(), module


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
