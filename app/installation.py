"""Which service belongs to this installation, and which settings does it have?

A command of a shell has to use the same settings as the service, which may get them from its
unit, from a ``.env`` file or from the shell that started it.
"""

import fcntl
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from dotenv import dotenv_values

from . import layout

# Beside wsgi.py; of an installed program, in the working directory.
ENV_FILE = Path(".env") if layout.IS_INSTALLED else layout.PROJECT / ".env"
UNIT_FILE = Path(f"/etc/systemd/system/{layout.NAME}.service")
# ``RuntimeDirectory=`` of the unit.
RUNTIME_FOLDER = Path("/run", layout.NAME)
RECORD_NAME = "service.json"
DATABASE = "NVR_DATABASE_URL"
# What the commands need of the service's settings; none of it is secret.
RECORDED = (
    *("NVR_FOSCAM_BASE_PATH", DATABASE, "NVR_DATABASE_ANYWHERE", "NVR_MAX_PICTURE_BYTES"),
    *("NVR_RETENTION_DAYS", "NVR_RETENTION_ROWS", "NVR_AUDIT_RETENTION_DAYS"),
    *("NVR_OFFLINE_AFTER_SECONDS", "NVR_KEEP_DAYS", "NVR_KEEP_BYTES", "NVR_KEEP_FREE_BYTES"),
    *("NVR_TIMEZONE", "NVR_WALL_TITLE", "NVR_WALL_REFRESH_SECONDS", "NVR_WATCH"),
)
# The folders that ``ProtectHome=`` hides (systemd.exec(5)), and its values that hide them.
HOMES = ("/home", "/root", "/run/user")
HIDING = ("yes", "true", "on", "1", "tmpfs")


@dataclass
class Unit:
    """What the installed unit sets, if it starts this installation; else all is empty.

    ``shown``: the folders that it shows the service although ``protect_home`` hides them.
    """

    environment: dict[str, str] = field(default_factory=dict)
    protect_home: str = ""
    shown: list[str] = field(default_factory=list)

    def hides(self, path: str) -> str | None:
        """The folder above ``path`` that ``ProtectHome=`` hides from the service, or None."""
        is_shown = any(_is_below(path, folder) for folder in self.shown)
        return _home_of(path) if self.protect_home in HIDING and not is_shown else None


class Record(NamedTuple):
    """The settings that the service wrote down at its latest start; whether it still runs."""

    settings: dict[str, str]
    is_running: bool


class CommandSettings(NamedTuple):
    """The environment for a command; what names the database, empty for the environment."""

    environ: dict[str, str]
    source: str


def service_environment() -> dict[str, str]:
    """The process's environment, and the settings of ``.env`` that it does not set."""
    return {**env_file(ENV_FILE), **os.environ}


def command_settings() -> CommandSettings:
    """The settings of the service that this installation runs, or would run.

    The environment comes first, and if it names the database, only what the service itself would
    read. Otherwise follow: what the running service wrote down, its unit, ``.env``, and what the
    service wrote down before it stopped.
    """
    own, record, unit = env_file(ENV_FILE), read_record(), read_unit()
    # `flask` puts what .env sets into the environment itself.
    given = {n: v for n, v in os.environ.items() if not n.startswith("NVR_") or own.get(n) != v}
    if DATABASE in given:
        return CommandSettings({**own, **given}, "")
    sources = [(str(ENV_FILE), own), (str(UNIT_FILE), unit.environment)]
    written = ("the service wrote down at its start", record.settings)
    sources.insert(len(sources) if record.is_running else 0, written)
    source, merged = "is the default", dict[str, str]()
    for name, settings in sources:
        merged |= settings
        if DATABASE in settings:
            source = name if settings is record.settings else f"{name} names"
    return CommandSettings({**merged, **given}, source)


def env_file(path: Path | str) -> dict[str, str]:
    """The settings in a file of lines ``NAME=value``; none where it cannot be read."""
    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: v for name, v in values.items() if name.startswith("NVR_") and v is not None}


def read_unit() -> Unit:
    """The unit that is installed for systemd, with what ``systemctl edit`` changed.

    One that starts another installation does not count.
    """
    unit, starts_this = Unit(), False
    for name, value in _directives():
        if name == "ExecStart":
            here = f"{sys.prefix}/", f"{layout.PROJECT}/"
            starts_this = starts_this or any(folder in value for folder in here)
        elif name == "Environment":
            pairs = [word.partition("=") for word in shlex.split(value)]
            unit.environment |= {key: text for key, _, text in pairs if key.startswith("NVR_")}
        elif name == "EnvironmentFile":
            unit.environment |= env_file(value.removeprefix("-"))
        elif name == "ProtectHome":
            unit.protect_home = value.lower()
        elif name in ("BindPaths", "BindReadOnlyPaths"):
            # `-SOURCE:DESTINATION:OPTIONS`; the destination is what the service sees.
            parts = [word.lstrip("-").split(":") for word in value.split()]
            unit.shown += [part[min(1, len(part) - 1)] for part in parts]
    return unit if starts_this else Unit()


def _directives() -> list[tuple[str, str]]:
    """Every ``Name=value`` of the unit and its drop-ins; environment files come last."""
    found: list[tuple[str, str]] = []
    for path in (UNIT_FILE, *sorted(Path(f"{UNIT_FILE}.d").glob("*.conf"))):
        try:
            text = path.read_text().replace("\\\n", " ")
        except (OSError, UnicodeDecodeError):
            continue
        found += re.findall(r"^(\w+)=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE)
    return sorted(found, key=lambda each: each[0] == "EnvironmentFile")


def write_record(config: Mapping[str, Any]) -> int | None:
    """Write the settings that commands need into a file of this user alone.

    The descriptor that is returned keeps the file locked: one that is not locked is of a service
    that has ended. None where it cannot be written, as in the folder of another user.
    """
    names = [name for name in RECORDED if name in config["SET_BY_ENVIRONMENT"]]
    settings = {name: str(config[name]) for name in names}
    settings[DATABASE] = f"sqlite:///{quote(config[DATABASE])}"
    try:
        folder = _runtime_folder() or layout.data_folder(os.environ)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = folder / f".{RECORD_NAME}.{os.getpid()}"
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.write(file, json.dumps({"package": str(layout.PACKAGE), "settings": settings}).encode())
        new.rename(folder / RECORD_NAME)
    except (OSError, RuntimeError):  # the latter where the user has no home
        return None
    return file


def read_record() -> Record:
    """What the service of this installation wrote down; a running one's where there are two."""
    folders = [_runtime_folder() or RUNTIME_FOLDER]
    with suppress(RuntimeError):  # this user has no home
        folders.append(layout.data_folder(os.environ))
    records = [record for folder in folders if (record := _read_record(folder))]
    records.sort(key=lambda record: not record.is_running)
    return records[0] if records else Record({}, is_running=False)


def _runtime_folder() -> Path | None:
    """The first folder of the unit's ``RuntimeDirectory=``, as systemd names it to the service."""
    name = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(name) if name else None


def _read_record(folder: Path) -> Record | None:
    try:
        with (folder / RECORD_NAME).open() as file:
            document = json.load(file)
            if document["package"] != str(layout.PACKAGE):
                return None
            settings = document["settings"]
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return Record(settings, is_running=True)
            return Record(settings, is_running=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def hidden_by_home(path: str) -> str | None:
    """The folder above ``path`` that ``ProtectHome=`` hides from this process, or None.

    systemd mounts a folder that nobody may enter over it (``yes``), or one that is empty and
    read-only (``tmpfs``).
    """
    home = _home_of(path)
    try:
        if home is None or not os.path.ismount(home):
            return None
        if os.stat(home).st_mode & 0o777 == 0:
            return home
        with os.scandir(home) as entries:
            is_read_only = os.statvfs(home).f_flag & os.ST_RDONLY
            return home if is_read_only and not any(entries) else None
    except OSError:
        return None


def how_to_show(path: str, home: str) -> str:
    """What to do about a folder that ``ProtectHome=`` hides."""
    return (
        f"ProtectHome= of the service's unit hides {home} from it, and so {path}. Type systemctl "
        f"edit {layout.NAME}, write the three lines [Service], ProtectHome=tmpfs and "
        f"BindReadOnlyPaths={path}, then type systemctl restart {layout.NAME}."
    )


def how_to_write(path: str) -> str:
    """What to do if systemd started this process and its unit keeps it from writing to ``path``.

    Empty for a process that systemd did not start with ``Type=notify``.
    """
    if "NOTIFY_SOCKET" not in os.environ:
        return ""
    folder = os.path.dirname(path)
    return (
        f". The unit lets the service write to its StateDirectory= only. Give {folder} to the "
        f"service's user with chown, type systemctl edit {layout.NAME}, write the two lines "
        f"[Service] and ReadWritePaths={folder}, then type systemctl restart {layout.NAME}."
    )


def _home_of(path: str) -> str | None:
    return next((home for home in HOMES if _is_below(path, home)), None)


def _is_below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")
