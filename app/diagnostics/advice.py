"""What is wrong with the contents of a camera's folder, and what should a person do about it?

Each function below looks for one problem. It returns a sentence that says what to do, or None
where there is no such problem. `CHECKS` lists them in the order in which a person should read
them, by the codes that the API sends.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import NamedTuple

from .. import clock
from ..images import clip_frame
from ..models import Row
from ..services.settings import EffectiveSettings
from ..storage.scan import MAX_DEPTH
from ..storage.watches import with_remedy
from .folder_access import service_user
from .survey import BEING_WRITTEN, STALE_SECONDS, CandidateChecks, Survey

# The time of an upload may differ from that of its arrival by this much, in seconds.
WRONG_CLOCK_SECONDS = 600
NOTHING_UPLOADED = (
    "Nothing is in the folder yet. Check in the camera that FTP upload is switched on and has "
    "this box's address, the right user and password, and the right folder. Then let it upload a "
    "test picture; the FTP server's log shows whether it arrives."
)
# By the codes of skipped files and folders in `Survey.skipped`; ``n`` is their number.
SKIPPED = {
    "empty_files": "Empty files with a picture's name: {n}. The upload broke off at once, or the "
    "disk was full. Check the free space and the FTP server's log, and delete these files.",
    "too_large": "Pictures of more than {most_bytes} bytes, which are not shown: {n}. Let the "
    "camera upload smaller ones, or raise NVR_MAX_PICTURE_BYTES.",
    "unreadable_files": "Pictures that the service's user {user} may not read: {n}. Set the FTP "
    "server's umask to 022, and run chmod o+r on those that are there.",
    "closed_folders": "Sub-folders that the service's user {user} may not read: {n}. Set the FTP "
    "server's umask to 022, and run chmod o+rx on those that are there.",
    "broken_folders": "Folders that cannot be listed because the disk or the network fails: {n}. "
    "Check the kernel's log (dmesg), the cable and the mount.",
    "broken_files": "Pictures that cannot be read because the disk or the network fails: {n} of "
    "the newest. Check the kernel's log (dmesg), the disk, the cable and the mount.",
    "links_inside": "Links in the folder, which are skipped: {n}. The service never follows "
    "links; replace each one with the file or folder that it points to.",
    "too_deep": f"Sub-folders more than {MAX_DEPTH} levels deep, which are skipped: {{n}}. Let "
    "the camera use fewer sub-folders.",
}


class Contents(NamedTuple):
    """What was found in a camera's folder.

    ``polling``: why the folder is read again and again instead of watched, None if it is watched;
    ``is_newest_certain``: whether ``checks.newest`` is certainly the newest picture;
    ``clock_off``: by how many seconds the time of the last upload is ahead of its arrival.
    """

    survey: Survey
    checks: CandidateChecks
    polling: str | None
    is_newest_certain: bool
    clock_off: float = 0


# Of a folder that could not be read.
UNREAD = Contents(Survey(complete=False), CandidateChecks(), None, False)


class Facts(NamedTuple):
    """What is known of a camera.

    ``settings``: those in effect; ``most_bytes``: the largest picture that is shown; ``sharing``:
    other cameras of the same folder that show the same pictures; ``nested``: cameras of folders
    inside it.
    """

    camera: Row
    now: datetime
    settings: EffectiveSettings
    most_bytes: int
    sharing: list[Row]
    nested: list[Row]
    contents: Contents

    @property
    def last_sign(self) -> str | None:
        """When the camera last uploaded, as far as that is known, in RFC 3339."""
        last_seen: str | None = self.camera["last_seen_at"]
        newest = self.contents.checks.newest
        if newest is None or not self.contents.is_newest_certain:
            return last_seen
        return max(last_seen or "", clock.rfc3339(clock.from_ns(newest.time_ns)))


def no_picture(facts: Facts) -> str | None:
    """No picture was uploaded, or none that can be shown."""
    survey = facts.contents.survey
    if survey.pictures or not survey.complete or (survey.clips and clip_frame.is_installed()):
        return None
    if survey.clips:
        return (
            "The folder holds clips and no picture. Install ffmpeg, which makes a picture of the "
            "newest clip (apt install ffmpeg), or let the camera upload pictures too."
        )
    if survey.others:
        kinds = ", ".join(f"{n} {s or 'without suffix'}" for s, n in survey.others.most_common(5))
        return (
            f"The folder holds no picture, but other files ({kinds}). Let the camera upload "
            "pictures whose names end in .jpg, .jpeg, .png or .gif; other files are not shown."
        )
    if survey.temporary or survey.skipped.total():
        return "The folder holds no picture that can be shown yet. The other problems say why."
    if facts.settings.file_pattern is not None:
        return (
            f"No file's name matches the camera's file_pattern {facts.settings.file_pattern}. "
            "Compare it with the names of the files in the folder, and change it or remove it "
            "(null) in the camera's settings."
        )
    return NOTHING_UPLOADED


def skipped(code: str, facts: Facts) -> str | None:
    """Some files or folders are skipped for the reason ``code``."""
    count = facts.contents.survey.skipped[code]
    if not count:
        return None
    return SKIPPED[code].format(n=count, user=service_user(), most_bytes=facts.most_bytes)


def foreign_files(facts: Facts) -> str | None:
    """Files have a picture's name but not its first bytes."""
    foreign = facts.contents.checks.foreign
    if not foreign:
        return None
    return (
        f"Files with a picture's name that are not JPEG, PNG or GIF: {len(foreign)} of the "
        f"newest, for example {foreign[0].path_text}. Set the camera to one of these formats, "
        "and its FTP upload to binary mode."
    )


def unfinished_uploads(facts: Facts) -> str | None:
    """Uploads broke off: nothing was added to them for `STALE_SECONDS`."""
    survey, checks = facts.contents[:2]
    halves = [file for file, because in checks.unfinished if because != BEING_WRITTEN]
    until_ns = (facts.now.timestamp() - STALE_SECONDS) * 1e9
    stale = [file for file in [*survey.temporary, *halves] if file.time_ns < until_ns]
    if not stale:
        return None
    return (
        f"Uploads that were never finished: {len(stale)}, for example {stale[0].path_text}. "
        "The connection breaks off: check the camera's network, the free space and the FTP "
        "server's time-outs. What is left of these uploads can be deleted."
    )


def clock_ahead(facts: Facts) -> str | None:
    """The last upload was given a time after that of its arrival."""
    return _wrong_clock(facts.contents.clock_off, "ahead of")


def clock_behind(facts: Facts) -> str | None:
    """The last upload was given a time long before that of its arrival."""
    return _wrong_clock(-facts.contents.clock_off, "behind")


def _wrong_clock(seconds: float, side: str) -> str | None:
    if seconds <= WRONG_CLOCK_SECONDS:
        return None
    return (
        f"The last picture that arrived was given a time {clock.duration(seconds)} {side} this "
        "box's clock. Set the camera's clock (by NTP); until then its newest picture may not be "
        "shown. If the picture was copied here with the time at which it was taken, all is well."
    )


def silent(facts: Facts) -> str | None:
    """The camera has uploaded before, but not for a long time."""
    offline_after = facts.settings.offline_after_seconds
    if not facts.last_sign or not offline_after:
        return None
    seconds = (facts.now - clock.parse(facts.last_sign)).total_seconds()
    if seconds < offline_after:
        return None
    return (
        f"The camera has uploaded nothing for {clock.duration(seconds)}. Check its power, its "
        "network and its FTP settings, whether it uploads only on motion, and whether the disk is "
        "full."
    )


def shared_folder(facts: Facts) -> str | None:
    """Other cameras have the same folder."""
    if not facts.sharing:
        return None
    return (
        f"The folder is also used by {_names(facts.sharing)}, so each of these cameras shows the "
        "same newest picture. Give every camera a folder of its own or, where a recorder uploads "
        "all its channels there, a file_pattern of its own."
    )


def nested_folder(facts: Facts) -> str | None:
    """Other cameras have folders inside this one, which is searched with its sub-folders."""
    if not facts.nested:
        return None
    return (
        f"The folder of {_names(facts.nested)} lies inside this one, so its pictures show here "
        "too. Give this camera a folder beside it."
    )


def polling(facts: Facts) -> str | None:
    """The folder is not watched; the pictures are right, but reading it costs time."""
    if not facts.contents.polling:
        return None
    why = with_remedy(facts.contents.polling)
    return f"The folder is read again and again instead of watched: {why}."


def _names(cameras: list[Row]) -> str:
    return ", ".join(f"“{camera['name']}”" for camera in cameras)


CHECKS: tuple[tuple[str, Callable[[Facts], str | None]], ...] = (
    ("no_picture", no_picture),
    *((code, partial(skipped, code)) for code in SKIPPED),
    ("foreign_files", foreign_files),
    ("unfinished_uploads", unfinished_uploads),
    ("clock_ahead", clock_ahead),
    ("clock_behind", clock_behind),
    ("silent", silent),
    ("shared_folder", shared_folder),
    ("nested_folder", nested_folder),
    ("polling", polling),
)
