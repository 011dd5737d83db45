"""Which service belongs to this installation, and which settings does it have?

A command of a shell has to use the same settings as the service, which may get them from its
unit, from a ``.env`` file or from the shell that started it.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from . import layout
from .unit import env_file, read_unit

# Beside wsgi.py; of an installed program, in the working directory.
ENV_FILE = Path(".env") if layout.IS_INSTALLED else layout.PROJECT / ".env"
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


class Record(NamedTuple):
    """The settings that the service wrote at its latest start, and whether it still runs."""

    settings: dict[str, str]
    is_running: bool


class CommandSettings(NamedTuple):
    """The environment for a command, and which source names the database, if not that."""

    environ: dict[str, str]
    source: str


def service_environment() -> dict[str, str]:
    """The process's environment, and the settings of ``.env`` that it does not set."""
    return {**_own_file(), **os.environ}


def command_settings() -> CommandSettings:
    """The settings of the service that this installation runs, or would run.

    The environment comes first, and if it names the database, only what the service itself would
    read. Otherwise follow the record of the running service, its unit, ``.env``, and the record of
    a service that has stopped.
    """
    own, record, unit = _own_file(), read_record(), read_unit()
    # `flask` puts what .env sets into the environment itself.
    given = {n: v for n, v in os.environ.items() if not n.startswith("NVR_") or own.get(n) != v}
    if DATABASE in given:
        return CommandSettings({**own, **given}, "")
    sources = [(str(ENV_FILE), own), (unit.path, unit.environment)]
    written = ("the service wrote down at its start", record.settings)
    sources.insert(len(sources) if record.is_running else 0, written)
    source, merged = "is the default", dict[str, str]()
    for name, settings in sources:
        merged |= settings
        if DATABASE in settings:
            source = name if settings is record.settings else f"{name} names"
    return CommandSettings({**merged, **given}, source)


def write_record(config: Mapping[str, Any]) -> int | None:
    """Write the settings that commands need into a file that only this user can read.

    The descriptor that is returned keeps the file locked; a file without a lock belongs to a
    service that has ended. None if the file cannot be written, as in another user's folder.
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
    """The record of this installation's service; of two, that of the running one."""
    folders = [_runtime_folder() or RUNTIME_FOLDER]
    with suppress(RuntimeError):  # this user has no home
        folders.append(layout.data_folder(os.environ))
    records = [record for folder in folders if (record := _read_record(folder))]
    records.sort(key=lambda record: not record.is_running)
    return records[0] if records else Record({}, is_running=False)


def _own_file() -> dict[str, str]:
    """The settings in ``.env``, unless Flask's own variable says that it does not count."""
    is_skipped = os.environ.get("FLASK_SKIP_DOTENV", "0").lower() not in ("0", "false", "no", "")
    return {} if is_skipped else env_file(ENV_FILE)


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
