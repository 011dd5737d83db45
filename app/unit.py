"""How does systemd start the service, and what does its unit hide from it?

A unit may lie in several folders, and ``systemctl edit`` changes it by files beside it
(systemd.unit(5)).
"""

import os
import re
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from . import layout

# Where systemd looks for units; the first folder that has one counts (systemd.unit(5)).
FOLDERS = tuple(
    Path(folder, "systemd/system")
    for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
UNIT = f"{layout.NAME}.service"
# The folders that ``ProtectHome=`` hides (systemd.exec(5)), and its values that hide them.
HOMES = ("/home", "/root", "/run/user")
HIDING = ("yes", "true", "on", "1", "tmpfs")
DELETION = (
    "The service's unit lets it only read {path}. Retention needs the right to delete there; "
    f"nothing else does. To give it, type systemctl edit {layout.NAME}, write the three lines "
    f"[Service], ReadOnlyPaths= and ReadWritePaths={{path}}, then type systemctl restart "
    f"{layout.NAME}."
)


@dataclass
class Unit:
    """What the installed unit sets, if it starts this installation; else all is empty.

    ``path``: its file; ``shown``: the folders that it shows the service although
    ``protect_home`` hides them; ``access``: whether the service may write below a path.
    """

    path: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    protect_home: str = ""
    shown: list[str] = field(default_factory=list)
    access: dict[str, bool] = field(default_factory=dict)

    def hides(self, path: str) -> str | None:
        """The folder above ``path`` that ``ProtectHome=`` hides from the service, or None."""
        is_shown = any(_is_below(path, folder) for folder in self.shown)
        return _home_of(path) if self.protect_home in HIDING and not is_shown else None

    def makes_read_only(self, path: str) -> bool:
        """Whether the service may not write to ``path``: the nearest folder above it decides."""
        above = [folder for folder in self.access if _is_below(path, folder)]
        return bool(above) and not self.access[max(above, key=len)]


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
    path = next((folder / UNIT for folder in FOLDERS if (folder / UNIT).exists()), None)
    if path is None:
        return Unit()
    found = _directives(path)
    here = f"{sys.prefix}/", f"{layout.PROJECT}/"
    if not any(folder in command for command in found.get("ExecStart", []) for folder in here):
        return Unit()
    unit = Unit(str(path), protect_home=found.get("ProtectHome", [""])[-1].lower())
    for value in found.get("Environment", []):
        with suppress(ValueError):  # a quotation mark is missing
            pairs = [word.partition("=") for word in shlex.split(value)]
            unit.environment |= {key: text for key, _, text in pairs if key.startswith("NVR_")}
    for value in found.get("EnvironmentFile", []):
        unit.environment |= env_file(value.removeprefix("-"))
    for value in [*found.get("BindPaths", []), *found.get("BindReadOnlyPaths", [])]:
        # `-SOURCE:DESTINATION:OPTIONS`; the destination is what the service sees.
        parts = [word.lstrip("-").split(":") for word in value.split()]
        unit.shown += [part[min(1, len(part) - 1)] for part in parts]
    unit.access = _access(found)
    return unit


def _access(found: dict[str, list[str]]) -> dict[str, bool]:
    """Whether the service may write, by path; a folder inside another one overrides it."""
    access = {"/": False} if found.get("ProtectSystem", [""])[-1].lower() == "strict" else {}
    for directive in ("ReadWritePaths", "ReadOnlyPaths"):
        for value in found.get(directive, []):
            paths = [word.lstrip("-+") for word in value.split()]
            access |= dict.fromkeys(paths, directive == "ReadWritePaths")
    return access


def _directives(path: Path) -> dict[str, list[str]]:
    """The values of each directive of the unit and its drop-ins since the last empty one.

    Drop-ins apply in the order of their names; of two with the same name, that of the first
    folder.
    """
    drop_ins = {
        file.name: file
        for folder in reversed(FOLDERS)
        for file in (folder / f"{UNIT}.d").glob("*.conf")
    }
    found: dict[str, list[str]] = {}
    for file in (path, *(drop_ins[name] for name in sorted(drop_ins))):
        with suppress(OSError, UnicodeDecodeError):
            text = file.read_text().replace("\\\n", " ")
            for name, value in re.findall(
                r"^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE
            ):
                found[name] = [*found.get(name, []), value] if value else []
    return found


def hidden_by_home(path: str) -> str | None:
    """The folder above ``path`` that ``ProtectHome=`` hides from this process, or None.

    systemd mounts a folder over it: one without any rights (``yes``), or an empty, read-only one
    (``tmpfs``).
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


def how_to_delete(path: str) -> str:
    """What to do if the installed unit keeps the service from deleting below ``path``."""
    return DELETION.format(path=path) if read_unit().makes_read_only(path) else ""


def _home_of(path: str) -> str | None:
    return next((home for home in HOMES if _is_below(path, home)), None)


def _is_below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")
