"""Why can a camera's folder not be listed, and what should a person do about it?"""

import os
import pwd
import shlex
from collections.abc import Callable

from .folder_access import Reach


def outside_base(_: Reach, base: str) -> str:
    """Nothing outside the base path is looked at."""
    return (
        f"The folder is not inside the base path {base}, so nothing of it is looked at or "
        "shown. Change folder_path to a folder inside the base path."
    )


def link_on_the_way(reach: Reach, _: str) -> str:
    """Links below the base are never followed."""
    return (
        f"{reach.at} is a link, and links below the base path are never followed. Put a "
        "folder in its place (mount --bind shows another one there), or change folder_path to "
        "where the link leads if that is inside the base path."
    )


def base_path_missing(_: Reach, base: str) -> str:
    """All cameras share this one."""
    return (
        f"The base path {base} does not exist or may not be entered. Create or mount it, "
        "or set NVR_FOSCAM_BASE_PATH to where the cameras upload; no restart is needed after "
        "the folder has appeared."
    )


def folder_missing(reach: Reach, _: str) -> str:
    """Perhaps its name is only spelt differently."""
    names = " or ".join(f"“{name}”" for name in reach.similar)
    if names:
        return (
            f"There is no folder {reach.at}, but there is {names}. If that is where the "
            "camera uploads, change folder_path to it."
        )
    return (
        f"There is no folder {reach.at}. Create it so that the camera's FTP user may write "
        f"there and the service's user {service_user()} may read: install -d -m 755 -o FTP_USER "
        f"{shlex.quote(reach.folder)}"
    )


def not_a_folder(reach: Reach, _: str) -> str:
    """A file has taken its name."""
    return (
        f"{reach.at} is a file where a folder is needed. Move it away and create the "
        "folder, or change folder_path."
    )


def not_readable(reach: Reach, _: str) -> str:
    """Rights are missing."""
    at = shlex.quote(reach.at)
    return (
        f"The service's user {service_user()} may not read {reach.at}. Let it, with chmod o+rx "
        f"{at} or setfacl -m u:{service_user()}:rx {at}"
    )


def folder_unavailable(reach: Reach, _: str) -> str:
    """The disk, the network or the mount."""
    return (
        f"{reach.at} cannot be opened: {reach.reason}. Check the disk or the network "
        "that it lies on, and whether it is mounted."
    )


def service_user() -> str:
    """The name of the user that the service runs as, or its number where it has no name."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# By the words of `Reach.obstacle`; each takes the base path too.
OBSTACLES: dict[str, Callable[[Reach, str], str]] = {
    sentence.__name__: sentence
    for sentence in (
        outside_base,
        link_on_the_way,
        base_path_missing,
        folder_missing,
        not_a_folder,
        not_readable,
        folder_unavailable,
    )
}
