"""Why does a camera show nothing new? Collects what its folder holds and what is wrong with it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from flask import Flask

from .. import clock
from ..models import Row
from ..services.settings import EffectiveSettings
from ..storage.changes import Upload
from ..storage.folders import Folders
from ..storage.newest_files import Candidate
from ..storage.safe_open import StorageNotAnswering
from ..storage.storage_clock import StorageClock
from ..storage.watches import REMEDIES
from .advice import CHECKS, UNREAD, Contents, Facts
from .folder_access import FolderAccess, access_folder, advice, canonical_path, not_answering
from .survey import TEMPORARY_NAME, Bounds, SurveyedFile, check_candidates, survey

# Limits of counting. In a watched folder the newest picture is known all the same.
BOUNDS = Bounds(pictures=10_000, seconds=1.0)


class DiagnosticsContext(NamedTuple):
    """What diagnostics need to know of the service.

    ``base``: the base path; ``folders``: the index of the cameras' folders; ``most_bytes``: the
    largest picture that is shown; ``settings_of``: returns the settings in effect for cameras, by
    their ids.
    """

    base: str
    folders: Folders
    most_bytes: int
    settings_of: Callable[[Iterable[str]], dict[str, EffectiveSettings]]


def init_app(app: Flask) -> None:
    app.extensions["diagnostics"] = DiagnosticsContext(
        app.config["NVR_FOSCAM_BASE_PATH"],
        app.extensions["folders"],
        app.config["NVR_MAX_PICTURE_BYTES"],
        app.extensions["settings"].effective,
    )


def diagnose(camera: Row, cameras: list[Row], context: DiagnosticsContext, now: datetime) -> Row:
    """Everything about ``camera``, one of ``cameras``, that helps if it shows no new picture."""
    settings = context.settings_of(each["id"] for each in [camera, *cameras])
    own = settings[camera["id"]]
    access, contents = _look(camera["folder_path"], own.file_pattern, context, now)
    sharing, nested = _neighbours(camera, cameras, context)
    if own.file_pattern is not None:  # others with a pattern are channels of the same recorder
        sharing = [other for other in sharing if settings[other["id"]].file_pattern is None]
    facts = Facts(camera, now, own, context.most_bytes, sharing, nested, contents)
    return {
        "camera_id": camera["id"],
        "folder": sanitise(access.folder),
        "inside_base": access.inside,
        "exists": access.exists,
        "readable": access.readable,
        "shared_with": [{"id": other["id"], "name": other["name"]} for other in sharing],
        **_contents_fields(contents, now),
        "status": camera["status"],
        "last_seen_at": camera["last_seen_at"],
        "problems": _problems(access, context.base, facts),
    }


def _look(
    folder_path: str, file_pattern: str | None, context: DiagnosticsContext, now: datetime
) -> tuple[FolderAccess, Contents]:
    """Whether the folder can be listed, and what is in it."""

    def look() -> tuple[FolderAccess, Contents]:
        with access_folder(context.base, folder_path) as access:
            if access.descriptor is None:
                return access, UNREAD
            return access, _read(access.descriptor, file_pattern, context, now)

    try:
        return context.folders.ask(look, context.base, folder_path)
    except StorageNotAnswering:
        return not_answering(context.base, folder_path), UNREAD


def sanitise(text: str) -> str:
    """``text`` without characters that act on a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _read(
    folder: int, file_pattern: str | None, context: DiagnosticsContext, now: datetime
) -> Contents:
    """What is in the folder at this descriptor.

    A folder that is not watched is read as a whole only if counting it was quick.
    """
    times = context.folders.clock(folder, now, file_pattern)
    counted = survey(folder, times, context.most_bytes, BOUNDS, file_pattern=file_pattern)
    polling, upload = context.folders.remembered(folder, file_pattern)
    is_certain = (counted.complete or polling is None) and not counted.skipped["broken_folders"]
    if is_certain:
        state = context.folders.query(folder, now, file_pattern)
        candidates, upload, polling, times = state.newest, state.upload, state.polling, state.clock
    else:
        newest = counted.newest
        candidates = [Candidate(*newest.place, newest.path)] if newest else []
    checks = check_candidates(folder, candidates, context.folders.checks, times)
    counted.skipped["broken_files"] = checks.broken
    return Contents(counted, checks, polling, is_certain, _clock_off(upload, times))


def _clock_off(upload: Upload | None, times: StorageClock) -> float:
    """By how many seconds the time of the upload is ahead of its arrival."""
    return (upload.mtime_ns - times.ahead_ns - upload.seen_ns) / 1e9 if upload else 0.0


def _neighbours(
    camera: Row, cameras: list[Row], context: DiagnosticsContext
) -> tuple[list[Row], list[Row]]:
    """The other cameras of the same folder, and those of folders inside it.

    None while the storage of the base path does not answer.
    """
    paths = {row["folder_path"] for row in [camera, *cameras]}
    try:
        folders = context.folders.threads.ask(
            lambda: {path: canonical_path(context.base, path) for path in paths}, context.base
        )
    except StorageNotAnswering:
        return [], []
    own = folders[camera["folder_path"]]
    inside = own.rstrip("/") + "/"
    others = [other for other in cameras if other["id"] != camera["id"]]
    sharing = [other for other in others if folders[other["folder_path"]] == own]
    nested = [other for other in others if folders[other["folder_path"]].startswith(inside)]
    return sharing, [other for other in nested if other not in sharing]


def _contents_fields(contents: Contents, now: datetime) -> Row:
    """The fields of the response that are null where the folder cannot be read."""
    if contents is UNREAD:
        return dict.fromkeys(("newest", "pictures", "unfinished_uploads", "watching"))
    counted, checks, polling = contents[:3]
    unfinished = [_file(file) | {"because": because} for file, because in checks.unfinished]
    unfinished += [_file(file) | {"because": TEMPORARY_NAME} for file in counted.temporary]
    return {
        "newest": _newest(checks.newest, now) if checks.newest else None,
        "pictures": {"count": counted.pictures, "complete": counted.complete},
        "unfinished_uploads": unfinished,
        "watching": {
            "mode": "polling" if polling else "watching",
            "reason": polling,
            "remedy": REMEDIES.get(polling or ""),
        },
    }


def _file(file: SurveyedFile) -> Row:
    return {
        "name": sanitise(file.path_text),
        "modified_at": clock.rfc3339(clock.from_ns(file.time_ns)),
        "bytes": file.size,
    }


def _newest(file: SurveyedFile, now: datetime) -> Row:
    return _file(file) | {"age_seconds": int(now.timestamp() - file.time_ns / 1e9)}


def _problems(access: FolderAccess, base: str, facts: Facts) -> list[Row]:
    """Every problem by its code, what keeps the folder from being listed first."""
    found = [(access.problem, advice(access, base))]
    found += [(code, check(facts)) for code, check in CHECKS]
    return [{"code": code, "message": sanitise(text)} for code, text in found if text]
