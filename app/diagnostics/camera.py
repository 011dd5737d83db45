"""Why is a camera silent? What its folder holds, who else uses it, and what should be done."""

from datetime import datetime
from typing import NamedTuple

from ..models import Row
from ..storage.folders import Folders
from ..storage.newest_files import Candidate
from .advice import TROUBLES
from .candidate_checks import Trials, trials
from .facts import Facts
from .folder_access import Reach, place, reached
from .folder_advice import OBSTACLES
from .sanitise import legible, moment
from .survey import TEMPORARY_NAME, Bounds, File, Survey, survey

# Counting ends here; what is newest is known without it where the folder is watched.
BOUNDS = Bounds(pictures=10_000, seconds=1.0)


class Box(NamedTuple):
    """What the service is set to: its base path, what it knows of the folders, the largest
    picture in bytes, and after how many seconds a camera is silent, 0 for never.
    """

    base: str
    folders: Folders
    most_bytes: int
    offline_after: int


class Contents(NamedTuple):
    """What was found in a folder, and why it is polled, if it is; ``sure``: nothing newer is
    there than what was found.
    """

    survey: Survey
    trials: Trials
    polling: str | None
    sure: bool


def diagnose(camera: Row, cameras: list[Row], box: Box, now: datetime) -> Row:
    """Everything about ``camera``, one of ``cameras``, that helps when it shows nothing new."""
    with reached(box.base, camera["folder_path"]) as reach:
        contents = None if reach.descriptor is None else _look(reach.descriptor, box, now)
    sharing, nested = _neighbours(camera, cameras, box.base)
    facts = Facts(
        camera,
        now,
        box.offline_after,
        box.most_bytes,
        sharing,
        nested,
        silent_since=camera["last_seen_at"],
    )
    facts = facts if contents is None else _with(facts, contents)
    return {
        "camera_id": camera["id"],
        "folder": legible(reach.folder),
        "inside_base": reach.inside,
        "exists": reach.exists,
        "readable": reach.readable,
        "shared_with": [{"id": other["id"], "name": other["name"]} for other in sharing],
        **_shown(contents, now),
        "status": camera["status"],
        "last_seen_at": camera["last_seen_at"],
        "problems": _problems(reach, box.base, facts),
    }


def _look(folder: int, box: Box, now: datetime) -> Contents:
    """Bounded in time: a folder that is not watched is read whole only if that was quick."""
    counted = survey(folder, now, box.most_bytes, BOUNDS)
    polling = box.folders.why_polled(folder)
    sure = (counted.complete or polling is None) and not counted.passed_over["broken"]
    if sure:
        look = box.folders.look(folder, now)
        candidates, polling = look.newest, look.polling
    else:
        newest = counted.newest
        candidates = [Candidate(True, True, newest.mtime_ns, newest.path)] if newest else []
    return Contents(counted, trials(folder, candidates, now), polling, sure)


def _neighbours(camera: Row, cameras: list[Row], base: str) -> tuple[list[Row], list[Row]]:
    """The other cameras of the same folder, and those of folders inside it."""
    own = place(base, camera["folder_path"])
    others = [
        (other, place(base, other["folder_path"]))
        for other in cameras
        if other["id"] != camera["id"]
    ]
    inside = own.rstrip("/") + "/"
    return (
        [other for other, folder in others if folder == own],
        [other for other, folder in others if folder.startswith(inside) and folder != own],
    )


def _with(facts: Facts, contents: Contents) -> Facts:
    """``facts`` with what was found in the folder."""
    newest, last_seen = contents.trials.newest, facts.camera["last_seen_at"]
    shown = moment(newest.mtime_ns) if newest else None
    signs = [sign for sign in (last_seen, shown) if sign]
    return facts._replace(
        survey=contents.survey,
        trials=contents.trials,
        polling=contents.polling,
        silent_since=max(signs) if signs and contents.sure else last_seen,
    )


def _shown(contents: Contents | None, now: datetime) -> Row:
    """The part of the answer that a folder must be read for."""
    if contents is None:
        unknown = ("newest", "pictures", "unfinished_uploads", "watching")
        return dict.fromkeys(unknown)
    counted, tried = contents.survey, contents.trials
    half = [_file(u.file) | {"because": u.because} for u in tried.unfinished]
    half += [_file(file) | {"because": TEMPORARY_NAME} for file in counted.temporary]
    newest = _file(tried.newest) if tried.newest else None
    if newest and tried.newest:
        newest["age_seconds"] = int(now.timestamp() - tried.newest.mtime_ns / 1e9)
    return {
        "newest": newest,
        "pictures": {"count": counted.pictures, "complete": counted.complete},
        "unfinished_uploads": half,
        "watching": _watching(contents.polling),
    }


def _file(file: File) -> Row:
    return {
        "name": legible(file.path),
        "modified_at": moment(file.mtime_ns),
        "bytes": file.size,
    }


def _watching(polling: str | None) -> Row:
    """The index says the reason and, behind a colon, the remedy."""
    reason, _, remedy = (polling or "").partition(": ")
    return {
        "mode": "polling" if polling else "watching",
        "reason": reason or None,
        "remedy": remedy or None,
    }


def _problems(reach: Reach, base: str, facts: Facts) -> list[Row]:
    """Each with its word and its sentence; what stands in the way comes first."""
    found = []
    if reach.obstacle:
        found.append((reach.obstacle, OBSTACLES[reach.obstacle](reach, base)))
    for code, trouble in TROUBLES:
        if sentence := trouble(facts):
            found.append((code, sentence))
    return [{"code": code, "message": legible(sentence)} for code, sentence in found]
