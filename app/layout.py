"""Where are the program's own files, where is its data, and which command runs it?

The program runs in two layouts: in a checkout of the repository, where it is the package ``app``
beside `migrations/` and `wsgi.py`, and installed from a wheel, where it is ``nvr_cameras``.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "nvr-cameras"
PACKAGE = Path(__file__).resolve().parent
PROJECT = PACKAGE.parent
IS_INSTALLED = __name__.partition(".")[0] == "nvr_cameras"
_INSIDE = PACKAGE / "migrations"
# An editable install has the installed name, and its files are the checkout's.
MIGRATIONS = _INSIDE if _INSIDE.is_dir() else PROJECT / "migrations"
# What messages tell a person to type before the name of a command, and to start the service.
COMMAND = NAME if IS_INSTALLED else "flask --app wsgi"
START = f"{NAME} run" if IS_INSTALLED else "wsgi.py"


def command_anywhere() -> tuple[str, ...]:
    """What stands before the name of a command in any working directory, whatever PATH says."""
    if IS_INSTALLED:
        return (sys.executable, "-m", "nvr_cameras")
    return (sys.executable, "-m", "flask", "--app", f"{PROJECT}/wsgi.py")


def data_folder(environ: Mapping[str, str], is_installed: bool = IS_INSTALLED) -> Path:
    """The folder of the database where no setting names one; it need not exist.

    ``instance/`` in a checkout. Installed: systemd's state directory (systemd.exec(5),
    ``StateDirectory=``; the first where there are several), else ``nvr-cameras`` below
    ``XDG_STATE_HOME``, which by default is ``~/.local/state`` and counts only if it is absolute
    (XDG Base Directory Specification). Raises `RuntimeError` where the user has no home.
    """
    if not is_installed:
        return PROJECT / "instance"
    if folder := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(folder)
    state = Path(environ.get("XDG_STATE_HOME", ""))
    home = Path(environ.get("HOME") or Path.home())
    return (state if state.is_absolute() else home / ".local" / "state") / NAME
