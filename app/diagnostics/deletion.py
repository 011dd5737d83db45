"""May the service delete a camera's pictures? Retention needs that right, nothing else does."""

import os
import shlex
import stat
from functools import partial

from .. import unit
from ..services.health import DEGRADED, HEALTHY, Check
from ..storage import safe_open
from ..storage.folders import Folders
from ..storage.safe_open import FolderNotFound, OutsideBase, StorageNotAnswering
from ..storage.scan import MAX_DEPTH, ask_entry, entries, is_housekeeping
from .folder_access import service_user

# At most so many folders of a camera are checked.
MOST_FOLDERS = 1000
NOT_WRITABLE = (
    "{user} may not delete what is in {folder}. Retention needs that right; nothing else does. "
    "Give it: setfacl -R -m u:{user}:rwX,d:u:{user}:rwX {quoted}"
)
STICKY = NOT_WRITABLE.replace("setfacl", "chmod -t {quoted} && setfacl")
READ_ONLY = (
    "{folder} is mounted read-only, so nothing can be deleted there. Retention needs that right; "
    "nothing else does. Mount it with the option rw, and export a share so that it can be written."
)


def check_deletion(base: str, folder_path: str, folders: Folders, has_limit: bool) -> Check:
    """Whether pictures of the camera could be deleted; a warning only where retention is on.

    ``has_limit``: whether a limit of retention is in effect for the camera. The message is empty
    where nothing is wrong, or where the folder cannot be read, which another check reports.
    """
    status = DEGRADED if has_limit else HEALTHY
    if remedy := unit.how_to_delete(base):
        return Check(status, remedy)
    try:
        find = partial(_closed_folder, base, folder_path)
        folder = folders.ask(find, base, folder_path)
    except (FolderNotFound, OutsideBase, StorageNotAnswering):
        folder = None
    if folder is None:
        return Check(HEALTHY, "")
    path, message = folder
    quoted = shlex.quote(path)
    return Check(status, message.format(user=service_user(), folder=path, quoted=quoted))


def _closed_folder(base: str, folder_path: str) -> tuple[str, str] | None:
    """The first of at most `MOST_FOLDERS` folders in which this process may not delete files, and
    the message about it.
    """
    root, pending, seen = safe_open.open_folder(base, folder_path), [list[str]()], 0
    try:
        while pending and seen < MOST_FOLDERS:
            components, seen = pending.pop(), seen + 1
            try:
                folder = safe_open.open_below(root, components)
            except (FolderNotFound, OutsideBase):
                continue  # diagnostics reports folders that may not be read
            try:
                if message := _why_closed(folder):
                    return safe_open.real_path(folder), message
                if len(components) < MAX_DEPTH:
                    pending += [[*components, name] for name in _subfolders(folder)]
            finally:
                os.close(folder)
    finally:
        os.close(root)
    return None


def _why_closed(folder: int) -> str | None:
    """The message where the user may not delete here; None where it may.

    If the folder has the sticky bit, only its owner may delete the files of others (unlink(2)).
    """
    if os.fstatvfs(folder).f_flag & os.ST_RDONLY:
        return READ_ONLY
    status, user = os.fstat(folder), os.geteuid()
    if status.st_mode & stat.S_ISVTX and user not in (0, status.st_uid):
        return STICKY
    is_open = os.access(".", os.W_OK | os.X_OK, dir_fd=folder, effective_ids=True)
    return None if is_open else NOT_WRITABLE


def _subfolders(folder: int) -> list[str]:
    return [
        entry.name
        for entry in entries(folder)
        if ask_entry(entry.is_dir) and not is_housekeeping(entry.name)
    ]
