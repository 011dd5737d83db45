"""What does a list of cameras change in the registry? A camera is known by its folder."""

from collections import defaultdict
from typing import NamedTuple

from ..models import Row
from ..storage.safe_open import normalise
from . import audit


class Change(NamedTuple):
    """A ``camera`` that is there, and ``changes``: field → ``{"old": …, "new": …}``."""

    camera: Row
    changes: Row


class Plan(NamedTuple):
    """The entries that are ``new``, what changes, and how many cameras stay as they are."""

    new: list[Row]
    changed: list[Change]
    unchanged: int


def plan(entries: list[Row], cameras: list[Row], base: str) -> Plan:
    """What makes the ``cameras`` hold every one of the ``entries``; none is removed.

    Folders are compared as they lie below ``base``. Where several cameras share one, those of the
    same name belong together, then those that are left in their order. The status is only where a
    new camera begins: of a known one the uploads tell. Applied twice, it changes nothing.
    """
    known: dict[str, list[Row]] = defaultdict(list)
    for camera in cameras:
        known[normalise(base, camera["folder_path"])].append(camera)
    left = [entry for entry in entries if not _take(known, entry, base)]
    new: list[Row] = []
    changed: list[Change] = []
    for entry in left:
        sharing = known[normalise(base, entry["folder_path"])]
        if not sharing:
            new.append(entry)
            continue
        camera = sharing.pop(0)
        changed.append(Change(camera, audit.differences(camera, {"name": entry["name"]})))
    return Plan(new, changed, len(entries) - len(left))


def _take(known: dict[str, list[Row]], entry: Row, base: str) -> bool:
    """Whether the entry is there already; its camera is taken, so that no other entry meets it."""
    sharing = known[normalise(base, entry["folder_path"])]
    for number, camera in enumerate(sharing):
        if camera["name"] == entry["name"]:
            del sharing[number]
            return True
    return False
